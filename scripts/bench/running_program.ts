/**
 * Processes of the benchmark: started, waited for, ended.
 *
 * @module
 */

/** A program that runs. It is killed when it is disposed of. */
export class RunningProgram implements AsyncDisposable {
  static readonly #running = new Set<RunningProgram>();
  readonly #process: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /**
   * Starts a program. If `ready` is given, waits until that is in its output. `quiet` drops its
   * errors.
   */
  static async start(
    program: string,
    args: string[],
    options: { env?: Record<string, string>; cwd?: string; ready?: string; quiet?: boolean } = {},
  ): Promise<RunningProgram> {
    const { env = {}, cwd, ready, quiet = false } = options;
    const process = new Deno.Command(program, {
      args,
      env,
      cwd,
      stdin: "null",
      stdout: "piped",
      stderr: quiet ? "null" : "inherit",
    }).spawn();
    const running = new RunningProgram(process);
    this.#running.add(running);
    if (ready !== undefined) await running.waitFor(ready);
    return running;
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** What it has printed so far. */
  get text(): string {
    return this.#text;
  }

  /**
   * Waits until the output has a text.
   *
   * @throws {Error} if it ends without it.
   */
  async waitFor(text: string): Promise<void> {
    while (!this.#text.includes(text)) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`the program ended without printing ${text}: ${this.#text}`);
      this.#text += value;
    }
  }

  /**
   * Waits for the end. Returns all that was printed.
   *
   * @throws {Error} if it fails.
   */
  async output(): Promise<string> {
    for (let next; !(next = await this.#output.read()).done;) this.#text += next.value;
    const { success, code } = await this.#process.status;
    if (!success) throw new Error(`the program ended with code ${code}: ${this.#text}`);
    return this.#text;
  }

  /** Drops what it prints from now on, so that it never waits for a reader. */
  async drain(): Promise<void> {
    while (!(await this.#output.read()).done);
  }

  /** Kills all that run, when the benchmark itself is made to end. */
  static killAll(): void {
    for (const running of this.#running) running.#kill();
  }

  #kill(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  }

  /** Kills it, if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    RunningProgram.#running.delete(this);
    this.#kill();
    await this.#process.status;
    await this.#output.cancel();
  }
}

/** Runs a program to its end. Returns what it printed. */
export async function outputOf(...args: Parameters<typeof RunningProgram.start>): Promise<string> {
  await using program = await RunningProgram.start(...args);
  return await program.output();
}
