/**
 * Peers: what a server keeps of each other server that it is, or is about to be, connected with.
 *
 * @module
 */
import type { ServerId } from "../actor/server_id.ts";
import type { Silence } from "../errors.ts";
import type { Address } from "../wire/address.ts";
import { HARD_LIMIT, HIGH_WATER_MARK } from "../wire/limits.ts";
import { Outbox } from "../wire/outbox.ts";
import { within } from "../within.ts";
import type { Connection } from "./connection.ts";

/** One other server. Its outbox takes what is sent while the connection is still being made. */
export class Peer {
  /** The other server's id. */
  readonly id: ServerId;
  /** What waits to be written. */
  readonly outbox: Outbox = new Outbox();
  /** The connection, while there is one. */
  connection: Connection | undefined;
  /** The attempt to connect, while there is one. */
  attempt: Promise<void> | undefined;
  /** Where it is being dialled. */
  dialling: Address | undefined;
  /** What it did not answer in the last attempt. */
  silence: Silence | undefined;
  /** The outcome of this server's own handshake with the peer, from hello to answer. */
  greeting: Promise<void> | undefined;
  /** The end of the peer's handshake with this server, from its admission until its stream is in use. */
  welcoming: Promise<void> | undefined;
  /** How many messages that nobody waits for an answer to are among what waits to be written. */
  unasked = 0;
  /** Why the last connection or attempt ended. */
  lastFailure = "";
  #connected = Promise.withResolvers<void>();
  #drained: PromiseWithResolvers<void> | undefined;

  /** A peer without a connection. */
  constructor(id: ServerId) {
    this.id = id;
  }

  /** Whether so much waits to be written that a sender should wait as well. */
  get congested(): boolean {
    return this.outbox.size > HIGH_WATER_MARK;
  }

  /** Whether so much waits that the peer must be taken for stuck. */
  get stuck(): boolean {
    return this.outbox.size > HARD_LIMIT;
  }

  /** Whether nothing is left of it that is worth keeping. */
  get idle(): boolean {
    return !this.connection && !this.attempt && !this.welcoming && this.outbox.size === 0;
  }

  /** Resolves when nothing waits any more: what did is being written, or is lost with its connection. */
  drained(): Promise<void> {
    if (this.outbox.size === 0) return Promise.resolve();
    this.#drained ??= Promise.withResolvers<void>();
    return this.#drained.promise;
  }

  /** Wakes those who wait in {@linkcode Peer.drained}. */
  notifyDrained(): void {
    this.unasked = 0;
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** Takes a connection into use. */
  connect(connection: Connection): void {
    this.connection = connection;
    this.#connected.resolve();
  }

  /** Forgets the connection and drops what was waiting for it. */
  disconnect(): void {
    this.connection = undefined;
    this.#connected = Promise.withResolvers<void>();
    this.outbox.clear();
    this.notifyDrained();
  }

  /** Waits until there is a connection, whoever opened it, or `timeout` ms have passed. */
  async waitForConnection(timeout: number): Promise<boolean> {
    await within(timeout, this.#connected.promise);
    return this.connection !== undefined;
  }
}
