/**
 * References to actors.
 *
 * @module
 */
import { formatServerId, type ServerId } from "./server_id.ts";

/** The longest name of an actor, in UTF-16 code units. */
export const MAX_ACTOR_NAME = 128;

/** How an actor is called within its server: its registered name, or its serial number. */
export type ActorId = string | number;

/**
 * Names one actor from anywhere in the ensemble. A plain value: it can be sent in a message, and
 * naming an actor says nothing about whether it lives.
 */
export class ActorRef {
  /** The server the actor lives in. */
  readonly server: ServerId;
  /** Its name or serial number there. */
  readonly actor: ActorId;

  /** Makes a reference; no actor is looked for. */
  constructor(server: ServerId, actor: ActorId) {
    this.server = server;
    this.actor = actor;
  }

  /** Whether the two name the same actor in the same words. */
  equals(other: ActorRef): boolean {
    return this.server === other.server && this.actor === other.actor;
  }

  /** `actor@server`, for logs and errors. */
  toString(): string {
    return `${this.actor}@${formatServerId(this.server)}`;
  }

  /** How `Deno.inspect` and the REPL show a reference. */
  [Symbol.for("Deno.customInspect")](): string {
    return `ActorRef(${this})`;
  }
}
