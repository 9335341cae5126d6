/**
 * Where the inputs of a person come from.
 *
 * @module
 */
import process from "node:process";
import { writeAll } from "../../runtime/home/standard_stream.ts";
import { TerminalState } from "../kit/prompts.ts";
import type { Canvas } from "./editor/drawing.ts";
import { InputEditor, type InputEditorOptions } from "./editor/input_editor.ts";
import { PASTE_OFF, PASTE_ON } from "./editor/key_decoder.ts";
import { stopForShell } from "./job_control.ts";

/** Reads inputs from a terminal, and writes to it. */
export interface TerminalReader {
  /** Reads the next input; undefined when there are no more. */
  read(): Promise<string | undefined>;
  /** Prints lines; what is being typed moves below them. */
  print(text: string): void;
  /** Lets something else have the terminal, while no input is read. */
  release(): void;
  /** Has the terminal again. */
  take(): void;
  /** Gives the terminal back; what reads an input gets none. */
  close(): void;
}

/** What a {@linkcode TerminalReader} needs. */
export type TerminalReaderOptions = Omit<InputEditorOptions, keyof Canvas | "suspend">;

/** A terminal on which inputs are edited. */
export class EditingReader implements TerminalReader {
  readonly #editor: InputEditor;
  readonly #cleanup = new DisposableStack();
  #decoder = new TextDecoder();
  #hasTerminal = false;
  /** Whether the signal is still to come that says that the process has gone on after Ctrl-Z. */
  #hasContinued = false;
  readonly #onData = (bytes: Uint8Array) => {
    this.#editor.push(this.#decoder.decode(bytes, { stream: true }));
  };
  readonly #onEnd = () => this.#editor.end();

  /** Takes the terminal over. */
  constructor(options: TerminalReaderOptions) {
    this.#editor = new InputEditor({
      ...options,
      complete: (text) => options.complete(text),
      isIncomplete: (text) => options.isIncomplete(text),
      interrupt: () => options.interrupt(),
      suspend: () => this.#suspend(),
      write,
      size: terminalSize,
    });
    this.#cleanup.use(new TerminalState());
    this.#listen("SIGWINCH", () => this.#editor.redraw());
    this.#listen("SIGCONT", () => this.#continue());
    // However the process ends: the next program does not know of pastes.
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

  /** Lets the shell have the terminal until it goes on with the process. */
  #suspend(): void {
    this.release();
    this.#hasContinued = stopForShell();
    this.take();
  }

  /** The process goes on after something else has stopped it. */
  #continue(): void {
    const isSeenTo = this.#hasContinued;
    this.#hasContinued = false;
    if (isSeenTo || !this.#hasTerminal) return;
    process.stdin.setRawMode(true);
    write(PASTE_ON);
    this.#editor.restore();
  }

  #listen(signal: Deno.Signal, listener: () => void): void {
    Deno.addSignalListener(signal, listener);
    this.#cleanup.defer(() => Deno.removeSignalListener(signal, listener));
  }
}

/** A terminal that does not know its size, such as a serial line, is as large as they used to be. */
function terminalSize(): { columns: number; rows: number } {
  const { columns, rows } = Deno.consoleSize();
  return { columns: columns || 80, rows: rows || 24 };
}

function write(text: string): void {
  try {
    writeAll(Deno.stdout, new TextEncoder().encode(text));
  } catch {
    // The terminal has gone, of which its signal or the end of the input tells.
  }
}
