/**
 * Text that a command reads: from standard input, or from a file that the user names.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";

/** The largest input, in bytes: as much as a message holds. */
const MAX_INPUT = 64 * 1024 * 1024;

/**
 * Reads standard input to its end, as UTF-8.
 *
 * @throws {EnsembleError} if it cannot be read, is too long, or is not UTF-8.
 */
export async function readStandardInput(): Promise<string> {
  return await readText(Deno.stdin.readable, "standard input");
}

/**
 * Reads a text file, which may also be a pipe, as UTF-8.
 *
 * @throws {EnsembleError} if it cannot be read, is too long, or is not UTF-8.
 */
export async function readTextFile(path: string): Promise<string> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw await unreadable(path, error);
  }
  return await readText(file.readable, path);
}

async function readText(input: ReadableStream<Uint8Array>, name: string): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let size = 0;
  try {
    for await (const bytes of input) {
      size += bytes.length;
      if (size > MAX_INPUT) throw new EnsembleError(`${name} has more than ${MAX_INPUT} bytes`);
      text += decoder.decode(bytes, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof EnsembleError) throw error;
    // The decoder's.
    if (error instanceof TypeError) throw new EnsembleError(`cannot read ${name}: it is not UTF-8`);
    throw await unreadable(name, error);
  }
}

async function unreadable(name: string, error: unknown): Promise<EnsembleError> {
  const files = await import("../../runtime/home/files.ts");
  return files.unreadable(name, error);
}
