/**
 * REPL sessions as actors: one for each person, in the group `repl`.
 *
 * @module
 */
import type { Actor, ActorBody } from "../actor/actor.ts";
import type { ActorSystem } from "../actor/actor_system.ts";
import type { Envelope } from "../actor/envelope.ts";
import type { ActorRef } from "../actor/references.ts";
import { type Handlers, serve } from "../actor/service.ts";
import type { UnitStore } from "../code/unit_store.ts";
import { AuthorizationError } from "../errors.ts";
import { replChecks } from "./repl_requests.ts";
import type { ImportTarget } from "./repl_scope.ts";
import { type EvaluateRequest, type Outcome, ReplSession, sessionConsole } from "./repl_session.ts";

/** The handlers of a session's actor, for `client`. Only who opened the session is answered. */
export type ReplHandlers = {
  /** Evaluates an input; answers when it is done, however long that takes. */
  evaluate(request: EvaluateRequest): Promise<Outcome>;
  /** The person no longer waits for an input. */
  interrupt(request: { input: number }): void;
  /** Makes the exports of a module names of the session; answers the names. */
  importAll(request: { target: ImportTarget }): Promise<string[]>;
  /** Whether a name is one of the session or a global one. */
  isDefined(request: { name: string }): boolean;
  /** The names that start with `prefix`; see {@linkcode completions}. */
  complete(request: { path: string[]; prefix: string }): string[];
  /** What a name stands for, see {@linkcode describeValue}; undefined when it is not defined. */
  describe(request: { path: string[] }): string | undefined;
  /** The owner has gone. */
  down(request: Record<never, never>, envelope: Envelope): void;
};

/** What the owner of a session is told. */
export type ReplOwnerHandlers = {
  /** Evaluated code wrote one or more lines to the console. */
  output(request: { text: string }, envelope: Envelope): void;
  /** The session has ended. */
  down(request: { reason?: string }, envelope: Envelope): void;
};

/** What a session is made of. */
export interface SessionOptions {
  /** The actor that opens the session, and is told what {@linkcode ReplOwnerHandlers} says. */
  readonly owner: ActorRef;
  readonly store: UnitStore;
  /** The server as evaluated code sees it. */
  readonly ensemble: unknown;
  /** What stands before each handler, as before the loader's own. */
  readonly guard?: ((handlers: Handlers) => Handlers) | undefined;
}

/** Starts a session, which ends with its owner. */
export function startReplSession(actors: ActorSystem, options: SessionOptions): Actor {
  return actors.spawnGroup("repl", sessionBody(options));
}

function sessionBody(
  { owner, store, ensemble, guard = (handlers) => handlers }: SessionOptions,
): ActorBody {
  return (self) => {
    const print = (text: string) => {
      self.tell(owner, { type: "output", text });
    };
    const session = new ReplSession(`${owner.server}`, store, {
      ensemble,
      console: sessionConsole(print),
    });
    const handlers: Omit<ReplHandlers, "down"> = {
      evaluate: (request) => session.evaluate(request),
      interrupt: ({ input }) => session.interrupt(input),
      importAll: ({ target }) => session.importAll(target),
      isDefined: ({ name }) => session.isDefined(name),
      complete: ({ path, prefix }) => session.complete(path, prefix),
      describe: ({ path }) => session.describe(path),
    };
    self.monitor(owner);
    // From afar anybody could say so.
    const down: ReplHandlers["down"] = (_request, { session }) => {
      if (session === undefined) self.exit("its owner has gone");
    };
    return serve({ ...onlyFor(owner, guard(handlers)), down }, {
      concurrent: true,
      requests: replChecks,
    })(self);
  };
}

/** A session does what its owner may do: it is nobody else's. */
function onlyFor(owner: ActorRef, handlers: Handlers): Handlers {
  return Object.fromEntries(
    Object.entries(handlers).map(([type, handler]) => [
      type,
      (request: unknown, envelope: Envelope) => {
        if (envelope.source.server !== owner.server) {
          throw new AuthorizationError(`this session is ${owner}'s`);
        }
        return handler(request, envelope);
      },
    ]),
  );
}
