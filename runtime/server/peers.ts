/**
 * Peers: the other servers that this one is connected with, or is connecting to; and those that cannot be reached.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { within } from "../actor/time.ts";
import type { Silence } from "../errors.ts";
import type { LineLimit } from "../line_limit.ts";
import type { Address } from "../wire/address.ts";
import { Outbox } from "../wire/frames.ts";
import { HARD_LIMIT, HIGH_WATER_MARK } from "../wire/limits.ts";
import type { Connection } from "./connection.ts";

/** Another server. Its outbox takes what is sent, also while the connection is still being made. */
export class Peer {
  /** The other server's id. */
  readonly id: string;
  /** What waits to be written. */
  readonly outbox: Outbox = new Outbox();
  /** The connection, while there is one. */
  connection: Connection | undefined;
  /** The attempt to connect, while there is one. */
  attempt: Promise<void> | undefined;
  /** Where it is being dialled. */
  dialling: Address | undefined;
  /** What it did not answer during the last attempt. */
  silence: Silence | undefined;
  /** This server's own handshake with the peer, from hello to answer. */
  outgoing: Promise<void> | undefined;
  /** The peer's handshake with this server, from its admission until its stream is in use. */
  incoming: Promise<void> | undefined;
  /** How many messages that nobody waits for an answer to are among what waits to be written. */
  unasked = 0;
  /** Why the last connection or attempt ended. */
  lastFailure = "";
  #connected = Promise.withResolvers<void>();
  #drained: PromiseWithResolvers<void> | undefined;

  /** A peer without a connection. */
  constructor(id: string) {
    this.id = id;
  }

  /** Whether so much waits to be written that a sender should wait as well. */
  get congested(): boolean {
    return this.outbox.size > HIGH_WATER_MARK;
  }

  /** Whether so much waits to be written that the peer counts as stuck. */
  get stuck(): boolean {
    return this.outbox.size > HARD_LIMIT;
  }

  /** Whether there is nothing to keep: no connection, none being made, and nothing to write. */
  get idle(): boolean {
    return !this.connection && !this.attempt && !this.incoming && this.outbox.size === 0;
  }

  /** Resolves when the last of what waits is being written, or is lost with the connection. */
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

const logger = getLogger(["gxensemble", "server"]);

/** How long messages are dropped after a failed attempt, in ms. It doubles with each further failure. */
export const FIRST_PAUSE = 100;

/** The longest pause, in ms: within it a server that comes back is found by those that go on telling it. */
export const LONGEST_PAUSE = 5_000;

/** How long a server counts as absent after the last attempt to reach it, in ms. */
export const FORGET_AFTER = 60_000;

/** One server that cannot be reached. */
interface Absence {
  readonly since: number;
  why: string;
  pause: number;
  retryAt: number;
  dropped: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * The servers that cannot be reached. After a failed attempt messages to the server are dropped without a further
 * attempt until a pause is over. The log has one line when the first message is dropped, and one at the end, unless
 * there are too many: a peer can be absent under any number of ids.
 */
export class Absences {
  readonly #absences = new Map<string, Absence>();
  readonly #lines: Pick<LineLimit, "allows">;

  /** Nobody is absent; `lines` says what of it may go into the log. */
  constructor(lines: Pick<LineLimit, "allows">) {
    this.#lines = lines;
  }

  /** Whether the pause is not over yet. */
  isPausing(server: string): boolean {
    const absence = this.#absences.get(server);
    return absence !== undefined && performance.now() < absence.retryAt;
  }

  /** Notes that the connection to a server broke. There is no pause: the next message is tried at once. */
  lost(server: string, why: string): void {
    this.#begin(server, why);
  }

  /** Notes that an attempt to reach a server failed. */
  failed(server: string, why: string): void {
    const absence = this.#begin(server, why);
    absence.pause = Math.min(Math.max(FIRST_PAUSE, 2 * absence.pause), LONGEST_PAUSE);
    absence.retryAt = performance.now() + absence.pause;
  }

  /** Counts messages that were dropped. The first ones are a line in the log. */
  drop(server: string, count: number): void {
    const absence = this.#absences.get(server);
    if (!absence || count === 0) return;
    if (absence.dropped === 0 && this.#mayLog(server)) {
      logger.warn("{why}; messages for it are dropped", { why: absence.why });
    }
    absence.dropped += count;
  }

  /** Notes that a server is connected. */
  reached(server: string): void {
    this.#end(server, "is reached again");
  }

  /** Forgets all, and says what was dropped. */
  close(): void {
    for (const server of [...this.#absences.keys()]) this.#end(server, "was not reached again");
  }

  #mayLog(server: string): boolean {
    return this.#lines.allows(server, "lost messages");
  }

  #begin(server: string, why: string): Absence {
    let absence = this.#absences.get(server);
    if (!absence) {
      const now = performance.now();
      absence = { since: now, why, pause: 0, retryAt: now, dropped: 0, timer: undefined };
      this.#absences.set(server, absence);
    }
    absence.why = why;
    clearTimeout(absence.timer);
    absence.timer = setTimeout(() => this.#end(server, "is not tried any more"), FORGET_AFTER);
    Deno.unrefTimer(absence.timer as unknown as number);
    return absence;
  }

  #end(server: string, how: string): void {
    const absence = this.#absences.get(server);
    if (!absence) return;
    this.#absences.delete(server);
    clearTimeout(absence.timer);
    if (absence.dropped === 0 || !this.#mayLog(server)) return;
    logger.warn("{server} {how}: {dropped} messages for it were dropped in {seconds} s", {
      server,
      how,
      dropped: absence.dropped,
      seconds: Math.round((performance.now() - absence.since) / 1000),
    });
  }
}
