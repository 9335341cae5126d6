/**
 * The errors of the ensemble: one small hierarchy below {@linkcode EnsembleError}.
 *
 * A message says what failed, on what, and why; and what to do, if the user can do something about
 * it.
 *
 * @module
 */

/**
 * The code of an error. It is stable, and the same on every server to which the error is sent.
 * Programs should compare it instead of the message. `docs/errors.md` says what to do about each
 * code.
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
  /** A running actor of the server has that name. */
  | "ACTOR_EXISTS"
  /** Another process listens on the address. */
  | "ADDRESS_IN_USE"
  /** The server cannot be reached, or the connection was lost before it answered. */
  | "DISCONNECTED"
  /** The request failed for a reason without its own code. */
  | "FAILED"
  /** Another server runs under that id. */
  | "ID_TAKEN"
  /** An argument, an option, a file or a request has an invalid form. */
  | "INVALID_INPUT"
  /** A limit of the server, or of the restarts of a supervisor, is reached. */
  | "LIMIT_REACHED"
  /** The actor's mailbox has reached its limit. */
  | "MAILBOX_FULL"
  /** The peer does not have the expected identity, or has another cookie. */
  | "NOT_AUTHENTICATED"
  /** The sender lacks a capability. */
  | "NOT_AUTHORIZED"
  /** There is no cookie, which every server of an ensemble needs. */
  | "NO_COOKIE"
  /** The server accepts no code. */
  | "NO_LOADER"
  /** No server that is up has a member of the group. */
  | "NO_MEMBER"
  /** No registry is known, or it cannot be reached. */
  | "NO_REGISTRY"
  /** The actor is a part of its server, and ends with it. */
  | "PART_OF_SERVER"
  /** Bytes from a peer are malformed, or a value cannot be sent. */
  | "PROTOCOL_ERROR"
  /** The server is stopping. */
  | "SERVER_STOPPING"
  /** No answer arrived in time. */
  | "TIMEOUT"
  /** The actor does not handle messages of that type. */
  | "UNEXPECTED_MESSAGE"
  /** The server has no actor with that name or serial number. */
  | "UNKNOWN_ACTOR"
  /** No server with that id is registered. */
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
    NO_MEMBER: true,
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
  /** Its code. Default: that of its class, which is `FAILED` for most. */
  code?: ErrorCode | undefined;
}

/**
 * The base of every error that the ensemble throws on purpose. Programs should check its `code`,
 * since the message is for people.
 *
 * @example Continue if an actor does not exist
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

  /** Identifies the failure for programs. */
  readonly code: ErrorCode;

  /** Makes an error named after its class. */
  constructor(message: string, options: EnsembleErrorOptions = {}) {
    super(message, options);
    this.name = new.target.name;
    this.code = options.code ?? new.target.code;
  }
}

/**
 * An input has an invalid form: a server id, an address, an option, a file. Its code is
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
 * The other side answered with a failure. The error has its message and code, or the code `FAILED`
 * if it has none. The stack is that of the asker. The cause, if the other side sent it, is an error
 * with the remote name, message and stack.
 *
 * @example Report the failure of the other side
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
   * The name of the error on the other side, such as `TypeError`. It is for people; programs should
   * check the code.
   */
  remoteName = "Error";
  /**
   * Whether no actor got the request, since it was for a member of a group, and there was none.
   *
   * @internal
   */
  declare hadNoReceiver?: boolean;
}

/** A server that accepts connections, or is connected, but does not answer. */
export interface Silence {
  /**
   * Its id. It is the registry's if the registry does not return the address of the server that was
   * asked.
   */
  readonly server: string;
  /**
   * The step that it has not answered: an attempt to connect, the handshake, or a request on an
   * open connection.
   */
  readonly stage: "connect" | "handshake" | "request";
  /** The address at which it is reached, as a URL; or through which supervisor. */
  readonly address: string;
}

/**
 * No answer arrived in time. The message names the request. Its code is `TIMEOUT`.
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
   * The server that did not answer, and the step; absent for an actor of this server.
   *
   * @internal
   */
  silence?: Silence | undefined;
}

/**
 * The server cannot be reached, or the connection to it was lost before it answered. Its code is
 * `DISCONNECTED`, or the reason: `ID_TAKEN`, `NO_REGISTRY`, `SERVER_STOPPING` or `UNKNOWN_SERVER`.
 *
 * @example Continue without a server that cannot be reached
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
   * The server that did not answer, and the step; absent if the connection was refused, or closed
   * by the other side.
   *
   * @internal
   */
  silence?: Silence | undefined;
  /**
   * Whether the two were connected until now, so that another attempt may find the server, or another one in its place.
   *
   * @internal
   */
  wasConnected?: boolean | undefined;
}

/** No server with that id is registered. */
export class UnknownServerError extends EnsembleError {
  /** The requested id. */
  readonly server: string;
  /** @internal */
  protected static override readonly code = "UNKNOWN_SERVER";

  /** An error about a server id. */
  constructor(server: string) {
    super(`no server ${server} is registered`);
    this.server = server;
  }
}

/** The peer does not have the expected identity, or does not have this ensemble's cookie. */
export class AuthenticationError extends EnsembleError {
  /** @internal */
  protected static override readonly code = "NOT_AUTHENTICATED";
}

/**
 * The sender lacks a capability that the request requires. Its code is `NOT_AUTHORIZED`.
 *
 * @example Refuse a request that requires a capability
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

/** Malformed bytes from a peer, or a value that cannot be sent. */
export class ProtocolError extends EnsembleError {
  /** @internal */
  protected static override readonly code = "PROTOCOL_ERROR";
}
