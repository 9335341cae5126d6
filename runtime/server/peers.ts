/**
 * Peers: the other servers that this one is connected with, or is connecting to, and those that
 * cannot be reached.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { within } from "../timeout.ts";
import type { Silence } from "../errors.ts";
import type { LineLimit } from "../line_limit.ts";
import { Outbox } from "../wire/frames.ts";
import { HARD_LIMIT, HIGH_WATER_MARK } from "../wire/limits.ts";
import type { Connection } from "./connection.ts";

/** Another server. Its outbox accepts messages also while the connection is still being made. */
export class Peer {
  /** The other server's id. */
  readonly id: string;
  /** The messages to write. */
  readonly outbox: Outbox = new Outbox();
  /** The connection, if any. */
  connection: Connection | undefined;
  /** The pending attempt to connect, if any. */
  attempt: Promise<void> | undefined;
  /** Where it is being dialed, for errors. */
  dialling: string | undefined;
  /** The step that timed out in the last attempt. */
  silence: Silence | undefined;
  /** This server's own handshake with the peer, from hello to answer. */
  outgoing: Promise<void> | undefined;
  /** The peer's handshake with this server, from its admission until its stream is in use. */
  incoming: Promise<void> | undefined;
  /** The number of waiting messages without an ask. */
  unasked = 0;
  /** Why the last connection or attempt ended. */
  lastFailure = "";
  #connected = Promise.withResolvers<void>();
  #drained: PromiseWithResolvers<void> | undefined;

  /** Creates a peer without a connection. */
  constructor(id: string) {
    this.id = id;
  }

  /** Whether so much is waiting that senders should wait. */
  get congested(): boolean {
    return this.outbox.size > HIGH_WATER_MARK;
  }

  /** Whether so much is waiting that the peer counts as stuck. */
  get stuck(): boolean {
    return this.outbox.size > HARD_LIMIT;
  }

  /** Whether it can be dropped: no connection, none being made, and nothing to write. */
  get idle(): boolean {
    return !this.connection && !this.attempt && !this.incoming && this.outbox.size === 0;
  }

  /** Resolves when everything waiting is being written, or is lost with the connection. */
  drained(): Promise<void> {
    if (this.outbox.size === 0) return Promise.resolve();
    this.#drained ??= Promise.withResolvers<void>();
    return this.#drained.promise;
  }

  /** Resolves the promises of {@linkcode Peer.drained}. */
  notifyDrained(): void {
    this.unasked = 0;
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** Starts using a connection. */
  connect(connection: Connection): void {
    this.connection = connection;
    this.#connected.resolve();
  }

  /** Drops the connection and what was waiting for it. */
  disconnect(): void {
    this.connection = undefined;
    this.#connected = Promise.withResolvers<void>();
    this.outbox.clear();
    this.notifyDrained();
  }

  /** Waits for a connection, opened by either side, for at most `timeout` ms. */
  async waitForConnection(timeout: number): Promise<boolean> {
    await within(timeout, this.#connected.promise);
    return this.connection !== undefined;
  }
}

const logger = getLogger(["gxensemble", "server"]);

/**
 * How long messages are dropped after a failed attempt, in ms. It doubles with each further
 * failure.
 */
export const FIRST_PAUSE = 100;

/** The longest pause, in ms: senders find a returning server within this time. */
export const LONGEST_PAUSE = 5_000;

/** How long a server counts as absent after the last attempt to reach it, in ms. */
export const FORGET_AFTER = 60_000;

/** One unreachable server. */
interface Absence {
  readonly since: number;
  why: string;
  pause: number;
  retryAt: number;
  dropped: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * The unreachable servers. After a failed attempt, messages to the server are dropped without
 * another attempt until a pause is over. The log has one line when the first message is dropped,
 * and one at the end, unless there are too many, because a peer can be absent under any number of
 * ids.
 */
export class Absences {
  readonly #absences = new Map<string, Absence>();
  readonly #lines: Pick<LineLimit, "allows">;

  /** Starts with no absent servers; `lines` limits the log. */
  constructor(lines: Pick<LineLimit, "allows">) {
    this.#lines = lines;
  }

  /** Whether the pause is not over yet. */
  isPausing(server: string): boolean {
    const absence = this.#absences.get(server);
    return absence !== undefined && performance.now() < absence.retryAt;
  }

  /** Records a lost connection. There is no pause: the next message is tried at once. */
  lost(server: string, why: string): void {
    this.#begin(server, why);
  }

  /** Records a failed attempt to reach a server. */
  failed(server: string, why: string): void {
    const absence = this.#begin(server, why);
    absence.pause = Math.min(Math.max(FIRST_PAUSE, 2 * absence.pause), LONGEST_PAUSE);
    absence.retryAt = performance.now() + absence.pause;
  }

  /** Ends the pause of a server that may be reached again. */
  retry(server: string): void {
    const absence = this.#absences.get(server);
    if (absence) absence.retryAt = performance.now();
  }

  /** Counts dropped messages. The first ones are logged. */
  drop(server: string, count: number): void {
    const absence = this.#absences.get(server);
    if (!absence || count === 0) return;
    if (absence.dropped === 0 && this.#mayLog(server)) {
      logger.warn("{why}; messages for it are dropped", { why: absence.why });
    }
    absence.dropped += count;
  }

  /** Records that a server is connected. */
  reached(server: string): void {
    this.#end(server, "is reached again");
  }

  /** Forgets all servers, and logs what was dropped. */
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
    absence.timer = setTimeout(() => this.#end(server, "is no longer tried"), FORGET_AFTER);
    absence.timer.unref();
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
