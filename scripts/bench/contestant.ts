/**
 * Starts, awaits and ends the processes of the benchmark.
 *
 * @module
 */

/** A process that has printed that it is ready. */
export class Contestant implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts a program, and waits until its output contains `ready`, if given. */
  static async start(
    program: string,
    args: string[],
    options: { env?: Record<string, string>; cwd?: string; ready?: string } = {},
  ): Promise<Contestant> {
    const { env = {}, cwd, ready } = options;
    const process = new Deno.Command(program, { args, env, cwd, stdin: "null", stdout: "piped" })
      .spawn();
    const contestant = new Contestant(process);
    if (ready !== undefined) await contestant.waitFor(ready);
    return contestant;
  }

  /** Its output so far. */
  get text(): string {
    return this.#text;
  }

  /** Waits until its output contains a text. */
  async waitFor(text: string): Promise<void> {
    while (!this.#text.includes(text)) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`ended without ${text}: ${this.#text}`);
      this.#text += value;
    }
  }

  /** Waits for its end, and returns its output. */
  async output(): Promise<string> {
    for (let next; !(next = await this.#output.read()).done;) this.#text += next.value;
    await this.#process.status;
    return this.#text;
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#process.status;
    await this.#output.cancel();
  }
}
