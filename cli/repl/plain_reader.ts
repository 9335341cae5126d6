/**
 * A terminal that understands no control sequences, such as one with `TERM=dumb`: the kernel edits the lines.
 *
 * @module
 */
import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import type { TerminalReader, TerminalReaderOptions } from "./terminal_reader.ts";

/** Reads lines, and collects them to inputs. */
export class PlainReader implements TerminalReader {
  readonly #options: TerminalReaderOptions;
  #lines: Interface | undefined;
  /** Lines that were entered and not read yet. */
  #entered: string[] = [];
  /** The lines of the input that is being typed. */
  #input: string[] = [];
  #isReading = false;
  #hasEnded = false;
  #wake = () => {};
  readonly #onInterrupt = () => this.#interrupt();

  /** Takes the terminal over. */
  constructor(options: TerminalReaderOptions) {
    this.#options = options;
    Deno.addSignalListener("SIGINT", this.#onInterrupt);
    this.take();
  }

  async read(): Promise<string | undefined> {
    this.#isReading = true;
    try {
      for (;;) {
        if (this.#entered.length === 0) this.#prompt();
        const line = await this.#nextLine();
        if (line === undefined) {
          process.stdout.write("\n");
          return undefined;
        }
        this.#input.push(line);
        const text = this.#input.join("\n");
        if (await this.#options.isIncomplete(text)) continue;
        this.#input = [];
        return text;
      }
    } finally {
      this.#isReading = false;
    }
  }

  print(text: string): void {
    process.stdout.write(this.#isReading ? `\n${text}\n` : `${text}\n`);
    if (this.#isReading) this.#prompt();
  }

  take(): void {
    if (this.#hasEnded) return;
    this.#lines = createInterface({ input: process.stdin, terminal: false })
      .on("line", (line) => {
        this.#entered.push(line);
        this.#wake();
      })
      .on("close", () => {
        this.#hasEnded = this.#lines !== undefined;
        this.#wake();
      });
  }

  release(): void {
    const lines = this.#lines;
    this.#lines = undefined;
    lines?.close();
  }

  close(): void {
    if (this.#hasEnded && !this.#lines) return;
    this.#hasEnded = true;
    this.release();
    Deno.removeSignalListener("SIGINT", this.#onInterrupt);
    this.#wake();
  }

  #prompt(): void {
    const { prompt, continuation } = this.#options;
    process.stdout.write(this.#input.length === 0 ? prompt : continuation);
  }

  async #nextLine(): Promise<string | undefined> {
    while (this.#entered.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#entered.shift();
  }

  /** Ctrl-C, after which the kernel has dropped the line that was being typed. */
  #interrupt(): void {
    this.#entered = [];
    if (!this.#isReading) return this.#options.interrupt();
    this.#input = [];
    process.stdout.write("\n");
    this.#prompt();
  }
}
