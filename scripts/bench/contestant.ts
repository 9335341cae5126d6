/**
 * Processes of the benchmark: started, waited for, ended.
 *
 * @module
 */

/** A process that has said that it is ready. */
export class Contestant implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts a program, and waits for `ready` in its output when it says that. */
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

  /** What it has printed so far. */
  get text(): string {
    return this.#text;
  }

  /** Waits until the output has a text. */
  async waitFor(text: string): Promise<void> {
    while (!this.#text.includes(text)) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`ended without ${text}: ${this.#text}`);
      this.#text += value;
    }
  }

  /** Waits for the end, and gives all that was printed. */
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
