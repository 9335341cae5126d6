/**
 * The head of a portable executable: a shell script that unpacks what follows it, once, and runs it.
 *
 * The script is `portable_header.sh`, after a few lines that say what is in the executable. It is written for any POSIX
 * shell, with `gzip`, `tar`, `tail`, `head -c` and `mktemp`, which all systems have; a start that finds everything
 * unpacked runs none of them.
 *
 * @module
 */
import SCRIPT from "./portable_header.sh" with { type: "text" };

/** What the head says and unpacks. */
export interface PortableParts {
  /** The name of the program, for messages and for its directory. */
  readonly name: string;
  /** Names the program among all others: a part of a hash. */
  readonly programHash: string;
  /** Names the Deno among all others. */
  readonly denoHash: string;
  /** The system and the machine it runs on, as `uname -s` and `uname -m` say. */
  readonly system: readonly [name: string, machine: string];
  /** How many bytes the compressed Deno takes, which comes first, and the compressed archive of the program. */
  readonly sizes: { readonly deno: number; readonly program: number };
  /** The program's first file. */
  readonly entry: string;
  /** Flags for Deno. */
  readonly flags: readonly string[];
}

/** What the head sets for Deno is not for the processes that the program starts. */
export const RESTORE_ENVIRONMENT =
  `Deno.env.get("GXENSEMBLE_SET")?.split(" ").forEach((name) => Deno.env.delete(name));`;

/** Writes the head. */
export function portableHeader(parts: PortableParts): string {
  // The sizes that it tells of include its own: it is written again until that is right.
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

/** A name to begin that of a directory with: names of files may be 255 bytes long at most. */
function directoryName(name: string): string {
  return name.slice(0, 60).toWellFormed();
}

/** Puts a text between quotes of the shell. */
function quote(text: string): string {
  return /^[\w=.,/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
