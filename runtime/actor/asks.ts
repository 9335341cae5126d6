/**
 * Pending asks.
 *
 * @module
 */
import { ActorError, DisconnectedError, type Silence, TimeoutError } from "../errors.ts";
import { shorten } from "../safe_text.ts";
import { Deadline, Deadlines } from "./time.ts";
import { type Envelope, toError } from "./messaging.ts";
import type { ActorRef } from "./references.ts";

/** A request, as the errors of its ask describe it. */
interface AskedFor {
  readonly dest: ActorRef;
  /** The type of the request, if it has one. */
  readonly type: string | undefined;
}

/** A pending ask: its promise, and the answer that it waits for. */
class PendingAsk extends Deadline {
  readonly nonce: number;
  readonly dest: ActorRef;
  readonly type: string | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;

  constructor(
    nonce: number,
    { dest, type }: AskedFor,
    { resolve, reject }: PromiseWithResolvers<unknown>,
  ) {
    super();
    this.nonce = nonce;
    this.dest = dest;
    this.type = type;
    this.resolve = resolve;
    this.reject = reject;
  }
}

/** Explains the missing answer, unless it is the actor itself that does not answer. */
function whyOf(silence: Silence | undefined, { server: asked }: ActorRef): string {
  if (!silence) return "";
  const { server, stage, address } = silence;
  const who = server === asked ? "it" : `the ${server}, which knows where ${asked} is,`;
  switch (stage) {
    case "connect":
      return `: ${who} does not take the connection at ${address}`;
    case "handshake":
      return `: ${who} accepts connections at ${address} but does not answer the handshake`;
    case "request":
      return server === asked ? "" : `: ${who} is connected, and does not answer`;
  }
}

/** The pending asks of a server. */
export class PendingAsks {
  readonly #byNonce = new Map<number, PendingAsk>();
  readonly #deadlines = new Deadlines<PendingAsk>((ask) => this.#expire(ask));
  readonly #silence: (server: string) => Silence | undefined;

  /** Makes an empty set. `silence` returns the step that a server has not answered. */
  constructor(silence: (server: string) => Silence | undefined = () => undefined) {
    this.#silence = silence;
  }

  /**
   * Waits for the answer to a request. Errors name its `type`. `timeout` is in ms; `Infinity` means
   * no limit.
   */
  wait(nonce: number, request: AskedFor & { readonly timeout: number }): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    const ask = new PendingAsk(nonce, request, answer);
    this.#byNonce.set(nonce, ask);
    if (request.timeout !== Infinity) this.#deadlines.add(ask, request.timeout);
    return answer.promise;
  }

  /** Whether an ask waits for an answer to a nonce from that server. */
  awaits(nonce: number, server: string): boolean {
    return this.#byNonce.get(nonce)?.dest.server === server;
  }

  /** Settles the ask of an answer. An answer from a server that was not asked is ignored. */
  settle(envelope: Envelope): void {
    const ask = this.#byNonce.get(envelope.replyTo!);
    if (!ask || ask.dest.server !== envelope.source.server) return;
    this.#end(ask);
    if (envelope.failed) ask.reject(toError(envelope.message));
    else ask.resolve(envelope.message);
  }

  /** Rejects one ask, if it is pending. */
  reject(nonce: number, error: unknown): void {
    const ask = this.#byNonce.get(nonce);
    if (!ask) return;
    this.#end(ask);
    ask.reject(error);
  }

  /** Rejects all pending asks of a server, or of all servers. */
  rejectAll(error: Error, server?: string): void {
    for (const ask of [...this.#byNonce.values()]) {
      if (server === undefined || ask.dest.server === server) this.reject(ask.nonce, error);
    }
  }

  #expire(ask: PendingAsk): void {
    this.#byNonce.delete(ask.nonce);
    const request = ask.type === undefined ? "" : ` to ${shorten(ask.type)}`;
    const silence = this.#silence(ask.dest.server);
    const error = new TimeoutError(
      `no answer from ${ask.dest}${request} within ${ask.duration} ms${whyOf(silence, ask.dest)}`,
    );
    error.silence = silence;
    ask.reject(error);
  }

  #end(ask: PendingAsk): void {
    this.#byNonce.delete(ask.nonce);
    this.#deadlines.remove(ask);
  }
}

/** The errors of asks that failed or timed out. */
const OUTCOMES = [ActorError, TimeoutError, DisconnectedError];

/**
 * The failure of an ask, with the stack of the code that awaits it. The stack of the timer, or of
 * the code that receives answers, would not help, and capturing one for each ask that succeeds
 * would take time.
 */
export function atCallSite(thrown: unknown, ask: (...args: never[]) => unknown): unknown {
  // All asks of a lost server get the same error.
  const error = thrown instanceof DisconnectedError ? copyOf(thrown) : thrown;
  if (OUTCOMES.some((kind) => error instanceof kind)) Error.captureStackTrace(error as Error, ask);
  return error;
}

function copyOf(error: DisconnectedError): DisconnectedError {
  const { code, message } = error;
  const copy = new DisconnectedError(
    message,
    "cause" in error ? { code, cause: error.cause } : { code },
  );
  copy.silence = error.silence;
  return copy;
}
