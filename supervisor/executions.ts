/**
 * Executions, for the actor `supervisor`: the programs that operators run on its host.
 *
 * @module
 */
import { basename } from "node:path";
import type { HandlerContext } from "../runtime/actor/handler_context.ts";
import type { HandlersOf } from "../runtime/actor/service.ts";
import { EnsembleError } from "../runtime/errors.ts";
import { shorten } from "../runtime/safe_text.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import { type Session, sessionOf } from "../runtime/server/capabilities.ts";
import { Execution } from "./execution.ts";
import {
  type ExecutionHandlers,
  type ExecutionRequest,
  type KillSignal,
  LISTED_ARGUMENT,
  type ListedProcess,
  MAX_ENDED,
  MAX_RUNNING,
  type ProcessOutput,
  type StartedProcess,
} from "./executions_protocol.ts";
import type { HostPermissions } from "./host_permissions.ts";

/** How long the end of a program is kept that its operator has not fetched, in ms. */
const END_LIFETIME = 60_000;

/** Why a program is ended that is not detached. */
const LEFT = "its operator left";

/** Options of {@linkcode executionHandlers}. */
export interface ExecutionsOptions {
  /** Decides who may run programs. */
  readonly permissions: HostPermissions;
  /** The directory of the ensemble's files, in which programs run. */
  readonly directory: string;
  /** The directory of uploaded executables. */
  readonly programs: string;
}

/** A program under its name. */
interface Named {
  readonly name: string;
  readonly request: ExecutionRequest;
  /** The connection of the one who asked for it; undefined for an actor of this server. */
  readonly session: Session | undefined;
  startedAt: number;
  restarts: number;
  execution: Execution;
  /** Whether it is being ended to be started again. */
  isRestarting: boolean;
}

/** The programs that run, and the detached ones that have ended. */
class Executions {
  readonly #server: ActorServer;
  readonly #permissions: HostPermissions;
  readonly #places: { readonly directory: string; readonly programs: string };
  readonly #named = new Map<string, Named>();
  #isOver = false;
  #last = 0;

  constructor(
    server: ActorServer,
    { permissions, ...places }: ExecutionsOptions,
  ) {
    this.#server = server;
    this.#permissions = permissions;
    this.#places = places;
    server.onDisconnected((session) => {
      void this.#stopAll((named) => !named.request.detached && named.session === session);
    });
    server.hold({
      [Symbol.asyncDispose]: async () => {
        this.#isOver = true;
        await this.#stopAll(() => true);
      },
    });
  }

  execute(request: ExecutionRequest, context: HandlerContext): StartedProcess {
    return this.#attempt("exec-process", request, context, () => {
      const name = request.name ?? this.#nameFor(request);
      const earlier = this.#named.get(name);
      if (earlier && (!earlier.execution.exit || earlier.isRestarting)) {
        throw new EnsembleError(
          `${name} runs already on ${this.#server.id}, as process ${earlier.execution.pid}: choose ` +
            "another name",
        );
      }
      const running = [...this.#named.values()].filter(({ execution }) => !execution.exit);
      if (running.length >= MAX_RUNNING) {
        throw new EnsembleError(
          `cannot run ${request.program}: ${running.length} programs run on ${this.#server.id} ` +
            "already; kill one of them",
          { code: "LIMIT_REACHED" },
        );
      }
      const session = sessionOf(context.envelope);
      const named: Named = {
        name,
        request,
        session,
        startedAt: Date.now(),
        restarts: 0,
        execution: new Execution(request, this.#places),
        isRestarting: false,
      };
      // At the end of the map, since the oldest go first.
      this.#named.delete(name);
      this.#named.set(name, named);
      this.#whenEnded(named);
      if (!request.detached && session?.ended) void named.execution.stop(LEFT);
      return { name, pid: named.execution.pid };
    });
  }

  async read(
    { name, after, wait }: Parameters<ExecutionHandlers["readProcessOutput"]>[0],
    context: HandlerContext,
  ): Promise<ProcessOutput> {
    this.#permissions.require(context, { permission: "executor", what: "get-process-output" });
    const named = this.#find(name);
    const { detached } = named.request;
    // To read lets go of the output, so that only one can.
    if (!detached && named.session !== sessionOf(context.envelope)) {
      throw new EnsembleError(
        `the output of ${name} goes to the operator who runs it; only that of a detached program ` +
          "can be read by others",
      );
    }
    const read = await named.execution.read(after, wait);
    if (read.exit && !detached) this.#forget(named);
    return read;
  }

