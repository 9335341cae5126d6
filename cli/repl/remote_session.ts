/**
 * The client's side of a REPL session in a server.
 *
 * @module
 */
import type { Actor } from "../../runtime/actor/actor.ts";
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { ActorRef } from "../../runtime/actor/references.ts";
import { type Client, client, serviceBody } from "../../runtime/actor/service.ts";
import {
  checkDescription,
  checkNames,
  checkOutcome,
  type Outcome,
  type ReplHandlers,
  replOwnerChecks,
  type ReplOwnerHandlers,
} from "../../runtime/repl/repl_protocol.ts";
import type { LoaderHandlers } from "../../runtime/ensemble/loader_protocol.ts";
import type { PreviewOptions } from "../../runtime/repl/shown_value.ts";
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { expand } from "./expansion.ts";
import type { ImportResolver } from "./import_resolver.ts";
import { InputMap } from "./parsed_input.ts";

/** Options of {@linkcode RemoteSession.open}. */
export interface SessionOptions {
  /** The server to open it in. */
  readonly server: string;
  /** Resolves imports. */
  readonly resolver: ImportResolver;
  /** How to show results. */
  readonly preview: PreviewOptions;
  /** Timeout for each answer, in ms. By default there is none. */
  readonly timeout?: number | undefined;
  /** Runs `work`, and first asks for the capability if the server requires it. */
  elevating<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Called with the output of evaluated code. */
  onOutput(text: string): void;
  /** Called once if the session ends without being closed here, with the reason if there is one. */
  onLost(reason: string | undefined): void;
}

/** A session. It stays open until the actors of this process stop. */
export class RemoteSession {
  readonly #session: Client<ReplHandlers>;
  readonly #loader: Client<LoaderHandlers>;
  readonly #options: SessionOptions;
  readonly #inputs: InputMap;
  #lastInput = 0;

  private constructor(
    { session, loader }: { session: Client<ReplHandlers>; loader: Client<LoaderHandlers> },
    inputs: InputMap,
    options: SessionOptions,
  ) {
    this.#session = session;
    this.#loader = loader;
    this.#inputs = inputs;
    this.#options = options;
  }

  /**
   * Opens a session.
   *
   * @throws {EnsembleError} if the server cannot be reached, or refuses.
   */
  static async open(actors: ActorSystem, options: SessionOptions): Promise<RemoteSession> {
    const { server, elevating } = options;
    const inputs = new InputMap(`${actors.id}`);
    let session: ActorRef | undefined;
    const owner = startOwner(actors, {
      onLost: options.onLost,
      onOutput(text, source) {
        if (session?.equals(source)) options.onOutput(inputs.restore(text));
      },
    });
    const loader = loaderClient(owner, server);
    const serial = await elevating(() => loader.openSession({}));
    const ref = session = new ActorRef(server, serial);
    owner.monitor(ref);
    return new RemoteSession(
      { session: client<ReplHandlers>(owner, ref), loader },
      inputs,
      options,
    );
  }

  /**
   * Expands and evaluates an input. If `signal` aborts or the timeout passes, the server is
   * notified that the result is no longer needed.
   *
   * @throws {InputError} if it is not TypeScript, or incomplete.
   * @throws {EnsembleError} if the server is lost.
   */
  async evaluate(source: string, signal: AbortSignal): Promise<Outcome> {
    const { expansion, locate } = await expand(
      source,
      (specifier, attributes) => this.#options.resolver.resolve(specifier, attributes),
    );
    const input = ++this.#lastInput;
    this.#inputs.add(input, locate);
    const { preview, timeout = Infinity } = this.#options;
    let isAnswered = false;
    try {
      const { result, error } = checkOutcome(
        await this.#session.evaluate({ input, expansion, preview }, { timeout, signal }),
      );
      isAnswered = true;
      return {
        ...(result !== undefined && { result: this.#inputs.restore(result) }),
        ...(error !== undefined && { error: this.#inputs.restore(error) }),
      };
    } finally {
      // It was interrupted, or took too long.
      if (!isAnswered) void this.#session.interrupt({ input }).catch(() => {});
    }
  }

  /**
   * Makes the exports of a module names of the session.
   *
   * @throws {EnsembleError} if the server does not run it.
   */
  async importAll(specifier: string): Promise<void> {
    const target = await this.#options.resolver.resolve(specifier);
    const { timeout = Infinity } = this.#options;
    await this.#session.importAll({ target }, { timeout });
  }

  /** Whether a name is defined in the session or globally in the server. */
  isDefined(name: string): Promise<boolean> {
    return this.#session.isDefined({ name });
  }

  /** Describes the value of a name; undefined if it is not defined. */
  async describe(path: string[]): Promise<string | undefined> {
    return checkDescription(await this.#session.describe({ path }));
  }

  /** The ids of the modules loaded in the server. */
  async modules(): Promise<string[]> {
    const history = await this.#loader.history();
    return history.filter(({ current }) => current).map(({ module }) => module);
  }

  /** The specifiers of the library modules built into the server. */
  libraries(): Promise<string[]> {
    return this.#loader.libraries();
  }

  /**
   * The names that begin with `prefix`, among the properties of the value at `path` or, without
   * one, of the session.
   */
  async complete(path: string[], prefix: string): Promise<string[]> {
    return checkNames(await this.#session.complete({ path, prefix }));
  }
}

/** Starts the actor that owns the session and receives its events. */
function startOwner(
  actors: ActorSystem,
  handlers: { onOutput(text: string, source: ActorRef): void; onLost(reason?: string): void },
): Actor {
  const told: ReplOwnerHandlers = {
    output: ({ text }, { sender }) => handlers.onOutput(text, sender),
    down: ({ reason }, { envelope: { session } }) => {
      // Another server could claim it.
      if (session === undefined) handlers.onLost(reason);
    },
  };
  return actors.spawn(undefined, serviceBody(told, { requests: replOwnerChecks }));
}
