/**
 * A progress bar for a person at a terminal.
 *
 * @module
 */
import { type SyncWriter, writeAll } from "../../runtime/home/standard_stream.ts";

/** The width of the bar itself, in characters. */
const WIDTH = 30;

/** How often the line is drawn at most, in ms. */
const INTERVAL = 50;

/** Where a progress bar is drawn. */
export interface Terminal extends SyncWriter {
  /** Whether it is one: elsewhere nothing is drawn. */
  isTerminal(): boolean;
}

/** One line on standard error that is drawn over and over, and is gone when it is disposed of. */
export class ProgressBar implements Disposable {
  readonly #terminal: Terminal;
  #lastDrawn = -Infinity;
  #isDrawn = false;

  /** Nothing yet; nothing ever where `terminal` is not one. */
  constructor(terminal: Terminal = Deno.stderr) {
    this.#terminal = terminal;
  }

  /** Shows what is being done, and how far it is: a count, or a bar where all there is to do is known. */
  show(action: string, done: number, all?: number): void {
    const now = performance.now();
    if (!this.#terminal.isTerminal() || now - this.#lastDrawn < INTERVAL) return;
    this.#lastDrawn = now;
    this.#isDrawn = true;
    const filled = all ? Math.round(WIDTH * done / all) : 0;
    const bar = all ? `[${"=".repeat(filled).padEnd(WIDTH)}] ${done}/${all}` : `${done}`;
    this.#write(`\r${action} ${bar}\x1b[K`);
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    if (this.#isDrawn) this.#write("\r\x1b[K");
    this.#isDrawn = false;
  }

  #write(text: string): void {
    try {
      writeAll(this.#terminal, new TextEncoder().encode(text));
    } catch {
      // The terminal has gone: the work goes on.
    }
  }
}
