/**
 * The edited text: the cursor, changes, undo, and deleted text to insert again.
 *
 * @module
 */
import { endAfter, indexAtColumn, startBefore, widthOf } from "./graphemes.ts";

/** A text with a cursor between two of its characters. */
export interface EditState {
  readonly text: string;
  /** The position of the cursor, in UTF-16 code units. */
  readonly cursor: number;
}

/** The number of states that can be restored, and of deleted texts that can be inserted again. */
const MAX_STATES = 200, MAX_KILLED = 30;

const EMPTY: EditState = { text: "", cursor: 0 };
const WORD = /[\p{L}\p{M}\p{N}_$]/u;
const SPACE = /\s/;

/** The last change, to group changes that belong together. */
type Change = "typing" | "killing" | "yanking" | undefined;

/** A text with a cursor, and the changes to it. Actions have the names of Emacs and readline. */
export class EditBuffer {
  #state = EMPTY;
  #undo: EditState[] = [];
  #redo: EditState[] = [];
  /** Deleted texts that can be inserted again; the newest last. */
  readonly #killed: string[] = [];
  #last: Change;
  /** The column that the cursor returns to after shorter lines. */
  #column: number | undefined;
  /** The text that {@linkcode yank} inserted. */
  #yanked = "";

  /** The text. */
  get text(): string {
    return this.#state.text;
  }

  /** The position of the cursor. */
  get cursor(): number {
    return this.#state.cursor;
  }

  /** The text before the cursor. */
  get before(): string {
    return this.text.slice(0, this.cursor);
  }

  /** Starts with a text, and nothing to undo. */
  reset(state: EditState = EMPTY): void {
    this.#state = state;
    this.#undo = [];
    this.#redo = [];
    this.#settle();
  }

  /** Inserts text at the cursor. A word typed character by character is undone in one step. */
  insert(text: string, { isTyped = false } = {}): void {
    const { text: before, cursor } = this.#state;
    const state = {
      text: before.slice(0, cursor) + text + before.slice(cursor),
      cursor: cursor + text.length,
    };
    const continues = isTyped && this.#last === "typing" && !SPACE.test(text);
    this.#change(state, { continues });
    this.#last = isTyped ? "typing" : undefined;
  }

  /** Replaces the text; this can be undone. */
  replace(state: EditState): void {
    this.#change(state);
  }

  /** Moves back by a character. */
  left(): void {
    this.#move(startBefore(this.text, this.cursor));
  }

  /** Moves forward by a character. */
  right(): void {
    this.#move(endAfter(this.text, this.cursor));
  }

  /** Moves to the beginning of the word at or before the cursor. */
  wordLeft(): void {
    this.#move(this.#skip(-1, [(c) => !WORD.test(c), (c) => WORD.test(c)]));
  }

  /** Moves to the end of the word at or after the cursor. */
  wordRight(): void {
    this.#move(this.#skip(1, [(c) => !WORD.test(c), (c) => WORD.test(c)]));
  }

  /** Moves to the beginning of the line. */
  lineStart(): void {
    this.#move(this.#lineStart());
  }

  /** Moves to the end of the line. */
  lineEnd(): void {
    this.#move(this.#lineEnd());
  }

  /** Moves to the beginning or the end of the text. */
  goTo(end: "start" | "end"): void {
    this.#move(end === "start" ? 0 : this.text.length);
  }

  /** Moves up by a line; false if there is none. */
  up(): boolean {
    const start = this.#lineStart();
    return start > 0 && this.#toLine(this.text.lastIndexOf("\n", start - 2) + 1);
  }

  /** Moves down by a line; false if there is none. */
  down(): boolean {
    const end = this.#lineEnd();
    return end < this.text.length && this.#toLine(end + 1);
  }

  /** Deletes the character before the cursor. */
  deleteLeft(): void {
    this.#delete(startBefore(this.text, this.cursor), this.cursor);
  }

  /** Deletes the character after the cursor. */
  deleteRight(): void {
    this.#delete(this.cursor, endAfter(this.text, this.cursor));
  }

  /** Kills to the beginning of the word, or of the run of other characters before the cursor. */
  killWordLeft(): void {
    const isSpace = (c: string) => SPACE.test(c);
    const spaces = this.#skip(-1, [isSpace]);
    const isWord = WORD.test(this.text[spaces - 1] ?? "");
    const isSame = (c: string) => !isSpace(c) && WORD.test(c) === isWord;
    this.#kill(this.#skip(-1, [isSpace, isSame]), this.cursor);
  }

