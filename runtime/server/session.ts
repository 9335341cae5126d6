/**
 * Sessions: what is known of a peer for as long as a connection lasts.
 *
 * @module
 */
import type { EnvelopeSession } from "../actor/envelope.ts";
import type { ServerId } from "../actor/server_id.ts";
import type { Address } from "../wire/address.ts";
import type { Certified } from "./certified.ts";
import type { Bytes } from "./handshake_messages.ts";

/** What is known of the peer of one connection, and what it has been allowed. */
export class Session implements EnvelopeSession {
  /** The peer's id. */
  readonly peer: ServerId;
  /** The peer's instance. */
  readonly instance: Bytes;
  /** Where the peer was reached, or where it came from. */
  readonly address: Address;
  /** The same bytes at both ends of this connection, and at no other: SHA-256 of the handshake. */
  readonly binding: Bytes;
  /** What its certificate says, on a connection that has one. */
  readonly certified: Certified | undefined;
  /** What the peer may do besides what everybody may; it ends with the connection. */
  readonly capabilities: Set<string>;
  /** The fingerprint of the administrators' key, once the peer has proved that it has the private half. */
  administrator: string | undefined;
  /** Who the peer says is at work: `user@host`. Nothing proves it. */
  claimed: string | undefined;
  /** Whether the connection is over, and with it what the peer was allowed on it. */
  ended = false;
  /** Whether the peer has left the registry: its id may pass on though the connection still stands. */
  left = false;

  /** A session of a peer that may do what its certificate says. */
  constructor(
    options: {
      peer: ServerId;
      instance: Bytes;
      certified: Certified | undefined;
      address: Address;
      binding: Bytes;
    },
  ) {
    this.peer = options.peer;
    this.instance = options.instance;
    this.certified = options.certified;
    this.capabilities = new Set(options.certified?.capabilities);
    this.address = options.address;
    this.binding = options.binding;
  }
}
