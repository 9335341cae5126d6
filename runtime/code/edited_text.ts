/**
 * A text whose parts are replaced by others, and its source map.
 *
 * @module
 */
import { decode, encode, type SourceMapMappings } from "npm:@jridgewell/sourcemap-codec@^1.6.0";
import { lineStarts } from "./source_map.ts";

/** The replacement of a part of a text. */
interface Edit {
  start: number;
  end: number;
  text: string;
}

/** A line and column in the author's file, from 0. */
type Source = [line: number, column: number];

/** A text that is edited. All positions in arguments refer to the text before. */
export class EditedText {
  readonly #original: string;
  readonly #edits: Edit[] = [];
  /** By how much the text has grown after each edit; undefined if the edits are not sorted. */
  #grown: number[] | undefined;
  #before = "";
  #after = "";

  /** Starts with the `original`, without edits. */
  constructor(original: string) {
    this.#original = original;
  }

  /** Replaces the part from `start` to `end`. The parts of different edits must not overlap. */
  replace(start: number, end: number, text: string): void {
    this.#grown = undefined;
    this.#edits.push({ start, end, text });
  }

  /** Adds a text before the first line. */
  prepend(text: string): void {
    this.#before = text + this.#before;
  }

  /** Adds a text after the end. */
  append(text: string): void {
    this.#after += text;
  }

  /** The edited text. */
  toString(): string {
    const parts = [this.#before];
    let end = 0;
    this.#sort();
    for (const edit of this.#edits) {
      parts.push(this.#original.slice(end, edit.start), edit.text);
      end = edit.end;
    }
    parts.push(this.#original.slice(end), this.#after);
    return parts.join("");
  }

  /** A position in the edited text. Positions inside a replaced part have none. */
  shifted(position: number): number {
    const grown = this.#sort();
    let low = 0;
    for (let high = grown.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.#edits[middle]!.end <= position) low = middle + 1;
      else high = middle;
    }
    return position + this.#before.length + (grown[low - 1] ?? 0);
  }

  /** The encoded source map of the edited text, from that of the text before. */
  mappings(before: string): string {
    if (this.#edits.length === 0 && this.#before === "") return before;
    const grown = this.#sort();
    const edits = this.#edits;
    const original = lineStarts(this.#original);
    const edited = lineStarts(this.toString());
    const lines: SourceMapMappings = edited.map(() => []);
    let line = 0;
    let next = 0;
    const add = (position: number, [sourceLine, sourceColumn]: Source): void => {
      const shifted = position + this.#before.length + (grown[next - 1] ?? 0);
      while (line + 1 < edited.length && edited[line + 1]! <= shifted) line++;
      lines[line]!.push([shifted - edited[line]!, 0, sourceLine, sourceColumn]);
    };
    /** The last source inside a replaced part. The text behind that part belongs to it, too. */
    let replaced: Source | undefined;
    /** Goes on to the first edit that ends after a position. */
    const advance = (position: number): void => {
      while (next < edits.length && edits[next]!.end <= position) {
        const { end } = edits[next++]!;
        if (replaced && end < position) add(end, replaced);
        replaced = undefined;
      }
    };
    for (const [index, segments] of decode(before).entries()) {
      for (const segment of segments) {
        if (segment.length === 1) continue;
        const source: Source = [segment[2], segment[3]];
        const position = original[index]! + segment[0];
        advance(position);
        if (next < edits.length && edits[next]!.start < position) replaced = source;
        else add(position, source);
      }
    }
    advance(Infinity);
    return encode(lines);
  }

  /** Sorts the edits. Returns by how much the text has grown after each. */
  #sort(): readonly number[] {
    if (this.#grown) return this.#grown;
    this.#edits.sort((a, b) => a.start - b.start);
    let growth = 0;
    return this.#grown = this.#edits.map(({ start, end, text }) =>
      growth += text.length - (end - start)
    );
  }
}
