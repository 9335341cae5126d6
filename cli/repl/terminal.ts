/**
 * The REPL at a terminal. Inputs are read with an editor or, with `TERM=dumb`, line by line.
 *
 * @module
 */
import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import { visibleText } from "../../runtime/safe_text.ts";
import { writeAll } from "../../runtime/home/standard_stream.ts";
import { isDumbTerminal, terminalSize, usesColors, visibleValue } from "../kit/output.ts";
import { TerminalState } from "../kit/prompts.ts";
import { stopForShell } from "../kit/shell_job.ts";
import type { Canvas } from "./editor/drawing.ts";
import type { History } from "./editor/history.ts";
import { type Completion, InputEditor, type InputEditorOptions } from "./editor/input_editor.ts";
import { PASTE_OFF, PASTE_ON } from "../kit/key_decoder.ts";
import type { Repl } from "./repl.ts";

/** The prompt of the second and later lines of an input. */
const CONTINUATION = "... ";

/** Options of {@linkcode Terminal}. */
export interface TerminalOptions {
  /** The prompt of an input. */
  readonly prompt: string;
  /** The history of inputs. */
  readonly history: History;
  /** Completes a text up to the cursor, for Tab. */
  complete(text: string): Promise<Completion>;
}

/** The functions of the REPL that a terminal needs. */
type Evaluator = Pick<Repl, "isIncomplete" | "enter" | "interrupt">;

/** Reads inputs from the terminal, and prints to it. */
export class Terminal {
  readonly #history: History;
  readonly #reader: TerminalReader;
  #repl: Evaluator | undefined;
  #isClosed = false;

