/**
 * Asks that wait for their answers.
 *
 * @module
 */
import { inspectBounded, shorten } from "../bounded_text.ts";
import { ActorError, TimeoutError } from "../errors.ts";
import { describeThrown, MAX_THROWN_LENGTH } from "../thrown.ts";
import { Deadline, Deadlines } from "./deadlines.ts";
import type { Envelope } from "./envelope.ts";
import type { ActorRef } from "./ref.ts";
import type { ServerId } from "./server_id.ts";

/** An ask's promise, and whom it waits for. */
class PendingAsk extends Deadline {
  readonly nonce: number;
  readonly dest: ActorRef;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;

  constructor(
    nonce: number,
    dest: ActorRef,
    resolve: (value: unknown) => void,
    reject: (reason: unknown) => void,
  ) {
    super();
    this.nonce = nonce;
    this.dest = dest;
    this.resolve = resolve;
    this.reject = reject;
  }
}

/** The reason of a failure as it travels. */
export interface Failure {
  /** The class of the error at the other side. */
  name: string;
  /** What failed and why. */
  message: string;
}

/** Converts any thrown value to a failure that can travel. Never throws, though a getter or a proxy may. */
export function toFailure(reason: unknown): Failure {
  if (typeof reason === "string") {
    return { name: "Error", message: shorten(reason, MAX_THROWN_LENGTH) };
  }
  try {
    if (reason instanceof Error) {
      const message = shorten(String(reason.message), MAX_THROWN_LENGTH);
      return { name: shorten(String(reason.name)), message };
    }
  } catch {
    // It does not let itself be looked at.
  }
  return { name: "Error", message: describeThrown(reason) };
}

/** Reads the reason of a failure that a peer sent, which may be any value. */
function toError(failure: unknown): ActorError {
  const { name, message } = (failure ?? {}) as Partial<Failure>;
  const error = new ActorError(
    typeof message === "string"
      ? shorten(message, MAX_THROWN_LENGTH)
      : inspectBounded(failure, { oneLine: true }),
  );
  if (typeof name === "string") error.reason = shorten(name);
  return error;
}

/** All asks of a server that are not answered yet. */
export class PendingAsks {
  readonly #byNonce = new Map<number, PendingAsk>();
  readonly #deadlines = new Deadlines<PendingAsk>((ask) => {
    this.#byNonce.delete(ask.nonce);
    ask.reject(
      new TimeoutError(`no answer from ${ask.dest} within ${ask.duration} ms`),
    );
  });

  /** How many there are. */
  get size(): number {
    return this.#byNonce.size;
  }

  /** Waits for the answer to a nonce; `timeout` in ms, `Infinity` for none. */
  wait(nonce: number, dest: ActorRef, timeout: number): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const ask = new PendingAsk(nonce, dest, resolve, reject);
    this.#byNonce.set(nonce, ask);
    if (timeout !== Infinity) this.#deadlines.add(ask, timeout);
    return promise;
  }

  /** Whether an ask waits for the answer to a nonce, from that server. */
  awaits(nonce: number, server: ServerId): boolean {
    return this.#byNonce.get(nonce)?.dest.server === server;
  }

  /** Settles the ask that an answer is for. An answer from another server than the one asked is ignored. */
  settle(envelope: Envelope): void {
    const ask = this.#byNonce.get(envelope.replyTo!);
    if (!ask || ask.dest.server !== envelope.source.server) return;
    this.#end(ask);
    if (envelope.failed) ask.reject(toError(envelope.message));
    else ask.resolve(envelope.message);
  }

  /** Rejects one ask, if it still waits. */
  reject(nonce: number, reason: unknown): void {
    const ask = this.#byNonce.get(nonce);
    if (!ask) return;
    this.#end(ask);
    ask.reject(reason);
  }

  /** Rejects every ask that waits for a server, or all of them. */
  rejectAll(reason: Error, server?: ServerId): void {
    for (const ask of [...this.#byNonce.values()]) {
      if (server === undefined || ask.dest.server === server) this.reject(ask.nonce, reason);
    }
  }

  #end(ask: PendingAsk): void {
    this.#byNonce.delete(ask.nonce);
    this.#deadlines.remove(ask);
  }
}
