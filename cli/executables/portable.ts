/**
 * Portable executables: a shell script, Deno and a program in one file, made without downloads.
 *
 * The script is `portable_header.sh`, after a few lines that describe the executable. It runs in
 * any POSIX shell and needs `gzip`, `tar`, `tail`, `head -c` and `mktemp`, which all systems have.
 * A start that finds everything unpacked runs none of them.
 *
 * @module
 */
import { join, relative, sep } from "node:path";
import { packTar, type TarEntry } from "npm:modern-tar@^0.8.6";
import type { StagedProgram } from "./staged_program.ts";
import { filesBelow } from "./work_directory.ts";
import SCRIPT from "./portable_header.sh" with { type: "text" };

/**
 * Writes a portable executable for this system, with the program's Deno. The same input yields the
 * same bytes.
 */
export async function writePortable(
  { deno: path, directory, entry, flags }: StagedProgram,
  { output, name }: { output: string; name: string },
): Promise<void> {
  const deno = await Deno.readFile(path);
  const program = await archive(directory, join(directory, entry));
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
  const file = await Deno.open(output, { write: true, createNew: true, mode: 0o755 });
  await new Blob([header, parts.deno, parts.program]).stream().pipeTo(file.writable);
}

/**
 * Archives the files of a directory reproducibly, without times and owners. The program's first
 * file is marked as executable.
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

/** The variables of the header, and the parts that it unpacks. */
interface PortableParts {
  /** The name of the program, for messages and its cache directory. */
  readonly name: string;
  /** The hash of the program, shortened. */
  readonly programHash: string;
  /** The hash of Deno, shortened. */
  readonly denoHash: string;
  /** The operating system and machine, as in `uname -s` and `uname -m`. */
  readonly system: readonly [name: string, machine: string];
  /**
   * The sizes of the compressed Deno, which comes first, and of the program's compressed archive,
   * in bytes.
   */
  readonly sizes: { readonly deno: number; readonly program: number };
  /** The program's first file. */
  readonly entry: string;
  /** Flags of Deno. */
  readonly flags: readonly string[];
}

/**
 * Unsets the variables that the header sets for Deno, so that the program's child processes do not
 * inherit them.
 */
export const RESTORE_ENVIRONMENT =
  `Deno.env.get("GXENSEMBLE_SET")?.split(" ").forEach((name) => Deno.env.delete(name));`;

/** Writes the header. */
function portableHeader(parts: PortableParts): string {
  // The header contains its own size, so it is rewritten until the size is right.
  for (let size = 0;;) {
    const header = writeHeader(parts, size);
    const { length } = new TextEncoder().encode(header);
    if (length === size) return header;
    size = length;
  }
}

function writeHeader(parts: PortableParts, size: number): string {
  const { name, sizes } = parts;
  const flags = parts.flags.map(quote).join(" ");
  return `#!/bin/sh
# A program and the Deno that runs it, in one file. The first start unpacks both into the cache
# directory; every start runs them from there. Below the last line of this script are their bytes.
id=${parts.denoHash}-${parts.programHash}
name=${quote(name)}
directory=${quote(directoryName(name))}
entry=${quote(parts.entry)}
system=${quote(parts.system.join(" "))}
header_size=${size}
deno_size=${sizes.deno}
program_size=${sizes.program}

run() {
  exec "$deno/deno" run -A --quiet --no-config --no-lock --node-modules-dir=none ${flags} "$program/$entry" "$@"
}

${SCRIPT.slice(SCRIPT.indexOf("\n\n") + 2)}`;
}

/** A prefix for the name of a directory. File names have at most 255 bytes. */
function directoryName(name: string): string {
  return name.slice(0, 60).toWellFormed();
}

/** Quotes a text for the shell. */
function quote(text: string): string {
  return /^[\w=.,/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
