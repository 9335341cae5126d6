/**
 * What it takes to send: destinations, options, and the two ways.
 *
 * @module
 */
import type { ActorId, ActorRef } from "./references.ts";

/** Whom a message is for: a reference, an actor of this server, or its name or serial number here. */
export type Destination = ActorRef | ActorId | { readonly ref: ActorRef };

/** Options of `tell`. */
export interface TellOptions {
  /** The nonce of the envelope that this one answers. */
  replyTo?: number;
  /** After how many ms the message is worthless: it is then dropped unread. By default it never is. */
  expiry?: number;
  /** Whether an answer is expected; it comes as a message of its own, see `onReply`. */
  replyExpected?: boolean;
}

/** Options of `ask`. */
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
