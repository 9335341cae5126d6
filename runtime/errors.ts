/**
 * The errors of the ensemble: one small hierarchy below {@linkcode EnsembleError}.
 *
 * A message says what failed, on what, and why; where the person can do something about it, what.
 *
 * @module
 */

/** The base of every error that the ensemble throws on purpose. */
export class EnsembleError extends Error {
  /** Makes an error named after its class. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The input is not of the form asked for: a server id, an address, an option, a file. */
export class InvalidInputError extends EnsembleError {}

/**
 * The other side answered, and its answer is a failure, with the message of the error there. The stack is that of the
 * asker; the cause, where the other side gave it, is an error with the name, message and stack that it has there.
 */
export class ActorError extends EnsembleError {
  /** The name of the error at the other side, such as `AuthorizationError`. */
  remoteName = "Error";
}

/** A server that accepts connections, or is connected, and says nothing. */
export interface Silence {
  /** Its id: that of the registry, where it does not say where the server asked is. */
  readonly server: string;
  /** What it has not answered: an attempt to connect, the handshake, or a request on a connection that stands. */
  readonly stage: "connect" | "handshake" | "request";
  /** Where it is reached, as a URL. */
  readonly address: string;
}

/** No answer came within the time allowed. The message names the request. */
export class TimeoutError extends EnsembleError {
  /** Which server was silent, and to what; absent for an actor of this server. */
  silence?: Silence | undefined;
}

/** The server asked cannot be reached, or the connection to it was lost before it answered. */
export class DisconnectedError extends EnsembleError {
  /** Which server was silent, and to what; absent where the connection was refused, or closed by the other side. */
  silence?: Silence | undefined;
}

/** The registry knows no server of that id. */
export class UnknownServerError extends EnsembleError {
  /** The id asked for. */
  readonly server: string;

  /** An error about a server id. */
  constructor(server: string) {
    super(`the registry knows no server ${server}`);
    this.server = server;
  }
}

/** The peer is not who it should be, or does not share this ensemble's cookie. */
export class AuthenticationError extends EnsembleError {}

/** The peer may not do that here: it takes a capability that it does not have. */
export class AuthorizationError extends EnsembleError {}

/** Bytes from the wire, or a value on its way there, break the protocol. */
export class ProtocolError extends EnsembleError {}
