/**
 * Turns in which the streams of a process handle what they have read, so that none of many is left
 * out.
 *
 * Deno goes on with the operations that can be completed at once, and asks the system only now and
 * then which other sockets are ready. When hundreds of them are busy, those that were served keep
 * it occupied, and others wait for seconds. So only a few are served until the event loop has turned,
 * which makes Deno ask; the others wait in line.
 *
 * @module
 */
import { STREAMS_PER_TURN } from "./limits.ts";

/** The number of the current turn. */
let turn = 0;

/** How many streams have been admitted to it. */
let admitted = 0;

/** Those that wait for a later one, in line. */
const line: (() => void)[] = [];

/** One stream's place in the turns. */
export class ReadingTurns {
  #turn = -1;

  /**
   * Takes part in the current turn, or a later one if it is full. Returns a promise to await, or
   * undefined if there is nothing to wait for. A stream may be served many times in one turn.
   */
  take(): Promise<void> | undefined {
    if (this.#turn === turn) return;
    if (admitted < STREAMS_PER_TURN && line.length === 0) {
      admitted++;
      this.#turn = turn;
      return;
    }
    if (line.length === 0) setTimeout(next);
    return new Promise((resolve) => {
      line.push(() => {
        this.#turn = turn;
        resolve();
      });
    });
  }
}

/** Begins the next turn with the first in line. */
function next(): void {
  turn++;
  const first = line.splice(0, STREAMS_PER_TURN);
  admitted = first.length;
  if (line.length > 0) setTimeout(next);
  for (const admit of first) admit();
}
