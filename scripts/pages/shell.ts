/**
 * A shell that commands are typed into.
 *
 * @module
 */

/** How long anything may take before it is given up, in ms. */
const PATIENCE = 120_000;

/** How often a condition is looked at, in ms. */
const POLL = 20;

/** What ends the output of a command: a character that no command prints. */
const MARK = "\x01";

/** What a command has left. */
export interface Outcome {
  readonly code: number;
  /** Standard output and standard error, in the order in which they were written. */
  readonly output: string;
}

/** A command that goes on. */
export interface Job {
  readonly pid: string;
  readonly text: string;
  /** What it has written so far. */
  readonly output: () => string;
}

/** One `sh`, to which directories, variables and functions stay known from one command to the next. */
export class Shell implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #output: ReadableStreamDefaultReader<string>;
  readonly #scratch: string;
  readonly #jobs: Job[] = [];
  #rest = "";
  #directory: string;
  #count = 0;

  /**
   * Starts the shell.
   *
   * @param scratch a directory for what commands read and write.
   */
  constructor(directory: string, scratch: string, env: Record<string, string>) {
    // In a process group of its own: so all that it has started can be ended with it.
    this.#process = new Deno.Command("sh", {
      cwd: directory,
      clearEnv: true,
      env,
      detached: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#output = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#scratch = scratch;
    this.#directory = directory;
  }

  /** The directory that the shell is in. */
  get directory(): string {
    return this.#directory;
  }

  /** The commands that were started and may still run. */
  get jobs(): readonly Job[] {
    return this.#jobs;
  }

  /**
   * Runs a command to its end.
   *
   * @param typed the lines of its standard input.
   */
  async run(text: string, typed: readonly string[] = []): Promise<Outcome> {
    const input = `${this.#scratch}/input`;
    await Deno.writeTextFile(input, typed.map((line) => `${line}\n`).join(""));
    const [output, code] = await this.#type(`{ ${text}\n} <'${input}' 2>&1`, "$?");
    return { code: Number(code), output };
  }

  /** Starts a command that ends with `&`. */
  async start(text: string): Promise<Job> {
    const log = `${this.#scratch}/job${this.#count++}`;
    const [, pid] = await this.#type(`{ ${text}\n} </dev/null >'${log}' 2>&1`, "$!");
    const job = { pid, text, output: () => Deno.readTextFileSync(log) };
    this.#jobs.push(job);
    return job;
  }

  /** Waits until something holds, while a command goes on. */
  async wait(job: Job, condition: () => boolean): Promise<void> {
    for (let waited = 0; !condition(); waited += POLL) {
      // Only now and then, since it costs two processes. `env` makes the shell notice that the command has ended.
      const isAlive = waited % 500 !== 0 ||
        (await this.run(`env true; kill -0 ${job.pid}`)).code === 0;
      if (!isAlive && !condition()) throw new Error("it has ended before");
      if (waited > PATIENCE) throw new Error("nothing more came");
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  }

  /** Waits until the commands that go on have ended; gives the exit code of each. */
  async waitForJobs(): Promise<number[]> {
    const codes: number[] = [];
    for (const { pid } of this.#jobs) codes.push((await this.run(`wait ${pid}`)).code);
    return codes;
  }

  /** Ends the shell and all that it has started. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.kill(-this.#process.pid, "SIGKILL");
    } catch {
      // Everything has ended.
    }
    await this.#input.abort().catch(() => {});
    await this.#output.cancel().catch(() => {});
    await this.#process.status;
  }

  /** Types a command; gives its output and a parameter of the shell. */
  async #type(text: string, parameter: string): Promise<[output: string, value: string]> {
    const line = `${text}\nprintf '\\n\\001%s %s\\n' "${parameter}" "$PWD"\n`;
    await this.#input.write(new TextEncoder().encode(line));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no end after ${PATIENCE / 1000} s`)), PATIENCE);
    });
    try {
      while (true) {
        const end = new RegExp(`\n${MARK}(\\S*) (.*)\n`).exec(this.#rest);
        if (end) {
          const output = this.#rest.slice(0, end.index);
          this.#rest = this.#rest.slice(end.index + end[0].length);
          this.#directory = end[2]!;
          return [output, end[1]!];
        }
        const { done, value } = await Promise.race([this.#output.read(), timeout]);
        if (done) throw new Error("the shell has ended");
        this.#rest += value;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
