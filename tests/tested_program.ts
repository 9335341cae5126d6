/**
 * The command line that the tests run: from its sources, or the executable that the environment variable
 * `GXENSEMBLE_EXECUTABLE` names.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The path of the executable that is tested; undefined for the sources. */
export const EXECUTABLE: string | undefined = readExecutable();

/** What to run as `gxensemble`: a program and its first arguments. */
export const TESTED_PROGRAM: string[] = EXECUTABLE === undefined
  ? fromSource(fileURLToPath(new URL("../cli/main.ts", import.meta.url)))
  : [EXECUTABLE];

/** The command line from its main module, at a path or URL. */
export function fromSource(main: string): string[] {
  return [Deno.execPath(), "run", "-A", main];
}

function readExecutable(): string | undefined {
  const path = Deno.env.get("GXENSEMBLE_EXECUTABLE");
  return path ? resolve(path) : undefined;
}
