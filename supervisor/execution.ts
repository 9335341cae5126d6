/**
 * One program that runs on a host for an operator.
 *
 * @module
 */
import { resolve } from "node:path";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { EnsembleError } from "../runtime/errors.ts";
import { within } from "../runtime/timeout.ts";
import { ExecutionOutput } from "./execution_output.ts";
import {
  DEFAULT_RUN_TIME,
  type ExecutionRequest,
  type KillSignal,
  MAX_OUTPUT_WAIT,
  MAX_RUN_TIME,
  type ProcessOutput,
} from "./executions_protocol.ts";
import type { ProcessEnd } from "./processes/server_report.ts";

const logger = getLogger(["gxensemble", "supervisor"]);

/** How long a program has to end after SIGTERM, in ms. */
const GRACE = 5_000;

/** How long its output may still come after it has ended, in ms: a child may have its pipes. */
const OUTPUT_GRACE = 1_000;

/** A process of its own session, so that signals reach its children, too. */
export class Execution {
  readonly #child: Deno.ChildProcess;
  readonly #output: ExecutionOutput;
  readonly #ended: Promise<ProcessEnd>;
  #exit: ProcessEnd | undefined;
  #reason: string | undefined;

  /**
   * Starts a program.
   *
   * @param options.directory the directory of the ensemble's files.
   * @param options.programs the directory of uploaded executables.
   * @throws {EnsembleError} if it cannot be run.
   */
  constructor(
    request: ExecutionRequest,
    options: { readonly directory: string; readonly programs: string },
  ) {
    const { detached, timeout = DEFAULT_RUN_TIME } = request;
    this.#child = spawn(request, options);
    this.#output = new ExecutionOutput({ waitsForReader: !detached });
    const most = Math.min(timeout, MAX_RUN_TIME);
    const timer = setTimeout(() => void this.stop(`it ran for ${most / 1000} s`), most);
    this.#ended = this.#watch(detached).finally(() => clearTimeout(timer));
  }

  /** Its process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** The bytes that it has written. */
  get outputLength(): number {
    return this.#output.length;
  }

  /** How it ended; undefined while it runs. */
  get exit(): ProcessEnd | undefined {
    return this.#exit;
  }

  /** Resolves when it has ended and its output is complete. */
  get ended(): Promise<ProcessEnd> {
    return this.#ended;
  }

  /** Reads its output; see `readProcessOutput`. */
  async read(after: number, wait: number): Promise<ProcessOutput> {
    // A position that is read lets the program write on, so that is done before the wait.
    let read = this.#output.read(after);
    if (read.parts.length === 0 && !read.isLast) {
      await within(Math.min(wait, MAX_OUTPUT_WAIT), this.#output.grows(read.position));
      read = this.#output.read(read.position);
    }
    const { parts, position, lost, isLast } = read;
    return { parts, position, lost, ...isLast && this.#exit && { exit: this.#exit } };
  }

  /** Sends a signal to the program and its children. Returns false if it has ended. */
  kill(signal: KillSignal, by: string): boolean {
    if (this.#exit) return false;
    if (["SIGTERM", "SIGKILL", "SIGINT", "SIGQUIT"].includes(signal)) {
      this.#reason = `${signal} by ${by}`;
    }
    return this.#send(signal);
  }

  /** Ends it: with SIGTERM, and with SIGKILL if it has not ended some seconds later. */
  async stop(reason: string): Promise<ProcessEnd> {
    if (!this.#exit) {
      this.#reason ??= reason;
      this.#send("SIGTERM");
      // One that is stopped does not take the signal.
      this.#send("SIGCONT");
      if (!await within(GRACE, this.#ended)) this.#send("SIGKILL");
    }
    return await this.#ended;
  }

  async #watch(detached: boolean): Promise<ProcessEnd> {
    const { stdout, stderr, status } = this.#child;
    const abort = new AbortController();
    const reading = Promise.all([
      this.#collect("stdout", stdout, abort.signal),
      this.#collect("stderr", stderr, abort.signal),
    ]);
    const { code, signal } = await status;
    // What it has left behind would run on unseen, and hold its pipes.
    if (!detached) this.#send("SIGKILL");
    this.#output.release();
    if (!await within(OUTPUT_GRACE, reading)) abort.abort();
    await reading;
    const reason = this.#reason;
    this.#exit = { ...signal ? { signal } : { code }, ...reason && { reason }, at: Date.now() };
    this.#output.close();
    return this.#exit;
  }

  async #collect(
    stream: "stdout" | "stderr",
    source: ReadableStream<Uint8Array<ArrayBuffer>>,
    signal: AbortSignal,
  ): Promise<void> {
    const reader = source.getReader();
    signal.addEventListener("abort", () => void reader.cancel().catch(() => {}));
    try {
      for (let read; !(read = await reader.read()).done;) {
        await this.#output.add(stream, read.value);
      }
    } catch (error) {
      logger.debug("{stream} of process {pid} cannot be read: {reason}", {
        stream,
        pid: this.pid,
        reason: (error as Error).message,
      });
    }
  }

  #send(signal: Deno.Signal): boolean {
    try {
      Deno.kill(-this.pid, signal);
      return true;
    } catch {
      return false; // No process of the group is left.
    }
  }
}

function spawn(
  { program, args, env, directory: wanted = "." }: ExecutionRequest,
  { directory, programs }: { readonly directory: string; readonly programs: string },
): Deno.ChildProcess {
  const cwd = resolve(directory, wanted);
  const start = (file: string) =>
    new Deno.Command(file, {
      args: [...args],
      cwd,
      ...env && { env: { ...env } },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
  try {
    if (program.includes("/")) return start(resolve(cwd, program));
    try {
      return start(program);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return start(`${programs}/${program}`);
      throw error;
    }
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    const why = isMissing && !isDirectory(cwd)
      ? `there is no directory ${cwd}`
      : !isMissing
      ? (error as Error).message
      : program.includes("/")
      ? `there is no file ${resolve(cwd, program)}`
      : `it is neither in PATH nor in ${programs}`;
    throw new EnsembleError(`cannot run ${program}: ${why}`, { cause: error });
  }
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
