/**
 * What a command prints: its result on standard output, everything else on standard error.
 *
 * Whoever reads either may stop early (`gxensemble list-servers | head -1`): what is printed then
 * goes nowhere, and the command still does its work.
 *
 * @module
 */
import { EnsembleError } from "../runtime/errors.ts";

const encoder = new TextEncoder();

/**
 * Prints a line of the result.
 *
 * @throws {EnsembleError} when it cannot be written, as on a full disk; so do the others.
 */
export function printLine(line: string): void {
  write(Deno.stdout, `${line}\n`);
}

/** Prints the result as JSON, for `--json`. */
export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, undefined, 2));
}

/** Prints text that has its own line breaks, such as a help text. */
export function printText(text: string): void {
  write(Deno.stdout, text);
}

/** Tells the person at the terminal something that is not the result: progress, an error. */
export function printNotice(line: string): void {
  write(Deno.stderr, `${line}\n`);
}

/** How wide help printed to a stream is, in columns. Asks Deno: Node's streams would first have to be loaded. */
export function helpWidth(stream: { isTerminal(): boolean }): number {
  return stream.isTerminal() ? Deno.consoleSize().columns : 80;
}

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let written = 0; written < bytes.length;) {
      written += stream.writeSync(bytes.subarray(written));
    }
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return;
    throw new EnsembleError(`the output cannot be written: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
