/**
 * References: server ids, and actor names that are valid on every server.
 *
 * @module
 */
import { describeValue } from "../inspection.ts";
import { InvalidInputError } from "../errors.ts";

/** The longest name of an actor, in UTF-16 code units. */
export const MAX_ACTOR_NAME = 128;

/** The id of an actor within its server: its registered name, or its serial number. */
export type ActorId = string | number;

const SERVER_ID = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const ACTOR_NAME = /^[^\s\d@][^\s@]{0,127}$/;
const SERIAL_NUMBER = /^\d+$/;

/**
 * Names one actor, on any server of the ensemble. It is a plain value that can be sent in a
 * message, and does not tell whether the actor is alive.
 *
 * `Service` is the interface of the service at this reference, for `server.client(ref)`. Only the
 * type checker uses it.
 *
 * @example Name an actor
 * ```ts
 * import { ActorRef } from "@gxensemble/ensemble";
 *
 * const counter = new ActorRef("httpd1", "counter");
 * console.log(`${counter}`); // counter@httpd1
 * console.log(ActorRef.parse("counter@httpd1").equals(counter)); // true
 * ```
 */
// deno-lint-ignore no-explicit-any -- not declared: goes for any service
export class ActorRef<out Service = any> {
  /** Whether the next reference is made without checks. */
  static #isUnchecked = false;

  /** The actor's server. */
  readonly server: string;
  /** Its name or serial number there. */
  readonly actor: string | number;
  /** Holds the type of the service. The property does not exist. */
  declare readonly [SERVICE]?: Service;

  /**
   * Makes a reference, without checking that the actor exists.
   *
   * @throws {InvalidInputError} if the server id or the actor's name or serial number is not valid.
   */
  constructor(server: string, actor: string | number) {
    if (!ActorRef.#isUnchecked) {
      checkServerId(server);
      checkActorId(actor);
    }
    this.server = server;
    this.actor = actor;
  }

  /**
   * Makes a reference without checks, as for each message that arrives, when its parts were checked
   * before or the reference is only displayed.
   *
   * @internal
   */
  static unchecked(server: string, actor: ActorId): ActorRef {
    ActorRef.#isUnchecked = true;
    const ref = new ActorRef(server, actor);
    ActorRef.#isUnchecked = false;
    return ref;
  }

  /**
   * Reads a reference: `actor@server`, split at the first `@`. Digits alone before it are a serial
   * number.
   *
   * @throws {InvalidInputError} if the text is not a reference.
   */
  // deno-lint-ignore no-explicit-any -- not declared: goes for any service
  static parse<Service = any>(text: string): ActorRef<Service> {
    const at = typeof text === "string" ? text.indexOf("@") : -1;
    if (at === -1) {
      throw new InvalidInputError(
        `not a reference: ${describeValue(text)}: it has the form actor@server`,
      );
    }
    return new ActorRef(text.slice(at + 1), parseActorId(text.slice(0, at)));
  }

  /** Whether both name the same actor by the same name or number. */
  equals(other: ActorRef): boolean {
    return this.server === other.server && this.actor === other.actor;
  }

  /** The text `actor@server`, which {@linkcode ActorRef.parse} reads. */
  toString(): string {
    return `${this.actor}@${this.server}`;
  }

  /** The form in which `Deno.inspect` and the REPL show a reference. */
  [Symbol.for("Deno.customInspect")](): string {
    return `ActorRef(${this})`;
  }
}

/** Holds the type of a reference's service. */
declare const SERVICE: unique symbol;

/**
 * Checks that a text is a server id: 1 to 64 letters, digits, `_`, `.` and `-`, not starting with
 * `.` or `-`.
 *
 * @throws {InvalidInputError} if it is not.
 */
export function checkServerId(text: string): string {
  if (!isServerId(text)) {
    throw new InvalidInputError(
      `not a server id: ${describeValue(text)}: a server id is 1 to 64 letters, digits, "_", "." ` +
        `and "-", and starts with a letter, a digit or "_"`,
    );
  }
  return text;
}

/** Whether a value is a server id. */
export function isServerId(value: unknown): value is string {
  return typeof value === "string" && SERVER_ID.test(value);
}

/**
 * Checks that a text can be an actor's name: 1 to 128 characters without white space and `@`, the
 * first not a digit.
 *
 * @throws {InvalidInputError} if it cannot.
 */
export function checkActorName(text: string): string {
  if (typeof text !== "string" || !ACTOR_NAME.test(text)) {
    throw new InvalidInputError(
      `not an actor name: ${
        describeValue(text)
      }: a name is up to ${MAX_ACTOR_NAME} characters without white ` +
        `space and "@", and does not start with a digit`,
    );
  }
  return text;
}

/** Whether a value can be an actor's name or serial number. */
export function isActorId(value: unknown): value is ActorId {
  return typeof value === "number"
    ? Number.isSafeInteger(value) && value >= 0
    : typeof value === "string" && ACTOR_NAME.test(value);
}

/**
 * Checks that a value can be an actor's name or serial number.
 *
 * @throws {InvalidInputError} if it cannot.
 */
export function checkActorId(id: ActorId): ActorId {
  if (typeof id !== "number") return checkActorName(id);
  if (!isActorId(id)) {
    throw new InvalidInputError(`not an actor's serial number: ${describeValue(id)}`);
  }
  return id;
}

/** Reads an actor's name or serial number. Digits alone are a number. The result is not checked. */
export function parseActorId(text: string): ActorId {
  return SERIAL_NUMBER.test(text) ? Number(text) : text;
}

/** The name of every server's own actor, which answers for the server itself. */
export const SERVER_ACTOR = "server";

/** The server through which servers find each other. */
export const REGISTRY_ID = "registry";
