/**
 * The REPL of a person at a terminal.
 *
 * @module
 */
import process from "node:process";
import { clearLine, createInterface, cursorTo, type Interface } from "node:readline";
import { visibleText } from "../../runtime/control_characters.ts";
import { usesColors, visibleValue } from "../output.ts";
import { TerminalState } from "../terminal_state.ts";
import { type History, MAX_HISTORY } from "./history.ts";
import type { Completion } from "./name_completion.ts";
import type { Repl } from "./repl.ts";

/** What follows the prompt of an input that goes on over several lines. */
const CONTINUATION = "... ";

/** Options of {@linkcode Terminal}. */
export interface TerminalOptions {
  /** What stands before each input. */
  readonly prompt: string;
  /** Lines to go back to with the arrow keys. */
  readonly history: History;
  /** Completes a line up to the cursor, for Tab. */
  complete(line: string): Promise<Completion>;
}

/** Reads lines from the terminal with an editor for them, and writes to it. */
export class Terminal {
  readonly #options: TerminalOptions;
  #reader: Interface;
  readonly #state = new TerminalState();
  /** Lines that were entered while another one was being evaluated. */
  readonly #entered: string[] = [];
  /** The lines to go back to, the newest first. Line editors add to it. */
  readonly #history: string[];
  /** The lines of an input that is not complete. */
  #lines: string[] = [];
  #repl: Repl | undefined;
  #isWaiting = false;
  #isClosed = false;
  readonly #onClose = () => this.close();
  #wake = () => {};

  /** Takes the terminal over. */
  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#history = options.history.lines.toReversed();
    this.#reader = this.#open();
  }

  /** Starts a line editor. */
  #open(): Interface {
    const { complete } = this.#options;
    const reader = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      history: this.#history,
      historySize: MAX_HISTORY,
      completer: (line: string, done: (error: null, result: Completion) => void) => {
        complete(line).catch((): Completion => [[], line])
          .then((completion) => done(null, completion));
      },
    });
    reader.on("line", (line) => {
      this.#entered.push(line);
      this.#wake();
    });
    reader.on("SIGINT", () => this.#interrupt());
    reader.on("close", this.#onClose);
    return reader;
  }

  /**
   * Lends the terminal to a prompt that reads it by itself: what is typed there is neither shown nor
   * entered nor kept.
   */
  async lend<Result>(prompt: () => Promise<Result>): Promise<Result> {
    this.#reader.off("close", this.#onClose).close();
    try {
      return await prompt();
    } finally {
      if (!this.#isClosed) this.#reader = this.#open();
    }
  }

  /** Prints lines; what is being typed moves below them. */
  print(text: string): void {
    this.#write(visibleText(text));
  }

  /** Prints a value as the server shows it. */
  printValue(text: string): void {
    this.#write(visibleValue(text, { colors: usesColors() }));
  }

  #write(text: string): void {
    if (!this.#isWaiting) return void process.stdout.write(`${text}\n`);
    cursorTo(process.stdout, 0);
    clearLine(process.stdout, 0);
    process.stdout.write(`${text}\n`);
    this.#reader.prompt(true);
  }

  /**
   * Enters what is typed, up to Ctrl-D or to a command that ends the REPL.
   *
   * @param lost aborted when the session is lost: then this throws what it is aborted with.
   */
  async run(repl: Repl, lost: AbortSignal): Promise<void> {
    const { prompt, history } = this.#options;
    lost.addEventListener("abort", () => this.close());
    this.#repl = repl;
    this.#reader.setPrompt(prompt);
    for (let line; (line = await this.#nextLine()) !== undefined;) {
      void history.add(line);
      this.#lines.push(line);
      const text = this.#lines.join("\n");
      const isIncomplete = await repl.isIncomplete(text);
      this.#reader.setPrompt(isIncomplete ? CONTINUATION : prompt);
      if (isIncomplete) continue;
      this.#lines = [];
      if (await repl.enter(text) === "quit") return this.close();
      this.#reader.setPrompt(prompt);
    }
    this.close();
    lost.throwIfAborted();
  }

  /** Gives the terminal back. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // After Ctrl-D the cursor stands behind the prompt.
    if (this.#isWaiting) process.stdout.write("\n");
    this.#reader.close();
    this.#state[Symbol.dispose]();
    this.#wake();
  }

  async #nextLine(): Promise<string | undefined> {
    while (this.#entered.length === 0 && !this.#isClosed) {
      this.#isWaiting = true;
      // What was typed ahead stands there already.
      this.#reader.prompt(true);
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#isWaiting = false;
    }
    return this.#entered.shift();
  }

  /** Ctrl-C: stops waiting for an evaluation, or drops the input and the line that is being typed. */
  #interrupt(): void {
    const { prompt } = this.#options;
    const isEmpty = this.#reader.line === "";
    const dropped = this.#entered.splice(0);
    const isRunning = this.#repl?.interrupt() ?? false;
    const hadSomething = isRunning || dropped.length > 0 || this.#lines.length > 0;
    this.#lines = [];
    if (!this.#isWaiting) return;
    this.#reader.write(null, { ctrl: true, name: "e" });
    process.stdout.write("\n");
    this.#reader.write(null, { ctrl: true, name: "u" });
    cursorTo(process.stdout, 0);
    clearLine(process.stdout, 0);
    if (isEmpty && !hadSomething) process.stdout.write("to leave, press Ctrl-D or type ,q\n");
    this.#reader.setPrompt(prompt);
    this.#reader.prompt();
  }
}
