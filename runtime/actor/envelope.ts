/**
 * Envelopes: a message and what is known of its way.
 *
 * @module
 */
import type { LineLimit } from "../line_limit.ts";
import type { ActorId, ActorRef, ServerId } from "./references.ts";

/** The connection that an envelope came by: who its source is, and what that may do. */
export interface EnvelopeSession {
  /** The server at the other end. */
  readonly peer: ServerId;
}

/** What reactions need of the actor that received the envelope. */
export interface Recipient {
  /** Names it. */
  readonly ref: ActorRef;
  /** Which lines that others cause go into the log. */
  readonly lines: LineLimit;
  /** Whether the sender of the envelope may do what takes a capability. */
  authorizes(envelope: Envelope, capability: string): boolean;
  /** Sends an answer to where the envelope came from; `failed` marks it as a failure. */
  answer(envelope: Envelope, value: unknown, failed: boolean): void;
}

/** A message on its way, or in a mailbox. */
export class Envelope<Message = unknown> {
  /** What was sent. Treat it as read-only: within a server it is the sender's own value, not a copy. */
  readonly message: Message;
  /** The actor it is for, by the name or serial number the sender used. */
  readonly dest: ActorId;
  /** The actor it is from. Its server is the one the connection was authenticated for. */
  readonly source: ActorRef;
  /** Tells this envelope from all others of its source server. */
  readonly nonce: number;
  /** For an answer: the nonce of the envelope that it answers. */
  readonly replyTo: number | undefined;
  /** How long it is worth reading once it has arrived, in ms: then it is dropped unread. */
  readonly timeToLive: number | undefined;
  /** Whether the sender waits for an answer. */
  readonly replyExpected: boolean;
  /** For an answer: whether the message is the reason of a failure. */
  readonly failed: boolean;
  /** The actor that took it out of its mailbox; set on delivery. */
  recipient: Recipient | undefined = undefined;
  /** The connection that it came by; undefined when it is from an actor of this server. */
  session: EnvelopeSession | undefined = undefined;
  /** Whether it was answered. */
  answered = false;

  /** Makes an envelope; nothing is sent. */
  constructor(
    message: Message,
    dest: ActorId,
    source: ActorRef,
    nonce: number,
    replyTo: number | undefined,
    timeToLive: number | undefined,
    replyExpected: boolean,
    failed: boolean,
  ) {
    this.message = message;
    this.dest = dest;
    this.source = source;
    this.nonce = nonce;
    this.replyTo = replyTo;
    this.timeToLive = timeToLive;
    this.replyExpected = replyExpected;
    this.failed = failed;
  }
}

/** The `type` of a message that is an object with one, as the messages of services and control are. */
export function messageType(message: unknown): string | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const type = (message as { type?: unknown }).type;
  return typeof type === "string" ? type : undefined;
}

/** Answers an envelope with a value, or what a promise resolves with: the asker's promise resolves with it. */
export function reply(envelope: Envelope, value?: unknown): void {
  envelope.recipient?.answer(envelope, value, false);
}

/** Answers an envelope with a failure: the asker's promise rejects with `ActorError` and this reason. */
export function replyFailure(envelope: Envelope, reason: unknown): void {
  envelope.recipient?.answer(envelope, reason, true);
}

/** Answers only when the sender waits for it; says whether it did. */
export function replyIfExpected(envelope: Envelope, value?: unknown): boolean {
  if (envelope.replyExpected) reply(envelope, value);
  return envelope.replyExpected;
}

/**
 * Whether the sender of an envelope may do what takes a capability, such as `shutdown`. Actors of this server
 * may do everything; so may everybody in an ensemble without an administrator.
 */
export function authorized(envelope: Envelope, capability: string): boolean {
  return envelope.recipient?.authorizes(envelope, capability) ?? false;
}
