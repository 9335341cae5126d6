/**
 * The way through earlier inputs with the arrow keys.
 *
 * @module
 */
import type { EditState } from "./edit_buffer.ts";

/** A walk that begins at what was being typed, and ends there. */
export class HistoryWalk {
  readonly #entries: readonly string[];
  readonly #typed: EditState;
  readonly #prefix: string;
  #index: number;

  /** Begins at a text: what stands in it before the cursor is what the inputs have to begin with. */
  constructor(entries: readonly string[], typed: EditState) {
    this.#entries = entries;
    this.#typed = typed;
    this.#prefix = typed.text.slice(0, typed.cursor);
    this.#index = entries.length;
  }

  /** Goes on to another input; undefined when there is none. */
  go(direction: "older" | "newer"): EditState | undefined {
    const step = direction === "older" ? -1 : 1;
    const current = this.#entries[this.#index] ?? this.#typed.text;
    for (let index = this.#index + step; index >= 0; index += step) {
      const entry = this.#entries[index];
      if (entry === undefined) {
        if (this.#index === this.#entries.length) return undefined;
        this.#index = this.#entries.length;
        return this.#typed;
      }
      if (!entry.startsWith(this.#prefix) || entry === current) continue;
      this.#index = index;
      return { text: entry, cursor: entry.length };
    }
  }
}