  /** Kills to the end of the word. */
  killWordRight(): void {
    const end = this.#skip(1, [(c) => !WORD.test(c), (c) => WORD.test(c)]);
    this.#kill(this.cursor, end);
  }

  /** Kills to the beginning of the line. */
  killToLineStart(): void {
    this.#kill(this.#lineStart(), this.cursor);
  }

  /** Kills to the end of the line or, if the cursor is there, the line break. */
  killToLineEnd(): void {
    const end = this.#lineEnd();
    this.#kill(this.cursor, end === this.cursor ? Math.min(end + 1, this.text.length) : end);
  }

  /** Inserts the text killed last. */
  yank(): void {
    const killed = this.#killed.at(-1);
    if (killed === undefined) return;
    this.insert(killed);
    this.#yanked = killed;
    this.#last = "yanking";
  }

  /** Replaces the text just yanked by the one killed before it. */
  yankEarlier(): void {
    if (this.#last !== "yanking") return;
    this.#killed.unshift(this.#killed.pop()!);
    const { text, cursor } = this.#state;
    const start = cursor - this.#yanked.length;
    this.#state = { text: text.slice(0, start) + text.slice(cursor), cursor: start };
    this.#yanked = this.#killed.at(-1)!;
    const state = this.#state;
    this.#state = {
      text: state.text.slice(0, start) + this.#yanked + state.text.slice(start),
      cursor: start + this.#yanked.length,
    };
  }

  /** Undoes the last change. */
  undo(): void {
    this.#goBack(this.#undo, this.#redo);
  }

  /** Repeats the change undone last. */
  redo(): void {
    this.#goBack(this.#redo, this.#undo);
  }

  #goBack(from: EditState[], to: EditState[]): void {
    const state = from.pop();
    if (!state) return;
    to.push(this.#state);
    this.#state = state;
    this.#settle();
  }

  #change(state: EditState, { continues = false } = {}): void {
    if (!continues) {
      this.#undo.push(this.#state);
      if (this.#undo.length > MAX_STATES) this.#undo.shift();
    }
    this.#redo = [];
    this.#state = state;
    this.#settle();
  }

  #move(cursor: number): void {
    this.#state = { text: this.text, cursor };
    this.#settle();
  }

  /** Ends the current group of changes. */
  #settle(): void {
    this.#last = undefined;
    this.#column = undefined;
  }

  #delete(start: number, end: number): void {
    if (start === end) return;
    const { text } = this.#state;
    this.#change({ text: text.slice(0, start) + text.slice(end), cursor: start });
  }

  #kill(start: number, end: number): void {
    if (start === end) return;
    const killed = this.text.slice(start, end);
    const wasKilling = this.#last === "killing";
    const earlier = wasKilling ? this.#killed.pop() ?? "" : "";
    // Text killed to the left is put before the text killed previously.
    this.#killed.push(start < this.cursor ? killed + earlier : earlier + killed);
    if (this.#killed.length > MAX_KILLED) this.#killed.shift();
    this.#delete(start, end);
    this.#last = "killing";
  }

  #lineStart(): number {
    return this.cursor === 0 ? 0 : this.text.lastIndexOf("\n", this.cursor - 1) + 1;
  }

  #lineEnd(): number {
    const end = this.text.indexOf("\n", this.cursor);
    return end < 0 ? this.text.length : end;
  }

  /** Moves to the line that begins at a position, into the column where the cursor was. */
  #toLine(start: number): true {
    const column = this.#column ?? widthOf(this.text.slice(this.#lineStart(), this.cursor));
    this.#move(start);
    this.#move(start + indexAtColumn(this.text.slice(start, this.#lineEnd()), column));
    this.#column = column;
    return true;
  }

  /** The position after skipping runs of characters, one for each kind in turn. */
  #skip(direction: 1 | -1, kinds: ((character: string) => boolean)[]): number {
    let position = this.cursor;
    const next = () => {
      const other = direction < 0
        ? startBefore(this.text, position)
        : endAfter(this.text, position);
      const character = this.text.slice(Math.min(position, other), Math.max(position, other));
      return { other, character };
    };
    for (const isOfKind of kinds) {
      for (;;) {
        const { other, character } = next();
        if (other === position || !isOfKind(character)) break;
        position = other;
      }
    }
    return position;
  }
}