  /** Takes over the terminal. */
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
   * Lends the terminal to a prompt that reads it itself. Text typed there is not shown, not
   * evaluated and not kept in the history.
   */
  async lend<Result>(prompt: () => Promise<Result>): Promise<Result> {
    this.#reader.release();
    try {
      return await prompt();
    } finally {
      if (!this.#isClosed) this.#reader.take();
    }
  }

  /** Prints lines; the text being typed moves below them. */
  print(text: string): void {
    this.#reader.print(visibleText(text));
  }

  /** Prints a value in the server's format. */
  printValue(text: string): void {
    this.#reader.print(visibleValue(text, { colors: usesColors() }));
  }

  /**
   * Reads and evaluates inputs, up to Ctrl-D or a command that ends the REPL.
   *
   * @param lost aborts when the session is lost; then this throws its reason.
   */
  async run(repl: Evaluator, lost: AbortSignal): Promise<void> {
    lost.addEventListener("abort", () => this.close());
    this.#repl = repl;
    for (let input; (input = await this.#reader.read()) !== undefined;) {
      // Evaluated first, so that Ctrl-C can interrupt it; saving the history can wait.
      const [outcome] = await Promise.all([repl.enter(input), this.#history.add(input)]);
      if (outcome === "quit") break;
    }
    this.close();
    lost.throwIfAborted();
  }

  /** Restores the terminal. */
  close(): void {
    this.#isClosed = true;
    this.#reader.close();
  }
}

/** Reads inputs from a terminal, and prints to it. */
interface TerminalReader {
  /** Reads the next input; undefined if there are no more. */
  read(): Promise<string | undefined>;
  /** Prints lines; the text being typed moves below them. */
  print(text: string): void;
  /** Restores the terminal while no input is read. */
  release(): void;
  /** Takes over the terminal again. */
  take(): void;
  /** Restores the terminal for good; a pending `read` returns undefined. */
  close(): void;
}

/** Options of a {@linkcode TerminalReader}. */
type TerminalReaderOptions = Omit<InputEditorOptions, keyof Canvas | "suspend">;

/** Reads inputs with an editor. */
class EditingReader implements TerminalReader {
  readonly #editor: InputEditor;
  readonly #cleanup = new DisposableStack();
  #decoder = new TextDecoder();
  #hasTerminal = false;
  /** Whether the SIGCONT after Ctrl-Z is still to come. */
  #hasContinued = false;
  readonly #onData = (bytes: Uint8Array) => {
    this.#editor.push(this.#decoder.decode(bytes, { stream: true }));
  };
  readonly #onEnd = () => this.#editor.end();

  /** Takes over the terminal. */
  constructor(options: TerminalReaderOptions) {
    this.#editor = new InputEditor({
      ...options,
      suspend: () => this.#suspend(),
      write,
      size: terminalSize,
    });
    this.#cleanup.use(new TerminalState());
    this.#listen("SIGWINCH", () => this.#editor.redraw());
    this.#listen("SIGCONT", () => this.#continue());
    // Also if the process ends otherwise, since the next program does not expect marked pastes.
    const restore = () => this.#hasTerminal && write(PASTE_OFF);
    addEventListener("unload", restore);
    this.#cleanup.defer(() => removeEventListener("unload", restore));
    this.take();
  }

  read(): Promise<string | undefined> {
    return this.#editor.read();
  }

  print(text: string): void {
    this.#editor.print(text);
  }

  take(): void {
    if (this.#hasTerminal) return;
    this.#hasTerminal = true;
    process.stdin.setRawMode(true);
    process.stdin.on("data", this.#onData).on("end", this.#onEnd).resume();
    write(PASTE_ON);
  }

  release(): void {
    if (!this.#hasTerminal) return;
    this.#hasTerminal = false;
    write(PASTE_OFF);
    process.stdin.off("data", this.#onData).off("end", this.#onEnd).pause();
    process.stdin.setRawMode(false);
  }

  close(): void {
    this.#editor.end();
    this.release();
    this.#cleanup.dispose();
  }

  /** Suspends the process until the shell continues it. */
  #suspend(): void {
    this.release();
    this.#hasContinued = stopForShell();
    this.take();
  }

  /**
   * Takes over the terminal again, after the process was stopped and continued by another process.
   */
  #continue(): void {
    const isHandled = this.#hasContinued;
    this.#hasContinued = false;
    if (isHandled || !this.#hasTerminal) return;
    process.stdin.setRawMode(true);
    write(PASTE_ON);
    this.#editor.restore();
  }

  #listen(signal: Deno.Signal, listener: () => void): void {
    Deno.addSignalListener(signal, listener);
    this.#cleanup.defer(() => Deno.removeSignalListener(signal, listener));
  }
}

function write(text: string): void {
  try {
    writeAll(Deno.stdout, new TextEncoder().encode(text));
  } catch {
    // The terminal is gone: SIGHUP or the end of input follows.
  }
}

/** Reads inputs from a terminal without control sequences: the kernel edits the lines. */
class PlainReader implements TerminalReader {
  readonly #options: TerminalReaderOptions;
  #lines: Interface | undefined;
  /** Lines that were entered, and not read yet. */
  #entered: string[] = [];
  /** The lines of the input being typed. */
  #input: string[] = [];
  #isReading = false;
  #hasEnded = false;
  #wake = () => {};
  readonly #onInterrupt = () => this.#interrupt();

  /** Takes over the terminal. */
  constructor(options: TerminalReaderOptions) {
    this.#options = options;
    Deno.addSignalListener("SIGINT", this.#onInterrupt);
    this.take();
  }

  async read(): Promise<string | undefined> {
    this.#isReading = true;
    try {
      for (;;) {
        if (this.#entered.length === 0) this.#prompt();
        const line = await this.#nextLine();
        if (line === undefined) {
          process.stdout.write("\n");
          return undefined;
        }
        this.#input.push(line);
        const text = this.#input.join("\n");
        if (await this.#options.isIncomplete(text)) continue;
        this.#input = [];
        return text;
      }
    } finally {
      this.#isReading = false;
    }
  }

  print(text: string): void {
    process.stdout.write(this.#isReading ? `\n${text}\n` : `${text}\n`);
    if (this.#isReading) this.#prompt();
  }

  take(): void {
    if (this.#hasEnded) return;
    this.#lines = createInterface({ input: process.stdin, terminal: false })
      .on("line", (line) => {
        this.#entered.push(line);
        this.#wake();
      })
      .on("close", () => {
        this.#hasEnded = this.#lines !== undefined;
        this.#wake();
      });
  }

  release(): void {
    const lines = this.#lines;
    this.#lines = undefined;
    lines?.close();
  }

  close(): void {
    if (this.#hasEnded && !this.#lines) return;
    this.#hasEnded = true;
    this.release();
    Deno.removeSignalListener("SIGINT", this.#onInterrupt);
    this.#wake();
  }

  #prompt(): void {
    const { prompt, continuation } = this.#options;
    process.stdout.write(this.#input.length === 0 ? prompt : continuation);
  }

  async #nextLine(): Promise<string | undefined> {
    while (this.#entered.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#entered.shift();
  }

  /** Handles Ctrl-C. The kernel has dropped the line being typed. */
  #interrupt(): void {
    this.#entered = [];
    if (!this.#isReading) return this.#options.interrupt();
    this.#input = [];
    process.stdout.write("\n");
    this.#prompt();
  }
}
