/**
 * Portable executables: a shell script, a Deno and a program in one file, made without anything from afar.
 *
 * @module
 */
import { packTar, type TarEntry } from "npm:modern-tar@^0.8.6";
import { join, relative, sep } from "node:path";
import { filesBelow } from "./files_below.ts";
import { portableHeader } from "./portable_header.ts";

/** Options of {@linkcode writePortable}. */
export interface PortableOptions {
  /** The file to write. */
  readonly output: string;
  /** The name of the program. */
  readonly name: string;
  /** The Deno that goes in. */
  readonly deno: string;
  /** The directory with the program's files. */
  readonly directory: string;
  /** The program's first file, in that directory. */
  readonly entry: string;
  /** Flags for Deno. */
  readonly flags: readonly string[];
}

/**
 * Writes a portable executable for this system. The same input gives the same bytes.
 */
export async function writePortable(options: PortableOptions): Promise<void> {
  const { name, entry, flags } = options;
  const deno = await Deno.readFile(options.deno);
  const program = await archive(options.directory, join(options.directory, entry));
  const parts = { deno: await compress(deno), program: await compress(program) };
  const header = portableHeader({
    name,
    entry,
    flags,
    denoHash: await shortHash(deno),
    programHash: await shortHash(program),
    system: [await uname("-s"), await uname("-m")],
    sizes: { deno: parts.deno.length, program: parts.program.length },
  });
  const file = await Deno.open(options.output, { write: true, createNew: true, mode: 0o755 });
  await new Blob([header, parts.deno, parts.program]).stream().pipeTo(file.writable);
}

/**
 * The files of a directory in an archive, with nothing in it of when, where and by whom it was made. The
 * first file of the program is marked as executable.
 */
async function archive(directory: string, entry: string): Promise<Uint8Array<ArrayBuffer>> {
  const entries: TarEntry[] = [];
  for (const path of await filesBelow(directory)) {
    const body = await Deno.readFile(path);
    const header = {
      name: relative(directory, path).split(sep).join("/"),
      size: body.length,
      mode: path === entry || await isExecutable(path) ? 0o700 : 0o600,
      mtime: new Date(0),
    };
    entries.push({ header, body });
  }
  return await packTar(entries);
}

async function isExecutable(path: string): Promise<boolean> {
  const { mode } = await Deno.stat(path);
  return mode !== null && (mode & 0o100) !== 0;
}

async function compress(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return await new Response(stream).bytes();
}

async function shortHash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex().slice(0, 16);
}

async function uname(flag: string): Promise<string> {
  const { stdout } = await new Deno.Command("uname", { args: [flag] }).output();
  return new TextDecoder().decode(stdout).trim();
}
