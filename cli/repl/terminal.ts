/**
 * The REPL of a person at a terminal.
 *
 * @module
 */
import { visibleText } from "../../runtime/safe_text.ts";
import { isDumbTerminal, usesColors, visibleValue } from "../kit/output.ts";
import type { History } from "./history.ts";
import type { Completion } from "./editor/input_editor.ts";
import { PlainReader } from "./plain_reader.ts";
import type { Repl } from "./repl.ts";
import {
  EditingReader,
  type TerminalReader,
  type TerminalReaderOptions,
} from "./terminal_reader.ts";

/** What stands before the second line of an input, and those after it. */
const CONTINUATION = "... ";

/** Options of {@linkcode Terminal}. */
export interface TerminalOptions {
  /** What stands before each input. */
  readonly prompt: string;
  /** Inputs to go back to. */
  readonly history: History;
  /** Completes a text up to the cursor, for Tab. */
  complete(text: string): Promise<Completion>;
}

/** What of a REPL its terminal needs. */
type Evaluator = Pick<Repl, "isIncomplete" | "enter" | "interrupt">;

/** Reads inputs from the terminal with an editor for them, and writes to it. */
export class Terminal {
  readonly #history: History;
  readonly #reader: TerminalReader;
  #repl: Evaluator | undefined;
  #isClosed = false;

  /** Takes the terminal over. */
  constructor({ prompt, history, complete }: TerminalOptions) {
    this.#history = history;
    const options: TerminalReaderOptions = {
      prompt,
      continuation: CONTINUATION,
      history: history.inputs,
      complete,
      isIncomplete: async (text) => await this.#repl?.isIncomplete(text) ?? false,
      interrupt: () => this.#repl?.interrupt(),
    };
    this.#reader = isDumbTerminal() ? new PlainReader(options) : new EditingReader(options);
  }

  /**
   * Lends the terminal to a prompt that reads it by itself: what is typed there is neither shown nor
   * entered nor kept.
   */
  async lend<Result>(prompt: () => Promise<Result>): Promise<Result> {
    this.#reader.release();
    try {
      return await prompt();
    } finally {
      if (!this.#isClosed) this.#reader.take();
    }
  }

  /** Prints lines; what is being typed moves below them. */
  print(text: string): void {
    this.#reader.print(visibleText(text));
  }

  /** Prints a value as the server shows it. */
  printValue(text: string): void {
    this.#reader.print(visibleValue(text, { colors: usesColors() }));
  }

  /**
   * Enters what is typed, up to Ctrl-D or to a command that ends the REPL.
   *
   * @param lost aborted when the session is lost: then this throws what it is aborted with.
   */
  async run(repl: Evaluator, lost: AbortSignal): Promise<void> {
    lost.addEventListener("abort", () => this.close());
    this.#repl = repl;
    for (let input; (input = await this.#reader.read()) !== undefined;) {
      // At once, for Ctrl-C to interrupt it; the history can wait.
      const [outcome] = await Promise.all([repl.enter(input), this.#history.add(input)]);
      if (outcome === "quit") break;
    }
    this.close();
    lost.throwIfAborted();
  }

  /** Gives the terminal back. */
  close(): void {
    this.#isClosed = true;
    this.#reader.close();
  }
}
