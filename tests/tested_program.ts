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
  ? fromSource(pathOf("../cli/main.ts"))
  : [EXECUTABLE];

/**
 * The same for a command that seals something: from its sources it does so cheaply, as the cost is not what the test is
 * about. An executable seals as it does for everyone.
 */
export const SEALING_PROGRAM: string[] = EXECUTABLE === undefined
  ? TESTED_PROGRAM.toSpliced(2, 0, `--preload=${pathOf("./sealing_cheaply.ts")}`)
  : TESTED_PROGRAM;

/** The command line from its main module, at a path or URL. */
export function fromSource(main: string): string[] {
  return [Deno.execPath(), "run", "-A", main];
}

function readExecutable(): string | undefined {
  const path = Deno.env.get("GXENSEMBLE_EXECUTABLE");
  return path ? resolve(path) : undefined;
}

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}
