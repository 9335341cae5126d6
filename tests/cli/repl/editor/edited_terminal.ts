/**
 * The line editor on a terminal in this process: typed keys, and the screen that the user sees.
 *
 * @module
 */
import assert from "node:assert/strict";
import xterm from "npm:@xterm/headless@^6.0.0";
import { isIncomplete } from "../../../../cli/repl/continuation.ts";
import { InputEditor, type InputEditorOptions } from "../../../../cli/repl/editor/input_editor.ts";

/** The sequences that keys send. */
export const ESCAPE = "\x1b";
export const ENTER = "\r";
export const BACKSPACE = "\x7f";
export const UP = "\x1b[A";
export const DOWN = "\x1b[B";
export const RIGHT = "\x1b[C";
export const LEFT = "\x1b[D";
export const HOME = "\x1b[H";
export const END = "\x1b[F";
export const DELETE = "\x1b[3~";
export const CTRL = Object.fromEntries(
  [..."abcdefghijklmnopqrstuvwxyz"].map((
    letter,
    index,
  ) => [letter, String.fromCharCode(index + 1)]),
) as Record<string, string>;

/** The sequence that a terminal sends for a paste. */
export function pasted(text: string): string {
  return `\x1b[200~${text.replaceAll("\n", "\r")}\x1b[201~`;
}

/** How long to wait for the expected screen, in ms. */
const DEADLINE = 10_000;

/** An editor on a terminal. */
export class EditedTerminal implements Disposable {
  /** The editor. */
  readonly editor: InputEditor;
  /** The inputs that were entered. */
  readonly entered: string[] = [];
  /** The history. */
  readonly history: string[] = [];
  /** Whether the inputs have ended. */
  hasLeft = false;
  /** How often Ctrl-C and Ctrl-Z were pressed while nothing was read. */
  interrupts = 0;
  /** Everything that the editor wrote. */
  written = "";
  readonly #terminal: xterm.Terminal;

  /** Starts the editor on a terminal of the given size. */
  constructor(
    { columns = 40, rows = 10, ...options }: Partial<InputEditorOptions> & {
      columns?: number;
      rows?: number;
    } = {},
  ) {
    // Like the kernel, it starts a new line at a line feed.
    this.#terminal = new xterm.Terminal({
      cols: columns,
      rows,
      convertEol: true,
      allowProposedApi: true,
    });
    this.editor = new InputEditor({
      prompt: "> ",
      continuation: ". ",
      history: this.history,
      complete: () => Promise.resolve([[], ""]),
      isIncomplete,
      interrupt: () => this.interrupts++,
      suspend: () => {},
      write: (text) => {
        this.written += text;
        this.#terminal.write(text);
      },
      size: () => ({ columns: this.#terminal.cols, rows: this.#terminal.rows }),
      ...options,
    });
  }

  /** Reads inputs until they end, like a REPL that evaluates nothing. */
  async run(): Promise<void> {
    for (let input; (input = await this.editor.read()) !== undefined;) {
      this.entered.push(input);
      if (input !== "") this.history.push(input);
    }
    this.hasLeft = true;
  }

  /** Types keys one after the other. */
  type(...keys: string[]): void {
    for (const each of keys) this.editor.push(each);
  }

  /** Resizes the terminal. */
  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows);
    this.editor.redraw();
  }

  /** Waits until the screen shows exactly these lines; `|` marks the cursor. */
  async shows(...lines: string[]): Promise<void> {
    await this.#become(() => this.#screen(lines.some((line) => line.includes("|"))), lines);
  }

  /** Waits until these inputs have been entered. */
  async enters(...inputs: string[]): Promise<void> {
    await this.#become(() => this.entered, inputs);
  }

  /** Waits until the inputs end. */
  async leaves(): Promise<void> {
    await this.#become(() => this.hasLeft, true);
  }

  async #become<Value>(read: () => Value, expected: Value): Promise<void> {
    const start = performance.now();
    for (;;) {
      await new Promise<void>((resolve) => this.#terminal.write("", resolve));
      try {
        return assert.deepEqual(read(), expected);
      } catch (error) {
        if (performance.now() - start > DEADLINE) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** The lines on the screen. */
  #screen(withCursor: boolean): string[] {
    const { active } = this.#terminal.buffer;
    const lines = Array.from({ length: this.#terminal.rows }, (_, row) => {
      const line = active.getLine(active.viewportY + row)!;
      if (!withCursor || row !== active.cursorY) return line.translateToString(true);
      const before = line.translateToString(false, 0, active.cursorX);
      return `${before}|${line.translateToString(true, active.cursorX)}`;
    });
    while (lines.length > 1 && lines.at(-1) === "") lines.pop();
    return lines;
  }

  [Symbol.dispose](): void {
    this.editor.end();
    this.#terminal.dispose();
  }
}

/** Runs a test with an editor that reads. */
export async function withEditor(
  options: ConstructorParameters<typeof EditedTerminal>[0],
  test: (terminal: EditedTerminal) => Promise<void>,
): Promise<void> {
  using terminal = new EditedTerminal(options);
  const running = terminal.run();
  await test(terminal);
  terminal.editor.end();
  await running;
}
