/**
 * A process of the development ensemble: its output, and its end.
 *
 * @module
 */
import type { OwnCommand } from "../kit/own_command.ts";
import { OutputLines } from "./output_lines.ts";
import type { ProcessKeeper } from "./process_keeper.ts";

/** How long output is waited for after a process has ended: another one may still have the pipe. */
const LAST_OUTPUT = 500;

/** Waits until the keeper knows it, and becomes the program. */
const START = 'read -r _ && exec "$@" </dev/null';

/** A process to start. */
export interface ProcessOptions {
  /** The program and its arguments. */
  readonly command: OwnCommand;
  /** Its directory. */
  readonly cwd: string;
  /** Ends it when this command is killed. */
  readonly keeper: ProcessKeeper;
  /** Takes the lines that it prints. */
  readonly print: (lines: readonly string[]) => void;
}

/** How a process is stopped. */
export interface StopRule {
  /** The signal that asks it to stop. */
  readonly signal: Deno.Signal;
  /** How long it may take, in ms. */
  readonly killAfter: number;
}

/** How a process ended. */
export interface ExitStatus {
  /** Its exit code. */
  readonly code: number;
  /** The signal that ended it, if one did. */
  readonly signal: Deno.Signal | null;
}

/**
 * A process with a session of its own, so that Ctrl-C in the terminal does not reach it: it is stopped in
 * order. It leads its process group, which ends with it.
 */
export class DevelopmentProcess {
  /** Its id, which is also that of its process group. */
  readonly pid: number;
  /** When it was started, as `performance.now()` says. */
  readonly startedAt: number = performance.now();
  /** Resolves when it has ended and its output is printed. */
  readonly ended: Promise<ExitStatus>;
  readonly #process: Deno.ChildProcess;
  #isAsked = false;

  /** Starts it. */
  constructor({ command, cwd, keeper, print }: ProcessOptions) {
    this.#process = new Deno.Command("/bin/sh", {
      args: ["-c", START, "sh", command.program, ...command.args],
      cwd,
      env: { ...command.env },
      detached: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#process.pid;
    this.ended = this.#follow(keeper, print);
  }

  /** Whether it was asked to stop. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** Asks it to stop, kills it when it has not, and waits for its end. */
  async stop({ signal, killAfter }: StopRule): Promise<ExitStatus> {
    this.#isAsked = true;
    this.#signal(signal);
    const timer = setTimeout(() => this.kill(), killAfter);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Kills its process group. */
  kill(): void {
    this.#isAsked = true;
    this.#killGroup();
  }

  #killGroup(): void {
    try {
      Deno.kill(-this.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended.
    }
  }

  async #follow(keeper: ProcessKeeper, print: ProcessOptions["print"]): Promise<ExitStatus> {
    await keeper.add(this.pid);
    const start = this.#process.stdin.getWriter();
    await start.write(new TextEncoder().encode("\n")).catch(() => {});
    void start.close().catch(() => {});
    const readers = [this.#process.stdout, this.#process.stderr].map((stream) =>
      readLines(stream, print)
    );
    const { code, signal } = await this.#process.status;
    this.#killGroup();
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([
      Promise.all(readers),
      new Promise((resolve) => timer = setTimeout(resolve, LAST_OUTPUT)),
    ]);
    clearTimeout(timer);
    await keeper.remove(this.pid);
    return { code, signal };
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  print: ProcessOptions["print"],
): Promise<void> {
  const lines = new OutputLines();
  for await (const bytes of stream) {
    const whole = lines.add(bytes);
    if (whole.length > 0) print(whole);
  }
  const last = lines.end();
  if (last.length > 0) print(last);
}
