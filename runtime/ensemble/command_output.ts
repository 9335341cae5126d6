/**
 * What a command writes on its standard output and standard error. It waits for the reader as long as that takes.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import { openedStream } from "./standard_stream.ts";
import { writeAll } from "./write_all.ts";

const encoder = new TextEncoder();

/**
 * Writes a text on standard output. A reader that stopped early is no failure.
 *
 * @throws {EnsembleError} when it cannot be written, as on a full disk.
 */
export function writeOutput(text: string): void {
  try {
    writeAll(Deno.stdout, encoder.encode(text));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return;
    throw new EnsembleError(`the output cannot be written: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Writes a text on standard error, after what a server of this process has written there.
 *
 * @returns why the text is lost, or undefined when it was written. The command goes on either way.
 */
export function writeErrors(text: string): Error | undefined {
  const ofServer = openedStream("stderr");
  if (ofServer) return ofServer.write(text);
  try {
    writeAll(Deno.stderr, encoder.encode(text));
  } catch (error) {
    return error as Error;
  }
}
