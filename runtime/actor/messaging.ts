/**
 * Messages: destinations, envelopes, answers and failures.
 *
 * @module
 */
import { describeThrown, isRefusal, MAX_THROWN_LENGTH, reportThrown } from "../error_report.ts";
import {
  ActorError,
  type DisconnectedError,
  EnsembleError,
  type EnsembleErrorOptions,
  type ErrorCode,
  isErrorCode,
  type Silence,
} from "../errors.ts";
import { inspectBounded } from "../inspection.ts";
import type { LineLimit } from "../line_limit.ts";
import { QUOTED_LENGTH, shorten, visibleText } from "../safe_text.ts";
import type { ActorId, ActorRef } from "./references.ts";

/**
 * The receiver of a message: a reference, as an object or as the text `actor@server`, or an actor
 * of this server, its name or its serial number.
 *
 * @example Four ways to name an actor
 * ```ts
 * import { ActorRef, type Destination, startServer } from "@gxensemble/ensemble";
 *
 * await using server = await startServer("web1");
 * const echo = server.serve("echo", { say: ({ text }: { text: string }) => text });
 * const destinations: Destination[] = ["echo", "echo@web1", new ActorRef("web1", "echo"), echo];
 * for (const each of destinations) await server.ask(each, { type: "say", text: "hello" });
 * ```
 */
// deno-lint-ignore no-explicit-any -- not declared: goes for any service
export type Destination<Service = any> =
  | ActorRef<Service>
  | string
  | number
  | { readonly ref: ActorRef<Service> };

/**
 * Options of `tell`.
 *
 * @example A message that is worth nothing after a second
 * ```ts
 * import { currentServer } from "@gxensemble/ensemble";
 *
 * currentServer().tell("screen@web1", { type: "show", text: "hello" }, { timeout: 1_000 });
 * ```
 */
export interface TellOptions {
  /** The nonce of the envelope that this one answers. */
  replyTo?: number;
  /**
   * How long the message may wait to be taken, in ms. Then it is dropped unread. Default: no limit.
   */
  timeout?: number;
  /** Whether an answer is expected. It arrives as a separate message, see `onReply`. */
  replyExpected?: boolean;
}

/**
 * Options of `ask`.
 *
 * @example Give up after two seconds, or when the server stops
 * ```ts
 * import { currentServer } from "@gxensemble/ensemble";
 *
 * const server = currentServer();
 * await server.ask("jobs@web1", { type: "next" }, { timeout: 2_000, signal: server.signal });
 * ```
 */
export interface AskOptions {
  /** How long to wait for the answer, in ms; `Infinity` for no limit. Default: 5000. */
  timeout?: number;
  /** Cancels the wait. */
  signal?: AbortSignal;
}

/** The default timeout of `ask`, in ms, as in Gerbil. */
export const DEFAULT_ASK_TIMEOUT = 5000;

/** The sender of messages: a server's actor system. Actors send through it under their own name. */
export interface Messaging {
  /**
   * Sends a message without waiting. Delivery is at most once, and in order for each pair of
   * actors. Returns the envelope's nonce, or undefined if the destination is known not to exist.
   *
   * @throws {ProtocolError} if the message cannot be sent to another server, such as one with a
   * function.
   */
  tell(
    dest: Destination,
    message: unknown,
    options?: TellOptions,
    source?: ActorRef,
  ): number | undefined;
  /**
   * Sends a message and waits for its answer.
   *
   * @throws {ActorError} if the other side fails, or there is no such actor.
   * @throws {TimeoutError} if no answer arrives in time.
   * @throws {DisconnectedError} if its server cannot be reached, or is lost before it answers.
   * @throws {ProtocolError} if the message cannot be sent to another server.
   */
  ask<Reply = unknown>(
    dest: Destination,
    message: unknown,
    options?: AskOptions,
    source?: ActorRef,
  ): Promise<Reply>;
}

/** The part of the receiving actor that reactions need. */
export interface Recipient {
  /** Its reference. */
  readonly ref: ActorRef;
  /** Limits the log lines that other servers cause. */
  readonly lines: LineLimit;
  /** A value of the actor's own. */
  // deno-lint-ignore no-explicit-any -- each actor knows the type of its state
  state: any;
  /** Aborted when the actor is shut down, or made to end. */
  readonly haste: AbortSignal;
  /** Whether the sender of the envelope has a capability. */
  authorizes(envelope: Envelope, capability: string): boolean;
  /** Sends an answer to the sender of the envelope. `failed` marks it as a failure. */
  answer(envelope: Envelope, value: unknown, failed: boolean): void;
}

/** The place of a message in a trace, as the W3C recommendation "Trace Context" has it. */
export interface TraceContext {
  /** Its `traceparent`. */
  readonly parent: string;
  /** Its `tracestate`; an empty text for none. */
  readonly state: string;
}

