/**
 * The operator at the terminal, who confirms what the observer's page asks for.
 *
 * @module
 */
import { controlClient, shutDownActor } from "../../runtime/ensemble/remote.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { observerClient } from "../../runtime/observation/observer_protocol.ts";
import { escapeControls, quoted } from "../../runtime/safe_text.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { ADMIN } from "../../runtime/server/capabilities.ts";
import { sameInstance } from "../../runtime/server/credentials.ts";
import type { ActionRequest } from "../../observer/page/page_protocol.ts";
import type { Operator, PreparedAction } from "../../observer/page_actions.ts";
import { Administrator, operatorName } from "../kit/administrator.ts";
import { startConsole } from "../kit/console.ts";
import type { ClientOptions } from "../kit/options.ts";
import { askYesOrNo, type PassphraseOptions } from "../kit/prompts.ts";
import { goBackIn } from "../modules/going_back.ts";
import { LoaderSet } from "../modules/loader_set.ts";
import { RollOutLock } from "../modules/roll_out_lock.ts";

/** One question at a time in the terminal, in the order in which they come. */
export class TerminalTurns {
  #last: Promise<unknown> = Promise.resolve();

  /** Asks a question when the earlier ones are answered. */
  async take<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const answer = this.#last.then(ask);
    this.#last = answer.catch(() => {});
    return await answer;
  }
}

/** Work through a connection of its own. */
interface ActionContext {
  readonly console: ActorServer;
  readonly administrator: Administrator;
}

/** Options of {@linkcode TerminalOperator}. */
export interface OperatorOptions extends ClientOptions, PassphraseOptions {
  /** The administrator of the observer's console, whose key is used. */
  readonly administrator: Administrator;
  /** Keeps questions apart. */
  readonly turns: TerminalTurns;
}

/**
 * Confirms actions in the terminal, and does each through a connection of its own, which has the
 * capability for that one action and is closed afterwards.
 */
export class TerminalOperator implements Operator {
  readonly #console: ActorServer;
  readonly #options: OperatorOptions;

  /** Finds out about actions through the observer's console. */
  constructor(console: ActorServer, options: OperatorOptions) {
    this.#console = console;
    this.#options = options;
  }

  /** See {@linkcode Operator.confirm}. */
  async confirm(question: string, { signal }: { readonly signal: AbortSignal }): Promise<boolean> {
    return await this.#options.turns.take(async () => {
      if (signal.aborted) return false;
      return await askYesOrNo(escapeControls(question), { signal });
    });
  }

  /** See {@linkcode Operator.prepare}. */
  async prepare(request: ActionRequest): Promise<PreparedAction> {
    switch (request.action) {
      case "shut-down-actor":
        return await this.#prepareShutdown(request);
      case "set-log-level":
        return this.#prepareLevel(request);
      case "go-back":
        return await this.#prepareBack(request);
    }
  }

  async #prepareShutdown(
    { server, actor }: ActionRequest & { action: "shut-down-actor" },
  ): Promise<PreparedAction> {
    const [info] = await controlClient(this.#console.actors, server).describeActors({ actor });
    if (!info) {
      throw new EnsembleError(`${server} has no actor ${actor}`, { code: "UNKNOWN_ACTOR" });
    }
    const { serial, name, essential } = info;
    const label = name === undefined ? `actor ${serial}` : `actor ${name} (${serial})`;
    if (essential) throw new EnsembleError(`${label} of ${server} is a part of its server`);
    return this.#prepared(server, {
      what: `shut down the ${label} of ${server}`,
      perform: async ({ console }) => {
        // The actor itself decides about a shutdown, so the capability is that of the connection.
        await shutDownActor(console.actors, server, serial);
        return `the ${label} of ${server} was shut down`;
      },
      capability: "shutdown",
    });
  }

  #prepareLevel(
    { server, level, category = "", duration }: ActionRequest & { action: "set-log-level" },
  ): PreparedAction {
    const of = category === "" ? server : `${category} in ${server}`;
    const time = duration === undefined ? "" : ` for ${Math.round(duration / 1000)} s`;
    return this.#prepared(server, {
      what: `set the log level of ${of} to ${level}${time}`,
      perform: async ({ console }) => {
        const by = operatorName();
        await observerClient(console.actors, server)
          .setLogLevel({ category, level, by, ...duration !== undefined && { duration } });
        return `the log level of ${of} is ${level}${time}`;
      },
      capability: ADMIN,
    });
  }

  async #prepareBack(
    { server, load }: ActionRequest & { action: "go-back" },
  ): Promise<PreparedAction> {
    const loads = await observerClient(this.#console.actors, server).loads();
    const found = loads.find(({ id, undone }) => id === load && !undone);
    if (!found) {
      throw new EnsembleError(`${server} has no such load, or went back from it before`);
    }
    const { module, hash, by, at } = found;
    const loaded = `${quoted(module)} ${hash.slice(0, 12)}, which ${quoted(by)} loaded at ` +
      new Date(at).toISOString();
    return this.#prepared(server, {
      what: `go back in ${server} from ${loaded}`,
      perform: async ({ console: { actors }, administrator }) => {
        const loaders = new LoaderSet({ ids: [server] }, { actors, administrator, concurrency: 1 });
        await using _lock = await RollOutLock.take(loaders, await loaders.find());
        const back = await loaders.in(server, (loader) => goBackIn(loader, { id: load, module }));
        if (!back) throw new EnsembleError(`${server} does not have that load any more`);
        if (!back.isBack) throw new EnsembleError(back.line);
        return `${server} went ${back.line}`;
      },
    });
  }

  /**
   * An action in the instance of a server that runs now: another one would not be what the operator
   * was asked about.
   *
   * @param options.capability the capability to get; without one, the action gets what it needs.
   */
  #prepared(
    server: string,
    { what, perform, capability }: {
      what: string;
      perform: (context: ActionContext) => Promise<string>;
      capability?: string;
    },
  ): PreparedAction {
    const instance = this.#console.session(server)?.instance;
    return {
      what,
      perform: () =>
        this.#connected(async (context) => {
          const work = () => perform(context);
          await context.console.connect(server);
          const now = context.console.session(server)?.instance;
          if (instance && now && !sameInstance(instance, now)) {
            throw new EnsembleError(`${server} has been started again: look again`);
          }
          if (capability === undefined) return await work();
          return await context.administrator.elevating(server, capability, work);
        }),
    };
  }

  async #connected(work: (context: ActionContext) => Promise<string>): Promise<string> {
    const console = await startConsole(this.#options);
    try {
      const administrator = new Administrator(
        console,
        this.#options,
        this.#options.administrator,
      );
      administrator.runPrompt = this.#options.administrator.runPrompt;
      return await work({ console, administrator });
    } finally {
      await console.stop();
    }
  }
}
