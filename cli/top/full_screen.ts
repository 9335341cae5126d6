/**
 * The whole terminal: a command draws lines on it and reads keys, and the terminal is as before when
 * the command ends, is suspended, or asks something.
 *
 * @module
 */
import process from "node:process";
import { writeAll } from "../../runtime/home/standard_stream.ts";
import { onEndingSignal, onSignal } from "../../runtime/home/signals.ts";
import { KeyDecoder, PASTE_OFF, PASTE_ON, type TerminalInput } from "../kit/key_decoder.ts";
import { terminalSize } from "../kit/output.ts";
import { stopForShell } from "../kit/shell_job.ts";

// xterm's control sequences: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html

/** The second screen, without the lines that scrolled out, and without a cursor. */
const ENTER = `\x1b[?1049h\x1b[?25l\x1b[?7l${PASTE_ON}`;
const LEAVE = `${PASTE_OFF}\x1b[?7h\x1b[?25h\x1b[?1049l`;

/** Has the terminal show what is between them at once, if it can. */
const BEGIN_UPDATE = "\x1b[?2026h";
const END_UPDATE = "\x1b[?2026l";

/** What a program does on the screen. */
export interface ScreenProgram {
  /** The lines to show: at most `rows`, each at most `columns` wide. */
  render(size: { readonly columns: number; readonly rows: number }): readonly string[];
  /** Takes what was typed. */
  onInput(input: TerminalInput): void;
  /** The end of the input: the terminal is gone. */
  onEnd(): void;
}

/** The terminal, until it is disposed. */
export class FullScreen implements Disposable {
  readonly #program: ScreenProgram;
  readonly #cleanup = new DisposableStack();
  readonly #keys: KeyDecoder;
  #decoder = new TextDecoder();
  /** The lines that are shown; unknown if empty. */
  #shown: readonly string[] = [];
  #hasTerminal = false;
  /** Whether the SIGCONT after Ctrl-Z is still to come. */
  #hasContinued = false;
  readonly #onData = (bytes: Uint8Array) => {
    this.#keys.push(this.#decoder.decode(bytes, { stream: true }));
  };
  readonly #onEnd = () => this.#program.onEnd();

  /** Takes over the terminal, and draws. */
  constructor(program: ScreenProgram) {
    this.#program = program;
    this.#keys = new KeyDecoder((input) => program.onInput(input));
    this.#cleanup.use(onEndingSignal());
    const restore = () => this.#hasTerminal && write(LEAVE);
    addEventListener("unload", restore);
    this.#cleanup.defer(() => removeEventListener("unload", restore));
    this.#cleanup.use(onSignal("SIGWINCH", () => this.redraw()));
    this.#cleanup.use(onSignal("SIGCONT", () => this.#continue()));
    // From another process, such as kill; Ctrl-Z is a key.
    this.#cleanup.use(onSignal("SIGTSTP", () => this.suspend()));
    this.take();
  }

  /** Draws the lines that have changed. */
  draw(): void {
    if (!this.#hasTerminal) return;
    const size = terminalSize();
    const lines = this.#program.render(size).slice(0, size.rows);
    // A line is erased first: after a character in the last column, that would be erased, too.
    const changed = lines.flatMap((line, row) =>
      line === this.#shown[row] ? [] : `\x1b[${row + 1};1H\x1b[2K${line}`
    );
    const hasMore = this.#shown.length !== lines.length;
    const below = hasMore && lines.length < size.rows ? `\x1b[${lines.length + 1};1H\x1b[J` : "";
    this.#shown = lines;
    if (changed.length === 0 && below === "") return;
    write(BEGIN_UPDATE + changed.join("") + below + END_UPDATE);
  }

  /** Draws all, as after the size of the terminal has changed. */
  redraw(): void {
    if (!this.#hasTerminal) return;
    this.#shown = [];
    write("\x1b[2J");
    this.draw();
  }

  /** Takes over the terminal. */
  take(): void {
    if (this.#hasTerminal) return;
    this.#hasTerminal = true;
    process.stdin.setRawMode(true);
    process.stdin.on("data", this.#onData).on("end", this.#onEnd).resume();
    write(ENTER);
    this.redraw();
  }

  /** Restores the terminal. */
  release(): void {
    if (!this.#hasTerminal) return;
    this.#hasTerminal = false;
    this.#keys.reset();
    process.stdin.off("data", this.#onData).off("end", this.#onEnd).pause();
    write(LEAVE);
    process.stdin.setRawMode(false);
  }

  /** Lends the terminal to a prompt that reads it itself. */
  async lend<Result>(prompt: () => Promise<Result>): Promise<Result> {
    this.release();
    try {
      return await prompt();
    } finally {
      if (!this.#cleanup.disposed) this.take();
    }
  }

  /** Suspends the process until the shell continues it. */
  suspend(): void {
    if (!this.#hasTerminal) return;
    this.release();
    this.#hasContinued = stopForShell();
    this.take();
  }

  [Symbol.dispose](): void {
    this.release();
    this.#cleanup.dispose();
  }

  /** Takes over the terminal again, after another process has stopped and continued this one. */
  #continue(): void {
    const isHandled = this.#hasContinued;
    this.#hasContinued = false;
    if (isHandled || !this.#hasTerminal) return;
    process.stdin.setRawMode(true);
    write(ENTER);
    this.redraw();
  }
}

function write(text: string): void {
  try {
    writeAll(Deno.stdout, new TextEncoder().encode(text));
  } catch {
    // The terminal is gone: SIGHUP or the end of input follows.
  }
}
