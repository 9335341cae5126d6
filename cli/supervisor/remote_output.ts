/**
 * The output of programs on other hosts.
 *
 * @module
 */
import { writeAll } from "../../runtime/home/standard_stream.ts";
import { printErrorText, printText } from "../kit/output.ts";

/** Prints what a program has written: to a file or a pipe as it is, and made visible on a terminal. */
export class RemoteOutput {
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  #hasReader = true;

  /** Whether standard output still has a reader, as far as is known. */
  get hasReader(): boolean {
    return this.#hasReader;
  }

  /** Prints some bytes. */
  write(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    if (Deno[stream].isTerminal()) {
      const text = this.#decoders[stream].decode(bytes, { stream: true });
      (stream === "stdout" ? printText : printErrorText)(text);
      return;
    }
    try {
      writeAll(Deno[stream], bytes);
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      if (stream === "stdout") this.#hasReader = false;
    }
  }
}
