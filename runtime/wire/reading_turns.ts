/**
 * Turns in which the streams of a process handle what they have read, so that none of many is left
 * out.
 *
 * Deno goes on with the operations that can be completed at once, and asks the system only now and
 * then which other sockets are ready. When hundreds of them have many messages each, those that were
 * served keep it occupied, and others wait for seconds. So in one turn only so many messages are
 * handled until a timer has fired, before which Deno asks the system. The other streams wait in line.
 *
 * @module
 */
import { MESSAGES_PER_TURN } from "./limits.ts";

/** How many messages of a stream count at most: with more, 16 streams take part in a turn. */
const MOST_COUNTED = MESSAGES_PER_TURN / 16;

/** The number of the current turn. */
let turn = 0;

/** How many messages the streams that take part in it are expected to have. */
let expected = 0;

/** Those that wait for a later one, in line. */
const line: { readonly stream: ReadingTurns; readonly admit: () => void }[] = [];

/** One stream's place in the turns. */
export class ReadingTurns {
  #turn = -1;
  /** How many messages it had in its last turn: as many are expected in the next. */
  #messages = 1;

  /**
   * Takes part in the current turn, or a later one if it is full. Returns a promise to await, or
   * undefined if there is nothing to wait for. A stream may be served many times in one turn.
   */
  take(): Promise<void> | undefined {
    if (this.#turn === turn) return;
    if (expected < MESSAGES_PER_TURN && line.length === 0) return this.#enter();
    if (line.length === 0) setTimeout(ReadingTurns.#next);
    return new Promise((resolve) => line.push({ stream: this, admit: resolve }));
  }

  /** To be called with the number of messages that it had. */
  handled(messages: number): void {
    this.#messages = Math.max(1, Math.min(messages, MOST_COUNTED));
  }

  #enter(): undefined {
    this.#turn = turn;
    expected += this.#messages;
  }

  /** Begins the next turn with the first in line. */
  static #next(): void {
    turn++;
    expected = 0;
    const first: (() => void)[] = [];
    for (const { stream, admit } of line) {
      if (expected >= MESSAGES_PER_TURN) break;
      stream.#enter();
      first.push(admit);
    }
    line.splice(0, first.length);
    if (line.length > 0) setTimeout(ReadingTurns.#next);
    for (const admit of first) admit();
  }
}
