/**
 * The errors of the ensemble: one small hierarchy below {@linkcode EnsembleError}.
 *
 * A message says what failed, on what, and why; where the person can do something about it, what.
 *
 * @module
 */

/**
 * The code of an error: stable, and the same on every server that the error travels to. Compare
 * with it in place of the message. `docs/errors.md` says what to do about each.
 *
 * @example Try again only when it can help
 * ```ts
 * import { EnsembleError, type ErrorCode } from "@gxensemble/ensemble";
 *
 * const TRANSIENT: readonly ErrorCode[] = ["DISCONNECTED", "MAILBOX_FULL", "TIMEOUT"];
 * function mayTryAgain(error: unknown): boolean {
 *   return error instanceof EnsembleError && TRANSIENT.includes(error.code);
 * }
 * ```
 */
export type ErrorCode =
  /** The actor ended before it answered. */
  | "ACTOR_ENDED"
  /** An actor of that name is running in the server. */
  | "ACTOR_EXISTS"
  /** Something else listens at the address. */
  | "ADDRESS_IN_USE"
  /** The server cannot be reached, or the connection was lost before it answered. */
  | "DISCONNECTED"
  /** What was asked for failed, for a reason without a code of its own. */
  | "FAILED"
  /** Another server runs under the id. */
  | "ID_TAKEN"
  /** An argument, an option, a file or a request does not have the form asked for. */
  | "INVALID_INPUT"
  /** The sender has more of something open than a server allows. */
  | "LIMIT_REACHED"
  /** The actor's mailbox has reached its limit. */
  | "MAILBOX_FULL"
  /** The peer is not who it should be, or has another cookie. */
  | "NOT_AUTHENTICATED"
  /** The sender lacks a capability. */
  | "NOT_AUTHORIZED"
  /** There is no cookie, which every server of an ensemble needs. */
  | "NO_COOKIE"
  /** The server takes no code. */
  | "NO_LOADER"
  /** No registry is known, or it cannot be reached. */
  | "NO_REGISTRY"
  /** The actor is a part of its server, and ends with it. */
  | "PART_OF_SERVER"
  /** Bytes from a peer are malformed, or a value cannot be sent. */
  | "PROTOCOL_ERROR"
  /** The server is stopping. */
  | "SERVER_STOPPING"
  /** No answer came in time. */
  | "TIMEOUT"
  /** The actor takes no message of that type. */
  | "UNEXPECTED_MESSAGE"
  /** The server has no actor of that name or serial number. */
  | "UNKNOWN_ACTOR"
  /** The registry knows no server of that id. */
  | "UNKNOWN_SERVER";

/** All codes, sorted. */
export const ERROR_CODES: readonly ErrorCode[] = Object.keys(
  {
    ACTOR_ENDED: true,
    ACTOR_EXISTS: true,
    ADDRESS_IN_USE: true,
    DISCONNECTED: true,
    FAILED: true,
    ID_TAKEN: true,
    INVALID_INPUT: true,
    LIMIT_REACHED: true,
    MAILBOX_FULL: true,
    NOT_AUTHENTICATED: true,
    NOT_AUTHORIZED: true,
    NO_COOKIE: true,
    NO_LOADER: true,
    NO_REGISTRY: true,
    PART_OF_SERVER: true,
    PROTOCOL_ERROR: true,
    SERVER_STOPPING: true,
    TIMEOUT: true,
    UNEXPECTED_MESSAGE: true,
    UNKNOWN_ACTOR: true,
    UNKNOWN_SERVER: true,
  } satisfies Record<ErrorCode, true>,
) as ErrorCode[];

const CODES: ReadonlySet<unknown> = new Set(ERROR_CODES);

/** Whether a value is a code that this version knows. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return CODES.has(value);
}

/** Options of an {@linkcode EnsembleError}. */
export interface EnsembleErrorOptions extends ErrorOptions {
  /** Its code; by default the one of its class, which is `FAILED` for most. */
  code?: ErrorCode | undefined;
}

/**
 * The base of every error that the ensemble throws on purpose. Decide by its `code`; the message is
 * for people.
 *
 * @example Go on when an actor is not there
 * ```ts
 * import { EnsembleError, startServer } from "@gxensemble/ensemble";
 *
 * await using server = await startServer();
 * try {
 *   await server.ask("counter@httpd1", { type: "add", amount: 1 });
 * } catch (error) {
 *   if (!(error instanceof EnsembleError) || error.code !== "UNKNOWN_ACTOR") throw error;
 * }
 * ```
 */
export class EnsembleError extends Error {
  /**
   * The code of the class.
   *
   * @internal
   */
  protected static readonly code: ErrorCode = "FAILED";

  /** Tells programs what failed. */
  readonly code: ErrorCode;

  /** Makes an error named after its class. */
  constructor(message: string, options: EnsembleErrorOptions = {}) {
    super(message, options);
    this.name = new.target.name;
    this.code = options.code ?? new.target.code;
  }
}

