/**
 * Pending asks.
 *
 * @module
 */
import { ActorError, DisconnectedError, type Silence, TimeoutError } from "../errors.ts";
import { shorten } from "../safe_text.ts";
import { Deadline, Deadlines } from "./time.ts";
import { type Answer, toError } from "./messaging.ts";
import { groupOf } from "./memberships.ts";
import type { OpenSpan } from "./message_spans.ts";
import { NumberTable } from "./number_table.ts";
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
  /** Called once, when it is no longer pending. */
  onEnd: (() => void) | undefined = undefined;
  /** Only declared, since a field makes each ask cost more. */
  declare span?: OpenSpan;

  constructor(nonce: number, { dest, type }: AskedFor, resolve: (value: unknown) => void) {
    super();
    this.nonce = nonce;
    this.dest = dest;
    this.type = type;
    this.resolve = resolve;
  }

  /** Rejects its promise. Errors of the other side get the stack of the code that awaits it. */
  fail(error: unknown): void {
    this.resolve(
      OUTCOMES.some((kind) => error instanceof kind)
        ? failAtCallSite(error as Error)
        : Promise.reject(error),
    );
  }
}

/** The `resolve` of the promise that was created last. */
let resolveLast: (value: unknown) => void;

/** The executor of all asks' promises, so that no closure is allocated for each. */
function keepResolve(resolve: (value: unknown) => void): void {
  resolveLast = resolve;
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
  /** By nonce. Those of asks are even. */
  readonly #pending = new NumberTable<PendingAsk>(2);
  readonly #deadlines = new Deadlines<PendingAsk>((ask) => this.#expire(ask));
  readonly #silence: (server: string) => Silence | undefined;

  /** Makes an empty set. `silence` returns the step that a server has not answered. */
  constructor(silence: (server: string) => Silence | undefined = () => undefined) {
    this.#silence = silence;
  }

  /** The number of asks that wait. */
  get size(): number {
    return this.#pending.size;
  }

  /**
   * Waits for the answer to a request. Errors name its `type`. `timeout` is in ms from `now`, a time by
   * `performance.now()`; `Infinity` means no limit. `signal` cancels the wait. `span` ends with it.
   */
  wait(
    nonce: number,
    request: AskedFor & {
      readonly timeout: number;
      readonly now?: number;
      readonly signal?: AbortSignal | undefined;
      readonly span?: OpenSpan | undefined;
    },
  ): Promise<unknown> {
    const answer = new Promise<unknown>(keepResolve);
    const ask = new PendingAsk(nonce, request, resolveLast);
    this.#pending.add(nonce, ask);
    const { timeout, now, signal, span } = request;
    if (span !== undefined) ask.span = span;
    if (timeout !== Infinity) this.#deadlines.add(ask, timeout, now);
    if (signal) this.#endWith(signal, ask);
    return answer;
  }

  /**
   * Settles the ask of an answer that comes from a server. One that is late, or from a server that
   * was not asked, is ignored, and its message is not read.
   */
  settle(answer: Answer, server: string): void {
    const ask = this.#pending.get(answer.replyTo!);
    if (!ask || ask.dest.server !== server) return;
    const { message } = answer;
    if (answer.failed) {
      const error = toError(message);
      if (groupOf(answer.source.actor) !== undefined) error.hadNoReceiver = true;
      this.#fail(ask, error);
    } else {
      this.#end(ask);
      ask.span?.end();
      ask.resolve(message);
    }
  }

  /** Rejects one ask, if it is pending. */
  reject(nonce: number, error: unknown): void {
    const ask = this.#pending.get(nonce);
    if (ask) this.#fail(ask, error);
  }

  /** Rejects all pending asks of a server, or of all servers. */
  rejectAll(error: Error, server?: string): void {
    for (const ask of this.#pending.values()) {
      if (server !== undefined && ask.dest.server !== server) continue;
      // Each gets its own stack.
      this.#fail(ask, error instanceof DisconnectedError ? copyOf(error) : error);
    }
  }

  /** Rejects an ask when its signal is aborted. */
  #endWith(signal: AbortSignal, ask: PendingAsk): void {
    const abort = () => {
      this.#end(ask);
      ask.span?.end(signal.reason);
      ask.resolve(Promise.reject(signal.reason));
    };
    signal.addEventListener("abort", abort, { once: true });
    ask.onEnd = () => signal.removeEventListener("abort", abort);
  }

  #expire(ask: PendingAsk): void {
    const request = ask.type === undefined ? "" : ` to ${shorten(ask.type)}`;
    const silence = this.#silence(ask.dest.server);
    const error = new TimeoutError(
      `no answer from ${ask.dest}${request} within ${ask.duration} ms${whyOf(silence, ask.dest)}`,
    );
    error.silence = silence;
    this.#fail(ask, error);
  }

  #fail(ask: PendingAsk, error: unknown): void {
    this.#end(ask);
    ask.span?.end(error);
    ask.fail(error);
  }

  #end(ask: PendingAsk): void {
    this.#pending.delete(ask.nonce);
    this.#deadlines.remove(ask);
    ask.onEnd?.();
  }
}

/** The errors of asks that failed or timed out. */
const OUTCOMES = [ActorError, TimeoutError, DisconnectedError];

/**
 * Rejects with the failure of an ask, with the stack of the code that awaits it. The stack of the timer, or of
 * the code that receives answers, would not help, and capturing one for each ask that succeeds
 * would take time.
 */
async function failAtCallSite(error: Error): Promise<never> {
  // V8 finds the awaiting code through the ask's promise, which follows this one after a microtask.
  await undefined;
  await undefined;
  Error.captureStackTrace(error, failAtCallSite);
  throw error;
}

function copyOf(error: DisconnectedError): DisconnectedError {
  const { code, message } = error;
  const copy = new DisconnectedError(
    message,
    "cause" in error ? { code, cause: error.cause } : { code },
  );
  copy.silence = error.silence;
  copy.wasConnected = error.wasConnected;
  return copy;
}