/**
 * A message on its way, or in a mailbox.
 *
 * @example Keep a message, and answer it later
 * ```ts
 * import { type Actor, type Envelope, on } from "@gxensemble/ensemble";
 *
 * async function queue(self: Actor) {
 *   const waiting: Envelope[] = [];
 *   await self.loop([
 *     on("next", (_message, envelope) => waiting.push(envelope)),
 *     on("add", ({ job }: { job: string }) => waiting.shift()?.reply(job)),
 *   ]);
 * }
 * ```
 */
export class Envelope<Message = unknown> {
  /**
   * The value sent. Treat it as read-only: within a server it is the sender's own value, not a
   * copy.
   */
  readonly message: Message;
  /** The receiving actor, by the name or serial number that the sender used. */
  readonly dest: string | number;
  /** The sending actor. The connection authenticated its server. */
  readonly source: ActorRef;
  /** Distinguishes this envelope from all others of its source server. */
  readonly nonce: number;
  /** For an answer: the nonce of the envelope that it answers. */
  readonly replyTo: number | undefined;
  /** How long it may wait to be taken after its arrival, in ms. Then it is dropped unread. */
  readonly timeout: number | undefined;
  /** Whether the sender waits for an answer. */
  readonly replyExpected: boolean;
  /** For an answer: whether the message is a failure. */
  readonly failed: boolean;
  /**
   * The actor that took it out of its mailbox; set on delivery.
   *
   * @internal
   */
  recipient: Recipient | undefined = undefined;
  /**
   * The time when it is dropped unread, on the clock of `performance.now()`. Set when an ask is made,
   * when the envelope arrives from another server, and otherwise when it starts to wait in a mailbox.
   *
   * @internal
   */
  expires: number | undefined = undefined;
  /**
   * The server's data about the connection on which it arrived, see `sessionOf`; undefined if it is
   * from an actor of this server.
   *
   * @internal
   */
  session: { readonly ended: boolean } | undefined = undefined;
  /**
   * The type of its message, while it is in a mailbox.
   *
   * @internal
   */
  type: string | undefined = undefined;
  /**
   * Its place in a trace, if it is traced. It is only declared, since a field makes each message
   * cost more.
   *
   * @internal
   */
  declare trace?: TraceContext;
  /** Whether it was answered. */
  answered = false;

  /**
   * Makes an envelope without sending it. The parameters are positional, because one is made for
   * each message.
   *
   * @internal
   */
  constructor(
    message: Message,
    dest: ActorId,
    source: ActorRef,
    nonce: number,
    replyTo: number | undefined,
    timeout: number | undefined,
    replyExpected: boolean,
    failed: boolean,
  ) {
    this.message = message;
    this.dest = dest;
    this.source = source;
    this.nonce = nonce;
    this.replyTo = replyTo;
    this.timeout = timeout;
    this.replyExpected = replyExpected;
    this.failed = failed;
  }

  /**
   * Whether its sender has a capability, such as `shutdown` or `app:billing`. Actors of this server
   * have all of them, and so do all servers of an ensemble without an administrator. Before
   * delivery, no sender has any.
   */
  authorized(capability: string): boolean {
    return this.recipient?.authorizes(this, capability) ?? false;
  }

  /**
   * Answers with a value, or with the result of a promise: the sender's `ask` resolves with it.
   * Does nothing if the sender does not wait for an answer.
   */
  reply(value?: unknown): void {
    if (this.replyExpected) this.recipient?.answer(this, value, false);
  }

  /**
   * Answers with a failure: the sender's `ask` rejects with an `ActorError` that has the message
   * and code of `error`.
   */
  fail(error: unknown): void {
    if (this.replyExpected) this.recipient?.answer(this, error, true);
  }
}

/**
 * The `type` of a message that is an object with one, like the messages of services and of control.
 */
export function messageType(message: unknown): string | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const type = (message as { type?: unknown }).type;
  return typeof type === "string" ? type : undefined;
}

/** The route to other servers. Envelopes from them go to a {@linkcode Receiver}. */
export interface Route {
  /**
   * Sends an envelope to another server, in order after those sent before. Returns false if that
   * server is known to be unreachable.
   *
   * @throws {EnsembleError} if the message cannot be sent.
   */
  send(server: string, envelope: Envelope): boolean;

  /**
   * The step that a server has not answered, if there is one: the connection, the handshake or a
   * request.
   */
  silence(server: string): Silence | undefined;
}

/** An answer to an ask: an envelope, or a frame whose message is decoded when it is read. */
export interface Answer {
  /** The nonce of the ask. */
  readonly replyTo: number | undefined;
  /** Whether the message is a failure. */
  readonly failed: boolean;
  /** The value, or the failure. */
  readonly message: unknown;
  /** The actor that answered. */
  readonly source: { readonly actor: ActorId };
}

/** Receives envelopes from other servers. */
export interface Receiver {
  /** Limits the log lines that other servers cause. */
  readonly lines: LineLimit;
  /** Settles the ask that an answer from another server is for. A late one is not decoded. */
  settle(answer: Answer, server: string): void;
  /**
   * Whether the destination of an envelope from another server is here. Otherwise its message is
   * not decoded.
   */
  expects(header: Pick<Envelope, "dest">): boolean;
  /** Delivers an envelope from another server. */
  deliver(envelope: Envelope): void;
  /** A server was lost or cannot be reached: everything that waits for it fails. */
  disconnected(server: string, error: DisconnectedError): void;
}

