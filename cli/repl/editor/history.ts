/**
 * The history of inputs: its file, navigation and search.
 *
 * @module
 */
import { makePrivate, writeWhole } from "../../../runtime/home/files.ts";
import { findPlaces } from "../../../runtime/home/paths.ts";
import { writeAll } from "../../../runtime/home/standard_stream.ts";
import type { EditState } from "./edit_buffer.ts";

/** The maximum number of inputs. */
export const MAX_INPUTS = 1000;

/**
 * The maximum size of the file, in UTF-16 code units. If a history is longer, its newest inputs are
 * kept.
 */
export const MAX_SIZE = 1024 * 1024;

/** Represents a line break of an input in the file, as in the history of Node's REPL. */
const LINE_BREAK = "\r";

/** The path of the history. Only its owner can read it, as inputs may contain secrets. */
export function historyPath(): string {
  return `${findPlaces().directory}/repl_history`;
}

/**
 * A file of inputs, one per line, the newest last. If it cannot be read or written, there is no
 * history.
 */
export class History {
  readonly #path: string;
  readonly #inputs: string[];

  private constructor(path: string, inputs: string[]) {
    this.#path = path;
    this.#inputs = inputs;
  }

  /**
   * Opens the history, and drops the oldest inputs if it has grown too long. Restricts the file to
   * its owner.
   */
  static async open(path: string): Promise<History> {
    try {
      using _lock = await openLocked(path);
      const lines = (await Deno.readTextFile(path)).split("\n").filter(Boolean);
      const kept = newest(lines);
      if (kept.length < lines.length) {
        const text = kept.map((line) => `${line}\n`).join("");
        await writeWhole(path, text, { mode: 0o600, replace: true });
      }
      return new History(path, kept.map(fromLine));
    } catch {
      return new History(path, []);
    }
  }

  /** The inputs from the file and those added since, the newest last. */
  get inputs(): readonly string[] {
    return this.#inputs;
  }

  /** Adds an input, unless it is blank, too long, or a repetition of the newest one. */
  async add(input: string): Promise<void> {
    const text = input.trimEnd();
    if (text === "" || text === this.#inputs.at(-1) || text.length > MAX_SIZE) return;
    this.#inputs.push(text);
    try {
      using file = await openLocked(this.#path);
      writeAll(file, new TextEncoder().encode(`${text.replaceAll("\n", LINE_BREAK)}\n`));
    } catch {
      // Then it is kept for this session only.
    }
  }
}

/**
 * Opens the file and locks it until it is closed, so that two sessions do not write at once, and
 * none writes to a replaced file.
 */
async function openLocked(path: string): Promise<Deno.FsFile> {
  for (;;) {
    const file = await Deno.open(path, { read: true, append: true, create: true, mode: 0o600 });
    try {
      await file.lock(true);
      const [opened, named] = await Promise.all([file.stat(), Deno.stat(path)]);
      if (!opened.isFile) throw new Error("it is not a regular file");
      if (opened.ino === named.ino && opened.dev === named.dev) {
        makePrivate(path);
        return file;
      }
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
  }
}

/** The newest lines, as many as fit the limits. */
function newest(lines: string[]): string[] {
  let size = 0;
  let first = lines.length;
  while (first > 0 && lines.length - first < MAX_INPUTS) {
    size += lines[first - 1]!.length + 1;
    if (size > MAX_SIZE) break;
    first--;
  }
  return lines.slice(first);
}

function fromLine(line: string): string {
  return line.replaceAll(LINE_BREAK, "\n").trimEnd();
}

/** A walk through the history that begins and ends at the text being typed. */
export class HistoryWalk {
  readonly #entries: readonly string[];
  readonly #typed: EditState;
  readonly #prefix: string;
  #index: number;

  /** Begins at a text. Only inputs that begin with the part before the cursor are visited. */
  constructor(entries: readonly string[], typed: EditState) {
    this.#entries = entries;
    this.#typed = typed;
    this.#prefix = typed.text.slice(0, typed.cursor);
    this.#index = entries.length;
  }

  /** Moves to the next older or newer input; undefined if there is none. */
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

/** The direction of a search. */
type Direction = "older" | "newer";

/** An input that was found. */
interface Match {
  /** Its index in the history. */
  readonly index: number;
  readonly text: string;
  /** The position of the query in it. */
  readonly position: number;
}

/** A search that is refined while the query is typed. */
export class HistorySearch {
  readonly #entries: readonly string[];
  #query = "";
  #direction: Direction = "older";
  #match: Match | undefined;
  #hasFailed = false;

  /** Searches entries, with the newest last. */
  constructor(entries: readonly string[], direction: Direction) {
    this.#entries = entries;
    this.#direction = direction;
  }

  /** The text to look for. */
  get query(): string {
    return this.#query;
  }

  /** The match to display. */
  get match(): Match | undefined {
    return this.#match;
  }

  /** The prompt to show before it. */
  get prompt(): string {
    const name = this.#direction === "older" ? "reverse-i-search" : "i-search";
    return `(${this.#hasFailed ? "failed " : ""}${name})\`${this.#query}': `;
  }

  /** Extends the query, and continues the search from the current match. */
  extend(text: string): void {
    this.#query += text;
    this.#find(this.#match?.index ?? this.#start(), { skips: false });
  }

  /** Shortens the query, and searches again from the newest input. */
  shorten(length: number): void {
    this.#query = this.#query.slice(0, length);
    this.#match = undefined;
    this.#hasFailed = false;
    if (this.#query !== "") this.#find(this.#start(), { skips: false });
  }

  /** Continues to the next match. */
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
    // A query with a capital letter is case-sensitive.
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
