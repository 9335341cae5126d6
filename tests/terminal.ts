/**
 * A person at a terminal: a program that runs on a pseudo-terminal of its own, what it shows, and what is typed.
 *
 * @module
 */
import { type IPty, spawn } from "npm:@lydell/node-pty@^1.1.0";
import type { TemporaryEnsemble } from "./temporary_ensemble.ts";

/** What keys send. */
export const CTRL_C = "\x03";
export const CTRL_D = "\x04";
export const CTRL_Z = "\x1a";
export const TAB = "\t";
export const LEFT = "\x02";
export const UP = "\x1b[A";

/** How long a program may take to show what is waited for, and to end, in ms. */
const DEADLINE = 30_000;

/** The columns of a terminal, unless a test says otherwise: more than any line needs. */
const COLUMNS = 200;

/** What appeared on a terminal, and how its program ended. */
export interface Seen {
  /** The exit code; 128 and the number of the signal for a program that a signal ended. */
  code: number;
  /** All that appeared on the terminal, without its control sequences. */
  screen: string;
  /** The same with them. */
  raw: string;
}

/** Options of a {@linkcode Terminal}. */
export interface TerminalOptions {
  /** How wide the terminal is, in characters. */
  columns?: number;
  /** Where the program is run, if not where the tests are. */
  cwd?: string;
}

/** A program on a terminal; it is ended with `await using`. */
export class Terminal implements AsyncDisposable {
  readonly #pty: IPty;
  readonly #ended = Promise.withResolvers<number>();
  #news = Promise.withResolvers<void>();
  #raw = "";
  /** Where the search goes on: what was found once is not found again. */
  #position = 0;
  #hasEnded = false;

  /** Starts a program, with the environment of an ensemble, on a terminal that shows colours. */
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
    // Comes after the last data.
    this.#pty.onExit(({ exitCode, signal }) => {
      this.#hasEnded = true;
      this.#ended.resolve(signal ? 128 + signal : exitCode);
      this.#tell();
    });
  }

  /**
   * Waits until a text appears, after the one that was waited for last. The cursor may be moved in between its
   * characters, as a line editor does when it writes a line anew.
   */
  async shows(text: string): Promise<void> {
    const shown = new RegExp(
      [...text].map(RegExp.escape).join(String.raw`(?:\x1b\[[0-9;?]*[A-Za-z])*`),
      "g",
    );
    for (;;) {
      shown.lastIndex = this.#position;
      if (shown.test(this.#raw)) {
        this.#position = shown.lastIndex;
        return;
      }
      if (this.#hasEnded) throw new Error(`it ended and did not show "${text}": ${this.#raw}`);
      await this.#inTime(this.#news.promise, `"${text}" is not shown`);
    }
  }

  /** Types keys. */
  type(keys: string): void {
    this.#pty.write(keys);
  }

  /** Closes the terminal, as when its window is closed, and waits until the program ends. */
  async close(): Promise<Seen> {
    // Its types leave it out.
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
 * Runs a program on a terminal of its own to its end: waits for each prompt in turn, and types what belongs to
 * it, with Enter after what is not a control key.
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

/** Runs `gxensemble` on a terminal of its own. */
export function gxensembleOnTerminal(
  ensemble: TemporaryEnsemble,
  args: string[],
  dialogue?: [prompt: string, typed: string][],
): Promise<Seen> {
  return onTerminal(ensemble, [...ensemble.program, ...args], dialogue);
}
