/**
 * The line editor: inputs of one or more lines, with history, search and completion.
 *
 * @module
 */
import { type Canvas, Drawing } from "./drawing.ts";
import { EditBuffer } from "./edit_buffer.ts";
import { formatColumns } from "./graphemes.ts";
import { HistorySearch, HistoryWalk } from "./history.ts";
import { KeyDecoder, type TerminalInput } from "../../kit/key_decoder.ts";

/** Candidates for the end of a text, and the end that they replace. */
export type Completion = [candidates: string[], replaced: string];

/** Options of {@linkcode InputEditor}. */
export interface InputEditorOptions extends Canvas {
  /** The prompt of the first line of an input. */
  readonly prompt: string;
  /** The prompt of each other line. */
  readonly continuation: string;
  /** The history of inputs, the newest last. It is read again each time it is needed. */
  readonly history: readonly string[];
  /** Completes the text before the cursor, for Tab. */
  complete(text: string): Promise<Completion>;
  /** Whether a text is incomplete, so that Enter begins another line. */
  isIncomplete(text: string): Promise<boolean>;
  /** Called for Ctrl-C while no input is read. */
  interrupt(): void;
  /** Suspends the process, for Ctrl-Z, until it is continued. */
  suspend(): void;
}

/** The action of a key. An outcome ends the reading. */
type Action = () => Outcome | void | Promise<Outcome | void>;

/** The end of a read: the input, or undefined if there are no more. */
interface Outcome {
  readonly input: string | undefined;
}

/** The text that Tab inserts at the beginning of a line. */
const INDENTATION = "  ";

/** Reads inputs from a terminal. */
export class InputEditor {
  readonly #options: InputEditorOptions;
  readonly #decoder = new KeyDecoder((input) => this.#take(input));
  readonly #buffer = new EditBuffer();
  readonly #drawing: Drawing;
  /** Terminal input that has not been handled yet. */
  #waiting: TerminalInput[] = [];
  #wake = () => {};
  #isReading = false;
  #hasEnded = false;
  #walk: HistoryWalk | undefined;
  #search: HistorySearch | undefined;
  #lastQuery = "";
  #lastKey = "";
  /** Stops waiting for a completion. */
  #cancelCompletion: (() => void) | undefined;

