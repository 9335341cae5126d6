/**
 * Ways through the history: step by step, and by searching.
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

/** Towards which inputs the search goes on. */
export type Direction = "older" | "newer";

/** What was found. */
export interface Match {
  /** Its place in the history. */
  readonly index: number;
  readonly text: string;
  /** Where in it the part is that was looked for. */
  readonly position: number;
}

/** A search that is going on while what is looked for is typed. */
export class HistorySearch {
  readonly #entries: readonly string[];
  #query = "";
  #direction: Direction = "older";
  #match: Match | undefined;
  #hasFailed = false;

  /** Searches entries of which the newest are last. */
  constructor(entries: readonly string[], direction: Direction) {
    this.#entries = entries;
    this.#direction = direction;
  }

  /** What is looked for. */
  get query(): string {
    return this.#query;
  }

  /** What is shown: what was found last. */
  get match(): Match | undefined {
    return this.#match;
  }

  /** What stands before it. */
  get prompt(): string {
    const name = this.#direction === "older" ? "reverse-i-search" : "i-search";
    return `(${this.#hasFailed ? "failed " : ""}${name})\`${this.#query}': `;
  }

  /** Looks for more than before, from what was found on. */
  extend(text: string): void {
    this.#query += text;
    this.#find(this.#match?.index ?? this.#start(), { skips: false });
  }

  /** Looks for less than before, from the newest on. */
  shorten(length: number): void {
    this.#query = this.#query.slice(0, length);
    this.#match = undefined;
    this.#hasFailed = false;
    if (this.#query !== "") this.#find(this.#start(), { skips: false });
  }

  /** Goes on to the next one. */
  next(direction: Direction): void {
    this.#direction = direction;
    this.#hasFailed = false;
    if (this.#query === "") return;
    this.#find(this.#match?.index ?? this.#start(), { skips: true });
  }

  #start(): number {
    return this.#direction === "older" ? this.#entries.length - 1 : 0;
  }

  #find(index: number, { skips }: { skips: boolean }): void {
    const step = this.#direction === "older" ? -1 : 1;
    // Who types a capital letter means it.
    const ignoresCase = this.#query === this.#query.toLowerCase();
    const fold = (text: string) => ignoresCase ? text.toLowerCase() : text;
    for (; index >= 0 && index < this.#entries.length; index += step) {
      const text = this.#entries[index]!;
      if (skips && text === this.#match?.text) continue;
      const position = fold(text).indexOf(this.#query);
      if (position < 0) continue;
      this.#match = { index, text, position: Math.min(position, text.length) };
      this.#hasFailed = false;
      return;
    }
    this.#hasFailed = true;
  }
}
