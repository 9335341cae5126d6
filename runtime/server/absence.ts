/**
 * Servers that cannot be reached: when to try again, and how many messages they have missed.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { ServerId } from "../actor/server_id.ts";

const logger = getLogger(["gxensemble", "server"]);

/** How long messages are dropped after a failed attempt, in ms: doubled with each further failure. */
export const FIRST_PAUSE = 100;

/** The longest pause, in ms: a server that comes back is found within this time by those that keep telling it. */
export const LONGEST_PAUSE = 5_000;

/** How long a server stays noted as absent after the last attempt to reach it, in ms. */
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
  readonly #absences = new Map<ServerId, Absence>();
  readonly #mayLog: (server: ServerId) => boolean;

  /** Nobody is absent; `mayLog` says whether a line about a server may go into the log. */
  constructor(mayLog: (server: ServerId) => boolean) {
    this.#mayLog = mayLog;
  }

  /** Whether the pause is not over yet. */
  isPausing(server: ServerId): boolean {
    const absence = this.#absences.get(server);
    return absence !== undefined && performance.now() < absence.retryAt;
  }

  /** Notes that the connection to a server broke. There is no pause: the next message is tried at once. */
  lost(server: ServerId, why: string): void {
    this.#begin(server, why);
  }

  /** Notes that an attempt to reach a server failed. */
  failed(server: ServerId, why: string): void {
    const absence = this.#begin(server, why);
    absence.pause = Math.min(Math.max(FIRST_PAUSE, 2 * absence.pause), LONGEST_PAUSE);
    absence.retryAt = performance.now() + absence.pause;
  }

  /** Counts messages that were dropped. The first ones are a line in the log. */
  drop(server: ServerId, count: number): void {
    const absence = this.#absences.get(server);
    if (!absence || count === 0) return;
    if (absence.dropped === 0 && this.#mayLog(server)) {
      logger.warn("{why}; messages for it are dropped", { why: absence.why });
    }
    absence.dropped += count;
  }

  /** Notes that a server is connected. */
  reached(server: ServerId): void {
    this.#end(server, "is reached again");
  }

  /** Forgets all, and says what was dropped. */
  close(): void {
    for (const server of [...this.#absences.keys()]) this.#end(server, "was not reached again");
  }

  #begin(server: ServerId, why: string): Absence {
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

  #end(server: ServerId, how: string): void {
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
