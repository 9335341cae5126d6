/**
 * A user at a terminal: a program on its own pseudo-terminal, its output, and typed keys.
 *
 * @module
 */
import { type IPty, spawn } from "npm:@lydell/node-pty@^1.1.0";
import type { TemporaryEnsemble } from "./temporary_ensemble.ts";

/** The sequences that keys send. */
export const CTRL_C = "\x03";
export const CTRL_D = "\x04";
export const CTRL_Z = "\x1a";
export const TAB = "\t";
export const LEFT = "\x02";
export const UP = "\x1b[A";

/** The timeout for the expected output, and for the program's end, in ms. */
const DEADLINE = 30_000;

/** The default width of a terminal, in columns: more than any line needs. */
const COLUMNS = 200;

/** The output on a terminal, and the program's exit. */
export interface Seen {
  /** The exit code; 128 plus the signal's number for a program that a signal ended. */
  code: number;
  /** The output without its control sequences. */
  screen: string;
  /** The output with its control sequences. */
  raw: string;
}

/** Options of a {@linkcode Terminal}. */
export interface TerminalOptions {
  /** The width of the terminal, in characters. */
  columns?: number;
  /** The program's working directory, if not that of the tests. */
  cwd?: string;
}

/** A program on a terminal; ended with `await using`. */
export class Terminal implements AsyncDisposable {
  readonly #pty: IPty;
  readonly #ended = Promise.withResolvers<number>();
  #news = Promise.withResolvers<void>();
  #raw = "";
  /** The position where the search continues, so that no text is found twice. */
  #position = 0;
  #hasEnded = false;

  /** Starts a program with the environment of an ensemble, on a terminal with colors. */
  constructor(
    ensemble: TemporaryEnsemble,
    [program, ...args]: string[],
    options: TerminalOptions = {},
  ) {
    const { NO_COLOR: _, ...env } = { ...Deno.env.toObject(), ...ensemble.environment };
    this.#pty = spawn(program!, args, {
      name: "xterm",
      cols: options.columns ?? COLUMNS,
      rows: 40,
      cwd: options.cwd,
      env,
    });
    this.#pty.onData((text) => {
      this.#raw += text;
      this.#tell();
    });
    // Arrives after the last data.
    this.#pty.onExit(({ exitCode, signal }) => {
      this.#hasEnded = true;
      this.#ended.resolve(signal ? 128 + signal : exitCode);
      this.#tell();
    });
  }

  /**
   * Waits until a text appears after the one that was waited for last. The cursor can move between
   * its characters, as when a line editor redraws a line.
   */
  async shows(text: string): Promise<void> {
    const shown = new RegExp(
      [...text].map(RegExp.escape).join(String.raw`(?:\x1b\[[0-9;?]*[A-Za-z])*`),
      "g",
    );
    // A program that draws again and again must not put it off.
    for (const late = performance.now() + DEADLINE; performance.now() < late;) {
      shown.lastIndex = this.#position;
      if (shown.test(this.#raw)) {
        this.#position = shown.lastIndex;
        return;
      }
      if (this.#hasEnded) throw new Error(`it ended and did not show "${text}": ${this.#raw}`);
      await this.#inTime(this.#news.promise, `"${text}" is not shown`);
    }
    throw new Error(`"${text}" is not shown within ${DEADLINE} ms: ${this.#raw}`);
  }

  /** Changes its size. */
  resize(columns: number, rows: number): void {
    this.#pty.resize(columns, rows);
  }

  /** Sends a signal to the program. */
  signal(signal: Deno.Signal): void {
    this.#pty.kill(signal);
  }

  /** Waits until a text that matches appears, and returns it. */
  async find(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.#raw);
      if (found) return found[0];
      if (this.#hasEnded) throw new Error(`it ended and did not show ${pattern}: ${this.#raw}`);
      await this.#inTime(this.#news.promise, `${pattern} is not shown`);
    }
  }

  /** Types keys. */
  type(keys: string): void {
    this.#pty.write(keys);
  }

  /** Closes the terminal, as when its window is closed, and waits until the program ends. */
  async close(): Promise<Seen> {
    // Its types omit it.
    (this.#pty as IPty & { destroy(): void }).destroy();
    return await this.end();
  }

  /** Waits until the program ends. */
  async end(): Promise<Seen> {
    const code = await this.#inTime(this.#ended.promise, "it does not end");
    const raw = this.#raw;
    // deno-lint-ignore no-control-regex -- control sequences are what has to be found
    return { code, raw, screen: raw.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, "") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) this.#pty.kill("SIGKILL");
    await this.#ended.promise;
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }

  async #inTime<Value>(promise: Promise<Value>, what: string): Promise<Value> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const fail = () => reject(new Error(`${what} within ${DEADLINE} ms: ${this.#raw}`));
      timer = setTimeout(fail, DEADLINE);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Runs a program on its own terminal to its end: waits for each prompt in turn and types the reply,
 * followed by Enter unless it is a control key.
 */
export async function onTerminal(
  ensemble: TemporaryEnsemble,
  command: string[],
  dialogue: [prompt: string, typed: string][] = [],
  options: TerminalOptions = {},
): Promise<Seen> {
  await using terminal = new Terminal(ensemble, command, options);
  for (const [prompt, typed] of dialogue) {
    await terminal.shows(prompt);
    terminal.type([CTRL_C, CTRL_D].includes(typed) ? typed : `${typed}\r`);
  }
  return await terminal.end();
}

/** Runs `gxensemble` on its own terminal. */
export function gxensembleOnTerminal(
  ensemble: TemporaryEnsemble,
  args: string[],
  dialogue?: [prompt: string, typed: string][],
): Promise<Seen> {
  return onTerminal(ensemble, [...ensemble.program, ...args], dialogue);
}
