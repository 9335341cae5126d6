/**
 * The context of a request, for its handler.
 *
 * @module
 */
import { coarseNow } from "../clock.ts";
import type { Envelope } from "./messaging.ts";
import type { ActorRef } from "./references.ts";
import { MAX_DELAY } from "../timeout.ts";

const LATER: HandlerContext["later"] = Object.freeze({ isAnswered: "later" });

/**
 * The second argument of a handler: the sender, the deadline, and a way to answer later.
 *
 * @example A handler that uses its context
 * ```ts
 * import { currentServer } from "@gxensemble/ensemble";
 *
 * currentServer().serve("pages", {
 *   async fetch({ url }: { url: string }, { sender, signal }) {
 *     console.log(`for ${sender}`);
 *     return await (await fetch(url, { signal })).text();
 *   },
 * });
 * ```
 */
// deno-lint-ignore no-explicit-any -- not declared: goes for any state
export class HandlerContext<State = any> {
  /**
   * Return this from a handler that answers later, with {@linkcode HandlerContext.reply} or
   * {@linkcode HandlerContext.fail}. The service then continues with the next request.
   *
   * @example Answer when a job comes
   * ```ts
   * import { type HandlerContext, startServer } from "@gxensemble/ensemble";
   *
   * const waiting: HandlerContext[] = [];
   * await using server = await startServer();
   * server.serve("jobs", {
   *   next(_request: object, context) {
   *     waiting.push(context);
   *     return context.later;
   *   },
   *   add({ job }: { job: string }) {
   *     waiting.shift()?.reply(job);
   *   },
   * });
   * ```
   */
  get later(): { readonly isAnswered: "later" } {
    return LATER;
  }
  /**
   * The request's envelope.
   *
   * @internal
   */
  readonly envelope: Envelope;
  #haste: Haste | undefined;

  /**
   * Called by a service for each request.
   *
   * @internal
   */
  constructor(envelope: Envelope) {
    this.envelope = envelope;
    const { timeout } = envelope;
    if (timeout !== undefined) envelope.expires ??= coarseNow() + timeout;
  }

  /** The actor that sent the request. The connection authenticated its server. */
  get sender(): ActorRef {
    return this.envelope.source;
  }

  /**
   * The state of the service, which begins as the option `state` of `serve`. It is the same for all
   * handlers, and goes on when code is loaded that exchanges them.
   *
   * @example A service with a state
   * ```ts
   * import { type HandlerContext, startServer } from "@gxensemble/ensemble";
   *
   * await using server = await startServer("counter1");
   * server.serve("counter", {
   *   add: ({ amount }: { amount: number }, context: HandlerContext<number>) =>
   *     context.state += amount,
   * }, { state: 0 });
   * ```
   */
  get state(): State {
    return this.envelope.recipient!.state;
  }

  set state(state: State) {
    this.envelope.recipient!.state = state;
  }

  /** The time until which the sender waits, in ms since 1970; undefined if it has no limit. */
  get deadline(): number | undefined {
    const { expires } = this.envelope;
    return expires === undefined ? undefined : Math.round(Date.now() + expires - performance.now());
  }

  /**
   * Aborted when the deadline passes before the request is answered, when the actor is shut down or
   * its server stops, or when the actor is made to end. A service that is shut down still sends the
   * answers of the requests that it has begun, as far as they come within the grace: end early what
   * may end early. It is made when it is first read.
   */
  get signal(): AbortSignal {
    this.#haste ??= new Haste(this.envelope);
    return this.#haste.signal;
  }

  /** Whether the sender has a capability. Actors of this server have all of them. */
  authorized(capability: string): boolean {
    return this.envelope.authorized(capability);
  }

  /**
   * Answers the request with a value, or with what a promise resolves to. The first answer counts.
   */
  reply(value?: unknown): void {
    this.#answer(value, false);
  }

  /** Answers the request with a failure: the sender's promise rejects. The first answer counts. */
  fail(error: unknown): void {
    this.#answer(error, true);
  }

  /**
   * Releases the signal once the request is answered.
   *
   * @internal
   */
  settled(): void {
    this.#haste?.settled();
  }

  #answer(value: unknown, failed: boolean): void {
    const { envelope } = this;
    if (envelope.answered) return;
    if (envelope.replyExpected) envelope.recipient?.answer(envelope, value, failed);
    this.settled();
  }
}

/** The signal of a request. Few handlers read it. */
class Haste {
  readonly #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopListening: (() => void) | undefined;

  /** Begins to wait for the deadline, and for the end of the actor. */
  constructor({ recipient, answered, expires }: Envelope) {
    const actor = recipient?.haste;
    const ended = () => this.#end(actor!.reason);
    if (actor?.aborted) ended();
    else if (!answered) {
      actor?.addEventListener("abort", ended);
      this.#stopListening = () => actor?.removeEventListener("abort", ended);
      if (expires !== undefined) this.#await(expires);
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Stops waiting. */
  settled(): void {
    clearTimeout(this.#timer);
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  #end(reason: unknown): void {
    this.settled();
    this.#abort.abort(reason);
  }

  #await(expires: number): void {
    const left = Math.max(0, expires - performance.now());
    this.#timer = setTimeout(() => {
      if (left > MAX_DELAY) return this.#await(expires);
      this.#end(new DOMException("the deadline of the request has passed", "TimeoutError"));
    }, Math.min(left, MAX_DELAY));
  }
}