/**
 * The input is not of the form asked for: a server id, an address, an option, a file. Its code is
 * `INVALID_INPUT`.
 *
 * @example Refuse a request
 * ```ts
 * import { InvalidInputError, startServer } from "@gxensemble/ensemble";
 *
 * await using server = await startServer("billing1");
 * server.serve("billing", {
 *   pay({ amount }: { amount: number }) {
 *     if (!(amount > 0)) throw new InvalidInputError(`not an amount: ${amount}`);
 *   },
 * });
 * ```
 */
export class InvalidInputError extends EnsembleError {
  /** @internal */
  protected static override readonly code = "INVALID_INPUT";
}

/**
 * The other side answered, and its answer is a failure, with the message and the code of the error
 * there: `FAILED` where that has none. The stack is that of the asker; the cause, where the other
 * side gave it, is an error with the name, message and stack that it has there.
 *
 * @example What the other side says
 * ```ts
 * import { ActorError, startServer } from "@gxensemble/ensemble";
 *
 * await using client = await startServer();
 * try {
 *   await client.ask("jobs@web1", { type: "add", text: "" });
 * } catch (error) {
 *   if (!(error instanceof ActorError)) throw error;
 *   console.error(`refused: ${error.message} (${error.code})`);
 * }
 * ```
 */
export class ActorError extends EnsembleError {
  /**
   * The name of the error at the other side, such as `TypeError`. It is for people: decide by the
   * code.
   */
  remoteName = "Error";
}

/** A server that accepts connections, or is connected, and says nothing. */
export interface Silence {
  /** Its id: that of the registry, where it does not say where the server asked is. */
  readonly server: string;
  /**
   * What it has not answered: an attempt to connect, the handshake, or a request on a connection
   * that stands.
   */
  readonly stage: "connect" | "handshake" | "request";
  /** Where it is reached, as a URL. */
  readonly address: string;
}

/**
 * No answer came within the time allowed. The message names the request. Its code is `TIMEOUT`.
 *
 * @example Wait for one second
 * ```ts
 * import { startServer, TimeoutError } from "@gxensemble/ensemble";
 *
 * await using client = await startServer();
 * const answer = client.ask<number>("counter@counter1", { type: "get" }, { timeout: 1_000 });
 * const count = await answer.catch((error) => {
 *   if (error instanceof TimeoutError) return undefined;
 *   throw error;
 * });
 * ```
 */
export class TimeoutError extends EnsembleError {
  /** @internal */
  protected static override readonly code: ErrorCode = "TIMEOUT";
  /**
   * Which server was silent, and to what; absent for an actor of this server.
   *
   * @internal
   */
  silence?: Silence | undefined;
}

/**
 * The server asked cannot be reached, or the connection to it was lost before it answered. Its code
 * is `DISCONNECTED`, or says why: `NO_REGISTRY`, `SERVER_STOPPING` or `UNKNOWN_SERVER`.
 *
 * @example Go on without a server that cannot be reached
 * ```ts
 * import { DisconnectedError, startServer } from "@gxensemble/ensemble";
 *
 * await using client = await startServer();
 * try {
 *   await client.ping("server@web1");
 * } catch (error) {
 *   if (!(error instanceof DisconnectedError)) throw error;
 *   console.warn(error.message, error.code === "UNKNOWN_SERVER" ? "Start it." : "");
 * }
 * ```
 */
export class DisconnectedError extends EnsembleError {
  /** @internal */
  protected static override readonly code: ErrorCode = "DISCONNECTED";
  /**
   * Which server was silent, and to what; absent where the connection was refused, or closed by the
   * other side.
   *
   * @internal
   */
  silence?: Silence | undefined;
}

/** The registry knows no server of that id. */
export class UnknownServerError extends EnsembleError {
  /** The id asked for. */
  readonly server: string;
  /** @internal */
  protected static override readonly code = "UNKNOWN_SERVER";

  /** An error about a server id. */
  constructor(server: string) {
    super(`no server ${server} is registered`);
    this.server = server;
  }
}

/** The peer is not who it should be, or does not share this ensemble's cookie. */
export class AuthenticationError extends EnsembleError {
  /** @internal */
  protected static override readonly code = "NOT_AUTHENTICATED";
}

/**
 * The sender may not do that here: it takes a capability that it does not have. Its code is
 * `NOT_AUTHORIZED`.
 *
 * @example Refuse a request that takes a capability
 * ```ts
 * import { NotAuthorizedError, startServer } from "@gxensemble/ensemble";
 *
 * await using server = await startServer("billing1");
 * server.serve("billing", {
 *   close(_request: object, context) {
 *     if (!context.authorized("app:billing")) {
 *       throw new NotAuthorizedError(`${context.sender} needs the capability app:billing`);
 *     }
 *   },
 * });
 * ```
 */
export class NotAuthorizedError extends EnsembleError {
  /** @internal */
  protected static override readonly code = "NOT_AUTHORIZED";
}

/** Bytes from the wire, or a value on its way there, break the protocol. */
export class ProtocolError extends EnsembleError {
  /** @internal */
  protected static override readonly code = "PROTOCOL_ERROR";
}
