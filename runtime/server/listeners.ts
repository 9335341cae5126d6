/**
 * Where a server listens, and how it takes the clients that connect there.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { LineLimit } from "../line_limit.ts";
import { type Address, formatAddressUrl, hostName } from "../wire/address.ts";
import { type Accepted, closeStream, type Listener } from "../wire/stream.ts";
import { listenAt } from "../wire/transport.ts";
import { Admission } from "./admission.ts";
import type { TlsCredentials } from "./credentials.ts";
import { SilentPeerError, turnAway } from "./handshake.ts";

const logger = getLogger(["gxensemble", "server"]);

/** How many connections of a listener are accepted in one turn of the event loop. */
const ACCEPTED_PER_TURN = 32;

/** What listeners need of their server. */
export interface ListenersOptions {
  /** Its id. */
  readonly id: string;
  /** Its certificate and trusted roots, for tls. */
  readonly tls: TlsCredentials | undefined;
  /** Limits the log lines that clients cause. */
  readonly lines: LineLimit;
  /** Does the handshake with a client. `heard` is to be called for each of its messages. */
  accept(accepted: Accepted, heard: () => void): Promise<void>;
  /** Called when a socket has been created again, so that its address has changed. */
  onMoved(): void;
}

/** The listeners of one server. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #listeners: Listener[] = [];

  /** Begins without any. */
  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** The addresses at which it listens, as other hosts can use them. */
  get addresses(): Address[] {
    return this.#listeners.map(({ address }) => reachable(address));
  }

  /**
   * Listens at an address. Accepts nothing yet.
   *
   * @throws {EnsembleError} if it cannot listen there.
   */
  async listen(address: Address): Promise<Listener> {
    const { tls, onMoved } = this.#options;
    const listener = await listenAt(address, {
      tls,
      onRefused: (from, reason) => this.#logRefusal(from, reason),
      onMoved,
      onWarning: (message) => logger.warn("{message}", { message }),
    });
    this.#listeners.push(listener);
    return listener;
  }

  /** Accepts clients at all listeners, of which none accepts yet. */
  acceptAtAll(): void {
    for (const listener of this.#listeners) this.#accept(listener);
  }

  /** Listens at a further address, and accepts clients there. Returns it as other hosts can use it. */
  async add(address: Address): Promise<Address> {
    const listener = await this.listen(address);
    this.#accept(listener);
    return reachable(listener.address);
  }

  /** Stops listening everywhere. */
  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  #accept(listener: Listener): void {
    void this.#acceptAll(listener);
    logger.info("{id} listens at {address}", {
      id: this.#options.id,
      address: formatAddressUrl(listener.address),
    });
  }

  async #acceptAll(listener: Listener): Promise<void> {
    // Each listener has its own limits, so that a flood at a tcp port does not block the UNIX
    // socket.
    const admission = new Admission();
    let accepted = 0;
    for (let next; (next = await listener.accept());) {
      void this.#admit(next, admission);
      // If many come at once, as when a registry is back, the handshakes under way go on meanwhile.
      // A timer, since Deno polls its sockets only after many turns of `setImmediate`.
      if (++accepted % ACCEPTED_PER_TURN === 0) await new Promise((resolve) => setTimeout(resolve));
    }
  }

  async #admit(accepted: Accepted, admission: Admission): Promise<void> {
    const { stream } = accepted;
    const from = formatAddressUrl(accepted.from);
    let refusal: string | undefined;
    const client = await admission.admit((message) => {
      refusal = message;
      closeStream(stream);
    }, stream.handshakeTime);
    if (!client) {
      this.#logRefusal(from, "too many handshakes at once");
      return turnAway(stream);
    }
    try {
      await this.#options.accept(accepted, () => client.heard());
    } catch (error) {
      // Not worth a log line, since monitoring may check every minute whether a port is open.
      if (refusal === undefined && error instanceof SilentPeerError) {
        logger.debug("{from}: {reason}", { from, reason: error.message });
      } else this.#logRefusal(from, refusal ?? (error as Error).message);
    } finally {
      client.end();
    }
  }

  #logRefusal(from: string, reason: string): void {
    // All ports of a host count as one source.
    const source = from.replace(/:\d+$/, "");
    if (!this.#options.lines.allows(source, "refused connections")) return;
    logger.warn("refused a connection from {from}: {reason}", { from, reason });
  }
}

/** Replaces the address of all interfaces by one that other hosts can use. */
function reachable(address: Address): Address {
  if (address.kind === "unix" || !["0.0.0.0", "::"].includes(address.host)) return address;
  return { ...address, host: hostName() };
}
