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

/** The other side answered, and its answer is a failure: its message is the reason it gave. */
export class ActorError extends EnsembleError {
  /** The class of the error at the other side, such as `AuthorizationError`. */
  reason = "Error";
}

/** No answer came within the time allowed. */
export class TimeoutError extends EnsembleError {}

/** The server asked cannot be reached, or the connection to it was lost before it answered. */
export class DisconnectedError extends EnsembleError {}

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
