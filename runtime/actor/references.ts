/**
 * References: server ids, and the names by which actors are reached from anywhere.
 *
 * @module
 */
import { describeValue } from "../inspection.ts";
import { InvalidInputError } from "../errors.ts";

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

/**
 * The name of one server, unique in its ensemble. Opaque: make one with {@linkcode parseServerId} and
 * write it with {@linkcode formatServerId}, for its form may grow a domain part.
 */
export type ServerId = string & { readonly __brand: "ServerId" };

const SERVER_ID = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/**
 * Reads a server id: 1 to 64 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`.
 *
 * @throws {InvalidInputError} when the text is no server id.
 */
export function parseServerId(text: string): ServerId {
  if (!isServerId(text)) {
    throw new InvalidInputError(
      `not a server id: ${describeValue(text)}: a server id is 1 to 64 letters, digits, "_", "." ` +
        `and "-", and starts with a letter, a digit or "_"`,
    );
  }
  return text;
}

/** Whether a value is a server id. */
export function isServerId(value: unknown): value is ServerId {
  return typeof value === "string" && SERVER_ID.test(value);
}

/** Writes a server id as people and files see it. */
export function formatServerId(id: ServerId): string {
  return id;
}

/** The server that every ensemble finds its servers through. */
export const REGISTRY_ID: ServerId = parseServerId("registry");
