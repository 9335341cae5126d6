/**
 * A shell into which commands are typed.
 *
 * @module
 */

/** Timeout of every wait, in ms. */
const PATIENCE = 120_000;

/** How often a condition is checked, in ms. */
const POLL = 20;

/** The character that ends a command's output. No command prints it. */
const MARK = "\x01";

/** The result of a command. */
export interface Outcome {
  readonly code: number;
  /** Standard output and standard error, in the order in which they were written. */
  readonly output: string;
}

/** A background command. */
export interface Job {
  readonly pid: string;
  readonly text: string;
  /** Its output so far. */
  readonly output: () => string;
}

/** One `sh`, which keeps its directory, variables and functions from one command to the next. */
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
   * @param scratch a directory for the input and output of commands.
   */
  constructor(directory: string, scratch: string, env: Record<string, string>) {
    // In its own process group, so that everything it starts can be ended with it.
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

  /** The shell's directory. */
  get directory(): string {
    return this.#directory;
  }

  /** The commands that were started and may still be running. */
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

  /** Waits until a condition holds, while a command runs. */
  async wait(job: Job, condition: () => boolean): Promise<void> {
    for (let waited = 0; !condition(); waited += POLL) {
      // Checked only now and then, since it costs two processes. `env` makes the shell notice that
      // the command has ended.
      const isAlive = waited % 500 !== 0 ||
        (await this.run(`env true; kill -0 ${job.pid}`)).code === 0;
      if (!isAlive && !condition()) throw new Error("it has ended before");
      if (waited > PATIENCE) throw new Error("nothing more came");
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  }

  /** Waits until the background commands have ended, and returns their exit codes. */
  async waitForJobs(): Promise<number[]> {
    const codes: number[] = [];
    for (const { pid } of this.#jobs) codes.push((await this.run(`wait ${pid}`)).code);
    return codes;
  }

  /** Ends the shell and everything it has started. */
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

  /** Types a command, and returns its output and a parameter of the shell. */
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