  list(context: HandlerContext): ListedProcess[] {
    this.#permissions.require(context, { permission: "executor", what: "list-processes" });
    return Array.from(
      this.#named.values(),
      ({ name, request, startedAt, restarts, execution }) => ({
        name,
        pid: execution.pid,
        program: shorten(request.program, LISTED_ARGUMENT),
        args: request.args.map((each) => shorten(each, LISTED_ARGUMENT)),
        detached: request.detached,
        by: request.by,
        startedAt,
        restarts,
        output: execution.outputLength,
        ...execution.exit && { exit: execution.exit },
      }),
    );
  }

  kill(
    { name, signal, by }: { name: string; signal: KillSignal; by: string },
    context: HandlerContext,
  ): boolean {
    const details = { name, signal };
    return this.#permissions.attempt(context, {
      permission: "executor",
      what: "kill-process",
      details,
      work: () => this.#find(name).execution.kill(signal, by),
    });
  }

  async restart(
    { name, by }: { name: string; by: string },
    context: HandlerContext,
  ): Promise<StartedProcess> {
    const named = this.#find(name);
    return await this.#attempt("restart-process", { ...named.request, name }, context, async () => {
      if (!named.request.detached) {
        throw new EnsembleError(
          `cannot restart ${name}: it is not detached, and belongs to the operator who runs it`,
        );
      }
      if (named.isRestarting) throw new EnsembleError(`${name} is restarted already`);
      named.isRestarting = true;
      try {
        await named.execution.stop(`restarted by ${by}`);
        if (this.#isOver) throw new EnsembleError(`cannot restart ${name}: the supervisor stops`);
        named.execution = new Execution(named.request, this.#places);
      } finally {
        named.isRestarting = false;
      }
      named.startedAt = Date.now();
      named.restarts++;
      this.#named.set(name, named);
      this.#whenEnded(named);
      return { name, pid: named.execution.pid };
    });
  }

  #whenEnded(named: Named): void {
    const { execution } = named;
    void execution.ended.then(() => {
      if (named.request.detached) return this.#limitEnded();
      const timer = setTimeout(() => this.#forget(named), END_LIFETIME);
      Deno.unrefTimer(timer as unknown as number);
    });
  }

  #limitEnded(): void {
    const ended = [...this.#named.values()].filter(({ request, execution, isRestarting }) =>
      request.detached && execution.exit && !isRestarting
    );
    for (const named of ended.slice(0, -MAX_ENDED)) this.#forget(named);
  }

  #forget(named: Named): void {
    if (this.#named.get(named.name) === named) this.#named.delete(named.name);
  }

  #nameFor({ program }: ExecutionRequest): string {
    const word = basename(program).replaceAll(/[^A-Za-z0-9_.-]/g, "_").replace(/^[.-]+/, "")
      .slice(0, 48) || "program";
    let name: string;
    do name = `${word}-${++this.#last}`; while (this.#named.has(name));
    return name;
  }

  #find(name: string): Named {
    const named = this.#named.get(name);
    if (named) return named;
    throw new EnsembleError(`no program ${name} runs on ${this.#server.id}`);
  }

  #attempt<Result>(
    what: string,
    { program, args, directory, name, detached }: ExecutionRequest,
    context: HandlerContext,
    work: () => Result,
  ): Result {
    const details = {
      program,
      args: args.join(" "),
      ...name !== undefined && { name },
      ...directory !== undefined && { directory },
      detached,
    };
    return this.#permissions.attempt(context, { permission: "executor", what, details, work });
  }

  async #stopAll(which: (named: Named) => boolean): Promise<void> {
    const stopping = [...this.#named.values()].filter(which);
    await Promise.all(stopping.map(async (named) => {
      await named.execution.stop(LEFT);
      this.#forget(named);
    }));
  }
}

/** The handlers of executions, for the actor `supervisor` of a server. */
export function executionHandlers(
  server: ActorServer,
  options: ExecutionsOptions,
): HandlersOf<ExecutionHandlers> {
  const executions = new Executions(server, options);
  return {
    execute: (request, context) => executions.execute(request, context),
    listProcesses: (_request, context) => executions.list(context),
    readProcessOutput: (request, context) => executions.read(request, context),
    killProcess: (request, context) => executions.kill(request, context),
    restartProcess: (request, context) => executions.restart(request, context),
  };
}
