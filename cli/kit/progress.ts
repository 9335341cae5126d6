/**
 * Progress on a terminal: one line on standard error that is redrawn.
 *
 * @module
 */
import { type SyncWriter, writeAll } from "../../runtime/home/standard_stream.ts";
import { clearBeforePrinting } from "./output.ts";

/** Minimum interval between redraws, in ms. */
const INTERVAL = 50;

/** The width of a bar, in characters. */
const BAR_WIDTH = 30;

/** The stream that progress is drawn on. */
export interface Terminal extends SyncWriter {
  /** Whether it is a terminal; otherwise, nothing is drawn. */
  isTerminal(): boolean;
}

/** Draws nothing. */
export const NO_TERMINAL: Terminal = {
  isTerminal: () => false,
  writeSync: (bytes) => bytes.length,
};

/** The lines that are drawn now. */
const drawn = new Set<ProgressLine>();

// This way around, commands that show no progress do not load this file.
clearBeforePrinting(clearProgress);

/** Clears what is drawn, so that something else can be printed. It is redrawn with the next step. */
export function clearProgress(): void {
  for (const line of drawn) line.clear();
}

/** A line on standard error that is redrawn with the progress, and cleared on disposal. */
export class ProgressLine implements Disposable {
  readonly #terminal: Terminal;
  #lastDrawn = -Infinity;

  /** Draws nothing yet. */
  constructor(terminal: Terminal = Deno.stderr) {
    this.#terminal = terminal;
  }

  /** Shows a text that fits in a line, unless another was drawn just before. */
  show(text: string): void {
    const now = performance.now();
    if (!this.#terminal.isTerminal() || now - this.#lastDrawn < INTERVAL) return;
    this.#lastDrawn = now;
    drawn.add(this);
    this.#write(`\r${text}\x1b[K`);
  }

  /** Shows an action and its progress: a bar if the total is known, else a count. */
  showBar(action: string, done: number, all?: number): void {
    const filled = all ? Math.round(BAR_WIDTH * done / all) : 0;
    const bar = all ? `[${"=".repeat(filled).padEnd(BAR_WIDTH)}] ${done}/${all}` : `${done}`;
    this.show(`${action} ${bar}`);
  }

  /** Clears the line, until the next step. */
  clear(): void {
    if (!drawn.delete(this)) return;
    this.#lastDrawn = -Infinity;
    this.#write("\r\x1b[K");
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    this.clear();
  }

  #write(text: string): void {
    try {
      writeAll(this.#terminal, new TextEncoder().encode(text));
    } catch {
      // The terminal is gone, but the work continues.
    }
  }
}