  /** The actions of keys, by their names. */
  readonly #keys: ReadonlyMap<string, Action> = new Map<string, Action>([
    ...bind("enter", () => this.#enter()),
    ...bind("alt-enter shift-enter ctrl-enter", () => this.#newLine()),
    ...bind("tab", () => this.#complete()),
    ...bind("ctrl-c", () => this.#drop()),
    ...bind("ctrl-d", () => this.#deleteOrLeave()),
    ...bind("ctrl-l", () => this.#clear()),
    ...bind("ctrl-z", () => this.#suspend()),
    ...bind("up", () => this.#goLine("up")),
    ...bind("down", () => this.#goLine("down")),
    ...bind("ctrl-p", () => this.#goInput("older")),
    ...bind("ctrl-n", () => this.#goInput("newer")),
    ...bind("ctrl-r", () => this.#startSearch("older")),
    ...bind("ctrl-s", () => this.#startSearch("newer")),
    ...bind("left ctrl-b", this.#edit((buffer) => buffer.left())),
    ...bind("right ctrl-f", this.#edit((buffer) => buffer.right())),
    ...bind("alt-b alt-left ctrl-left", this.#edit((buffer) => buffer.wordLeft())),
    ...bind("alt-f alt-right ctrl-right", this.#edit((buffer) => buffer.wordRight())),
    ...bind("home ctrl-a", this.#edit((buffer) => buffer.lineStart())),
    ...bind("end ctrl-e", this.#edit((buffer) => buffer.lineEnd())),
    ...bind("ctrl-home alt-<", this.#edit((buffer) => buffer.goTo("start"))),
    ...bind("ctrl-end alt->", this.#edit((buffer) => buffer.goTo("end"))),
    ...bind("backspace shift-backspace", this.#edit((buffer) => buffer.deleteLeft())),
    ...bind("delete", this.#edit((buffer) => buffer.deleteRight())),
    ...bind(
      "ctrl-w alt-backspace ctrl-backspace",
      this.#edit((buffer) => buffer.killWordLeft()),
    ),
    ...bind("alt-d alt-delete ctrl-delete", this.#edit((buffer) => buffer.killWordRight())),
    ...bind("ctrl-u", this.#edit((buffer) => buffer.killToLineStart())),
    ...bind("ctrl-k", this.#edit((buffer) => buffer.killToLineEnd())),
    ...bind("ctrl-y", this.#edit((buffer) => buffer.yank())),
    ...bind("alt-y", this.#edit((buffer) => buffer.yankEarlier())),
    ...bind("ctrl-_", this.#edit((buffer) => buffer.undo())),
    ...bind("ctrl-^", this.#edit((buffer) => buffer.redo())),
  ]);

  /** Makes an editor that does not read yet. */
  constructor(options: InputEditorOptions) {
    this.#options = options;
    this.#drawing = new Drawing(options);
  }

  /** Handles data from the terminal. While no input is read, it is kept for the next one. */
  push(piece: string): void {
    this.#decoder.push(piece);
  }

  /** Called at the end of the terminal's input. */
  end(): void {
    this.#hasEnded = true;
    this.#decoder.reset();
    this.#cancelCompletion?.();
    this.#wake();
  }

  /** Reads an input; undefined if there are no more. */
  async read(): Promise<string | undefined> {
    this.#buffer.reset();
    this.#walk = undefined;
    this.#isReading = true;
    try {
      for (;;) {
        if (this.#waiting.length === 0) this.#draw();
        const outcome = await this.#handle(await this.#next());
        if (outcome) {
          this.#search = undefined;
          this.#drawing.finish(this.#picture());
          return outcome.input;
        }
      }
    } finally {
      this.#isReading = false;
    }
  }

  /** Prints lines; the edited input moves below them. */
  print(text: string): void {
    this.#drawing.erase();
    this.#options.write(`${text}\n`);
    if (this.#isReading) this.#draw();
  }

  /** Redraws the input, as after the terminal was resized. */
  redraw(): void {
    if (this.#isReading) this.#draw();
  }

  /** Redraws the input after something else has written to the terminal. */
  restore(): void {
    this.#drawing.forget();
    this.redraw();
  }

  #take(input: TerminalInput): void {
    const isInterrupt = input.kind === "key" && input.key === "ctrl-c";
    if (isInterrupt && !this.#isReading) {
      this.#waiting = [];
      this.#options.interrupt();
    } else if (isInterrupt && this.#cancelCompletion) {
      this.#cancelCompletion();
    } else {
      this.#waiting.push(input);
      this.#wake();
    }
  }

  async #next(): Promise<TerminalInput | undefined> {
    while (this.#waiting.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#hasEnded ? undefined : this.#waiting.shift();
  }

  async #handle(input: TerminalInput | undefined): Promise<Outcome | void> {
    if (!input) return { input: undefined };
    if (this.#search && this.#continueSearch(this.#search, input)) return;
    if (input.kind !== "key") {
      this.#lastKey = "";
      this.#walk = undefined;
      this.#buffer.insert(input.text, { isTyped: input.kind === "text" });
      return;
    }
    const outcome = await this.#keys.get(input.key)?.();
    this.#lastKey = input.key;
    return outcome;
  }

  #draw(): void {
    this.#drawing.draw(this.#picture());
  }

  #picture() {
    const { prompt, continuation } = this.#options;
    const { text, cursor } = this.#buffer;
    if (!this.#search) return { prompt, continuation, text, cursor };
    const { match } = this.#search;
    return {
      prompt: this.#search.prompt,
      continuation,
      text: match?.text ?? text,
      cursor: match?.position ?? cursor,
    };
  }

  /** Makes an action from a change to the text. */
  #edit(change: (buffer: EditBuffer) => void): Action {
    return () => {
      const before = this.#buffer.text;
      change(this.#buffer);
      if (this.#buffer.text !== before) this.#walk = undefined;
    };
  }

  /** Enters the input or, if it is incomplete, begins another line. */
  async #enter(): Promise<Outcome | void> {
    const { text } = this.#buffer;
    if (text.trim() === "" || !await this.#options.isIncomplete(text)) return { input: text };
    this.#newLine();
  }

  /** Begins another line. */
  #newLine(): void {
    this.#walk = undefined;
    this.#buffer.insert("\n");
  }

  /** Deletes a character; ends the reading if the input is empty. */
  #deleteOrLeave(): Outcome | void {
    if (this.#buffer.text === "") return { input: undefined };
    this.#walk = undefined;
    this.#buffer.deleteRight();
  }

  /** Drops the input and begins a new one. */
  #drop(): void {
    const isEmpty = this.#buffer.text === "";
    this.#drawing.finish(this.#picture());
    this.#walk = undefined;
    this.#buffer.reset();
    if (isEmpty) this.#options.write("to leave, press Ctrl-D or type ,q\n");
  }

  /** Moves to the line above or below and, from the first or the last line, to another input. */
  #goLine(direction: "up" | "down"): void {
    if (!this.#buffer[direction]()) this.#goInput(direction === "up" ? "older" : "newer");
  }

  /** Moves to another input of the history that begins with the text before the cursor. */
  #goInput(direction: "older" | "newer"): void {
    this.#walk ??= new HistoryWalk(this.#options.history, {
      text: this.#buffer.text,
      cursor: this.#buffer.cursor,
    });
    const state = this.#walk.go(direction);
    if (state) this.#buffer.replace(state);
  }

  /** Starts a search of the history. */
  #startSearch(direction: "older" | "newer"): void {
    this.#search = new HistorySearch(this.#options.history, direction);
  }

  /** Clears the screen. */
  #clear(): void {
    this.#options.write("\x1b[H\x1b[2J");
    this.#drawing.forget();
  }

  /** Suspends the process, so that the shell gets the terminal. */
  #suspend(): void {
    this.#drawing.finish(this.#picture());
    this.#options.suspend();
  }

  /** Completes the text before the cursor. If repeated, it lists the candidates. */
  async #complete(): Promise<void> {
    const { before } = this.#buffer;
    const line = before.slice(before.lastIndexOf("\n") + 1);
    if (line !== before && line.trim() === "") return this.#buffer.insert(INDENTATION);
    const none: Completion = [[], before];
    const [candidates, replaced] = await this.#unlessCanceled(
      this.#options.complete(before).catch(() => none),
      none,
    );
    const rest = commonPrefix(candidates).slice(replaced.length);
    if (rest !== "") {
      this.#walk = undefined;
      this.#buffer.insert(rest);
    } else if (candidates.length > 1 && this.#lastKey === "tab") {
      const { columns } = this.#options.size();
      this.#drawing.finish(this.#picture());
      this.#options.write(formatColumns(candidates, columns).map((row) => `${row}\n`).join(""));
    }
  }

  /**
   * Handles input during a search. Returns false if a key ended the search and still has to be
   * handled.
   */
  #continueSearch(search: HistorySearch, input: TerminalInput): boolean {
    if (input.kind !== "key") {
      search.extend(input.text);
      return true;
    }
    switch (input.key) {
      case "ctrl-r":
      case "ctrl-s":
        search.next(input.key === "ctrl-r" ? "older" : "newer");
        // An empty query repeats the last search.
        if (search.query === "") search.extend(this.#lastQuery);
        return true;
      case "backspace":
        search.shorten(search.query.length - 1);
        return true;
      case "ctrl-g":
      case "ctrl-c":
        this.#search = undefined;
        return true;
      case "ctrl-l":
        this.#clear();
        return true;
    }
    const { match, query } = search;
    this.#lastQuery = query || this.#lastQuery;
    this.#search = undefined;
    this.#walk = undefined;
    if (match) this.#buffer.replace({ text: match.text, cursor: match.position });
    return input.key === "escape";
  }

  async #unlessCanceled<Result>(work: Promise<Result>, otherwise: Result): Promise<Result> {
    const { promise, resolve } = Promise.withResolvers<Result>();
    this.#cancelCompletion = () => resolve(otherwise);
    try {
      return await Promise.race([work, promise]);
    } finally {
      this.#cancelCompletion = undefined;
    }
  }
}

function bind(keys: string, action: Action): [string, Action][] {
  return keys.split(" ").map((key) => [key, action]);
}

/** The longest common prefix of texts; empty if there are none. */
function commonPrefix([first = "", ...others]: readonly string[]): string {
  let prefix = first;
  for (const other of others) {
    while (!other.startsWith(prefix)) prefix = prefix.slice(0, -1);
  }
  return prefix;
}
