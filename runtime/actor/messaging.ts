/**
 * Messages on their way: destinations, envelopes, answers and failures.
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
 * Whom a message is for: a reference, as an object or as the text `actor@server`; or an actor of this server, its name
 * or its serial number.
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
  /** How long the message may wait to be taken, in ms: then it is dropped unread. By default there is no limit. */
  timeout?: number;
  /** Whether an answer is expected; it comes as a message of its own, see `onReply`. */
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
  /** How long to wait for the answer, in ms; `Infinity` for as long as it takes. Default 5000. */
  timeout?: number;
  /** Aborts the waiting. */
  signal?: AbortSignal;
}

/** The default timeout of `ask`, in ms: as long as the original's. */
export const DEFAULT_ASK_TIMEOUT = 5000;

/** What can send messages: a server's actor system. Actors send through it with their own name. */
export interface Messaging {
  /**
   * Sends a message and goes on. Delivery is at most once, and in order for each pair of actors.
   * Gives the envelope's nonce, or undefined when the destination is known to be dead.
   *
   * @throws {ProtocolError} when the message cannot travel to another server, as one with a function.
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
   * @throws {ActorError} when the other side fails, or there is no such actor.
   * @throws {TimeoutError} when no answer comes in time.
   * @throws {DisconnectedError} when its server cannot be reached or is lost before it answers.
   * @throws {ProtocolError} when the message cannot travel to another server.
   */
  ask<Reply = unknown>(
    dest: Destination,
    message: unknown,
    options?: AskOptions,
    source?: ActorRef,
  ): Promise<Reply>;
}

/** What reactions need of the actor that received the envelope. */
export interface Recipient {
  /** Names it. */
  readonly ref: ActorRef;
  /** Which lines that others cause go into the log. */
  readonly lines: LineLimit;
  /** Aborted when the actor is shut down, or made to end. */
  readonly haste: AbortSignal;
  /** Whether the sender of the envelope may do what takes a capability. */
  authorizes(envelope: Envelope, capability: string): boolean;
  /** Sends an answer to where the envelope came from; `failed` marks it as a failure. */
  answer(envelope: Envelope, value: unknown, failed: boolean): void;
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
  /** What was sent. Treat it as read-only: within a server it is the sender's own value, not a copy. */
  readonly message: Message;
  /** The actor it is for, by the name or serial number the sender used. */
  readonly dest: string | number;
  /** The actor it is from. Its server is the one the connection was authenticated for. */
  readonly source: ActorRef;
  /** Tells this envelope from all others of its source server. */
  readonly nonce: number;
  /** For an answer: the nonce of the envelope that it answers. */
  readonly replyTo: number | undefined;
  /** How long it may wait to be taken once it has arrived, in ms: then it is dropped unread. */
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
   * When it is dropped unread, on the clock of `performance.now()`; set when it begins to wait in a mailbox.
   *
   * @internal
   */
  expires: number | undefined = undefined;
  /**
   * What the server keeps of the connection that it came by, see `sessionOf`; undefined when it is from an actor of this
   * server.
   *
   * @internal
   */
  session: object | undefined = undefined;
  /** Whether it was answered. */
  answered = false;

  /**
   * Makes an envelope; nothing is sent. Positional, since one is made for each message.
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
   * Whether its sender may do what takes a capability, such as `shutdown` or `app:billing`. Actors of this server may do
   * everything, and so may all servers of an ensemble without an administrator. Before it is delivered, no sender may.
   */
  authorized(capability: string): boolean {
    return this.recipient?.authorizes(this, capability) ?? false;
  }

  /**
   * Answers with a value, or with what a promise resolves to: the sender's `ask` resolves with it. Does nothing when the
   * sender does not wait for an answer.
   */
  reply(value?: unknown): void {
    if (this.replyExpected) this.recipient?.answer(this, value, false);
  }

  /** Answers with a failure: the sender's `ask` rejects with an `ActorError` that has the message and code of `error`. */
  fail(error: unknown): void {
    if (this.replyExpected) this.recipient?.answer(this, error, true);
  }
}

/** The `type` of a message that is an object with one, as the messages of services and control are. */
export function messageType(message: unknown): string | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const type = (message as { type?: unknown }).type;
  return typeof type === "string" ? type : undefined;
}

/** The way to other servers. What comes by it goes to a {@linkcode Receiver}. */
export interface Route {
  /**
   * Sends an envelope to another server, in order after those sent before. Says whether it can be on its
   * way: false when that server is known to be out of reach.
   *
   * @throws {EnsembleError} when the message is not one that can be sent.
   */
  send(server: string, envelope: Envelope): boolean;

  /** What a server has not answered yet, if it was asked: the connection, the handshake or a request. */
  silence(server: string): Silence | undefined;
}

/** What takes in what comes from other servers. */
export interface Receiver {
  /** Which lines that others cause go into the log. */
  readonly lines: LineLimit;
  /**
   * Whether an envelope from another server has a receiver here: the actor it is for, or the ask that it answers.
   * Otherwise its message is not worth decoding.
   */
  expects(header: Pick<Envelope, "dest" | "replyTo">, source: string): boolean;
  /** Takes an envelope that came from another server. */
  deliver(envelope: Envelope): void;
  /** A server was lost or cannot be reached: what waits for it fails now. */
  disconnected(server: string, error: DisconnectedError): void;
}

/** Decides what those may do here who send from other servers. */
export interface Guard {
  /** Whether the sender of an envelope may do what takes a capability. */
  allows(envelope: Envelope, capability: string): boolean;
  /** Does what takes a capability, and notes it; throws when the sender may not, and what `work` throws. */
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

/** Whether a result is still to come: of any class of promises, as `await` sees it. */
export function isPromise(result: unknown): result is PromiseLike<never> {
  if (typeof result !== "object" && typeof result !== "function" || result === null) return false;
  try {
    return typeof (result as { then?: unknown }).then === "function";
  } catch {
    // `await` fails on such a value, as on a promise that rejects.
    return true;
  }
}

/** A failure as it travels. */
export interface Failure {
  /** The class of the error at the other side. */
  name: string;
  /** Its code; absent for an error of a program, which counts as `FAILED`. */
  code?: ErrorCode;
  /** What failed and why. */
  message: string;
  /** The error with its stack and causes, as text; absent for errors that were thrown on purpose. */
  stack?: string;
}

/** The longest stack that travels, in UTF-16 code units. */
const MAX_STACK_LENGTH = 4_000;

/** Converts any thrown value to a failure that can travel. Never throws, though a getter or a proxy may. */
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
    // It does not let itself be looked at.
  }
  return { name: "Error", message: describeThrown(thrown) };
}

/** Reads the failure that a peer sent, which may be any value. */
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

/** An error with the name, message and stack that it has at the other side. */
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

/** A peer's text for an error, shortened and without control characters: errors are printed on terminals. */
function received(text: string, limit: number): string {
  return visibleText(shorten(text, limit));
}