/** Decides what other servers may do here. */
export interface Guard {
  /** Whether the sender of an envelope has a capability. */
  allows(envelope: Envelope, capability: string): boolean;
  /**
   * Runs `work` if the sender has a capability, and records it. Throws if the sender lacks it, or
   * if `work` throws.
   */
  attempt<Result>(
    envelope: Envelope,
    action: {
      readonly capability: string;
      readonly what: string;
      readonly details: Readonly<Record<string, unknown>>;
      readonly work: () => Result;
    },
  ): Result;
}

/** Whether a value is a promise of any class, as `await` decides. */
export function isPromise(result: unknown): result is PromiseLike<never> {
  if (typeof result !== "object" && typeof result !== "function" || result === null) return false;
  try {
    return typeof (result as { then?: unknown }).then === "function";
  } catch {
    // `await` fails on such a value, like on a promise that rejects.
    return true;
  }
}

/** A failure in the form in which it is sent. */
export interface Failure {
  /** The class of the error at the other side. */
  name: string;
  /** Its code; absent for an error of a program, which counts as `FAILED`. */
  code?: ErrorCode;
  /** What failed and why. */
  message: string;
  /**
   * The error with its stack and causes, as text. Absent for errors that were thrown on purpose.
   */
  stack?: string;
}

/** The longest stack that is sent, in UTF-16 code units. */
const MAX_STACK_LENGTH = 4_000;

/**
 * Converts any thrown value to a failure that can be sent. Never throws, even if a getter or a
 * proxy does.
 */
export function toFailure(thrown: unknown): Failure {
  if (typeof thrown === "string") {
    return { name: "Error", message: shorten(thrown, MAX_THROWN_LENGTH) };
  }
  try {
    if (thrown instanceof Error) {
      const message = shorten(String(thrown.message), MAX_THROWN_LENGTH);
      const failure: Failure = { name: shorten(String(thrown.name)), message };
      if (thrown instanceof EnsembleError && isErrorCode(thrown.code)) failure.code = thrown.code;
      if (!isRefusal(thrown)) failure.stack = reportThrown(thrown, MAX_STACK_LENGTH);
      return failure;
    }
  } catch {
    // It cannot be inspected.
  }
  return { name: "Error", message: describeThrown(thrown) };
}

/** Reads a peer's failure, which may be any value. */
export function toError(failure: unknown): ActorError {
  const { name, message, stack, code } = (failure ?? {}) as Partial<Failure>;
  const text = typeof message === "string"
    ? received(message, MAX_THROWN_LENGTH)
    : inspectBounded(failure, { oneLine: true });
  const options: EnsembleErrorOptions = { code: isErrorCode(code) ? code : "FAILED" };
  if (typeof stack === "string") options.cause = remoteError(name, text, stack);
  const error = new ActorError(text, options);
  if (typeof name === "string") error.remoteName = received(name, QUOTED_LENGTH);
  return error;
}

/** An error with the name, message and stack it had on the other side. */
function remoteError(name: unknown, message: string, stack: string): Error {
  const error = new Error(message);
  const own = { configurable: true, writable: true };
  if (typeof name === "string") {
    Object.defineProperty(error, "name", { ...own, value: received(name, QUOTED_LENGTH) });
  }
  return Object.defineProperty(error, "stack", {
    ...own,
    value: received(stack, MAX_STACK_LENGTH),
  });
}

/**
 * A peer's text for an error, shortened and with control characters escaped, because errors are
 * printed on terminals.
 */
function received(text: string, limit: number): string {
  return visibleText(shorten(text, limit));
}

/** The envelope that a member of a group gets: as it was sent, and to that member. */
export function copyForMember(actor: { readonly ref: ActorRef }, envelope: Envelope): Envelope {
  const { message, source, nonce, timeout, replyExpected } = envelope;
  const copy = new Envelope(
    message,
    actor.ref.actor,
    source,
    nonce,
    undefined,
    timeout,
    replyExpected,
    false,
  );
  copy.expires = envelope.expires;
  copy.session = envelope.session;
  if (envelope.trace !== undefined) copy.trace = envelope.trace;
  return copy;
}

/** Asks have even nonces: an answer to one goes to its promise, or is dropped if it is late. */
export function answersAsk(replyTo: number | undefined): replyTo is number {
  return replyTo !== undefined && (replyTo & 1) === 0;
}

/** The envelope of an answer, with a nonce of its own. */
export function answerTo(
  { source: dest, nonce, trace }: Envelope,
  source: ActorRef,
  own: number,
  value: unknown,
  failed: boolean,
): Envelope {
  const answer = new Envelope(value, dest.actor, source, own, nonce, undefined, false, failed);
  // That to an ask has no reaction of its own.
  if (trace !== undefined && !answersAsk(nonce)) answer.trace = trace;
  return answer;
}
