/**
 * The traces of a server's actors, each for the console that has begun it.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Actor } from "../actor/actor.ts";
import type { HandlerContext } from "../actor/handler_context.ts";
import { SERVER_ACTOR } from "../actor/references.ts";
import type { HandlersOf } from "../actor/service.ts";
import { EnsembleError } from "../errors.ts";
import type { ActorServer } from "../server/actor_server.ts";
import { ADMIN, OBSERVER, type Session, sessionOf } from "../server/capabilities.ts";
import { ActorTrace } from "./actor_trace.ts";
import {
  MAX_TRACE_TIME,
  MAX_TRACE_WAIT,
  MAX_TRACED,
  type TraceHandlers,
  type TraceNews,
} from "./trace_protocol.ts";

const logger = getLogger(["gxensemble", "observer"]);

/** The largest number of traces at the same time in a server. */
export const MAX_TRACES = 16;

/** How long a trace goes on that is not followed, in ms. */
const LEASE = 15_000;

/** A trace, and who may follow it. */
interface Held {
  readonly trace: ActorTrace;
  readonly capability: string;
  /** The connection of the console; undefined for an actor of this server. */
  readonly session: Session | undefined;
  /** Ends it when it is not followed. */
  lease: ReturnType<typeof setTimeout> | undefined;
}

/** Begins, keeps and ends the traces of a server. */
export class ActorTraces {
  readonly #server: ActorServer;
  readonly #held = new Map<number, Held>();
  #last = 0;

  /** Traces nothing yet. */
  constructor(server: ActorServer) {
    this.#server = server;
    server.onDisconnected((session) => this.#endAll((held) => held.session === session));
    server.hold({ [Symbol.dispose]: () => this.#endAll(() => true) });
  }

  /**
   * Begins a trace; see {@linkcode TraceHandlers.beginTrace}.
   *
   * @throws {NotAuthorizedError} if the sender may not trace that actor.
   * @throws {EnsembleError} if there are too many traces.
   */
  begin(
    { actor: id, count, time, full = false }: Parameters<TraceHandlers["beginTrace"]>[0],
    { envelope }: HandlerContext,
  ): { trace?: number } {
    const { actors, capabilities } = this.#server;
    const actor = actors.find(id);
    const capability = actor && this.#isPrivate(actor) ? ADMIN : OBSERVER;
    return capabilities.attempt(envelope, {
      capability,
      what: "trace",
      details: { actor: id },
      work: () => {
        if (!actor || actor.activity === "dead") return {};
        if (this.#held.size >= MAX_TRACES) {
          throw new EnsembleError(
            `cannot trace ${actor.ref}: ${MAX_TRACES} traces run in ${this.#server.id}: end one of them`,
          );
        }
        const number = ++this.#last;
        const session = sessionOf(envelope);
        const observer = envelope.recipient;
        const trace = new ActorTrace(actor, {
          count: Math.min(count, MAX_TRACED),
          time: Math.min(time, MAX_TRACE_TIME),
          full,
          // To follow the trace of the observer would else be an endless trace.
          ignores: (message) =>
            session !== undefined && message.session === session && message.recipient === observer,
        });
        const held: Held = { trace, capability, session, lease: undefined };
        this.#held.set(number, held);
        this.#renew(number, held);
        logger.debug("{source} traces {actor}", {
          source: `${envelope.source}`,
          actor: `${actor.ref}`,
        });
        return { trace: number };
      },
    });
  }

  /**
   * Gives what came of a trace; see {@linkcode TraceHandlers.followTrace}.
   *
   * @throws {EnsembleError} if the sender has no such trace.
   */
  async follow(
    { trace: number, wait }: Parameters<TraceHandlers["followTrace"]>[0],
    { envelope }: HandlerContext,
  ): Promise<TraceNews> {
    const held = this.#held.get(number);
    if (!held || held.session !== sessionOf(envelope)) {
      throw new EnsembleError(`${this.#server.id} has no trace ${number} of this connection`);
    }
    // The capability may have been revoked meanwhile.
    if (!this.#server.capabilities.allows(envelope, held.capability)) {
      held.trace.end({ why: "stopped" });
    }
    clearTimeout(held.lease);
    await held.trace.changed(Math.min(wait, MAX_TRACE_WAIT));
    const news = held.trace.take();
    if (news.end) this.#end(number, held);
    else if (this.#held.has(number)) this.#renew(number, held);
    return news;
  }

  /** Whether the messages of an actor may have secrets: code that is loaded or typed, challenges. */
  #isPrivate(actor: Actor): boolean {
    return actor.name === SERVER_ACTOR || this.#server.actors.essential.has(actor) ||
      actor.group.name === "repl" && actor.group.parent === this.#server.actors.root;
  }

  #renew(number: number, held: Held): void {
    held.lease = setTimeout(() => this.#end(number, held), LEASE);
  }

  #endAll(which: (held: Held) => boolean): void {
    for (const [number, held] of this.#held) if (which(held)) this.#end(number, held);
  }

  #end(number: number, held: Held): void {
    clearTimeout(held.lease);
    this.#held.delete(number);
    held.trace.end({ why: "stopped" });
  }
}

/** The handlers of traces, for the actor `observer`. */
export function traceHandlers(server: ActorServer): HandlersOf<TraceHandlers> {
  const traces = new ActorTraces(server);
  return {
    beginTrace: (request, context) => traces.begin(request, context),
    followTrace: (request, context) => traces.follow(request, context),
  };
}
