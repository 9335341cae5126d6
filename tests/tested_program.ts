/**
 * The command line that the tests run: from its sources, or what an environment variable names. That is
 * `GXENSEMBLE_EXECUTABLE` for an executable, and `GXENSEMBLE_BUNDLE` for the directory of the bundle that `deno task test`
 * makes of the sources.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { V8_FLAGS } from "../scripts/build_options.ts";

/** The path of the executable that is tested; undefined for the sources and their bundle. */
export const EXECUTABLE: string | undefined = named("GXENSEMBLE_EXECUTABLE");

const BUNDLE = named("GXENSEMBLE_BUNDLE");

/** Whether the bundle is tested. */
export const IS_BUNDLED = EXECUTABLE === undefined && BUNDLE !== undefined;

/** What to run as `gxensemble`: a program and its first arguments. */
export const TESTED_PROGRAM: string[] = EXECUTABLE === undefined
  ? program("cli/main")
  : [EXECUTABLE];

/**
 * The same for a command that seals something: it does so cheaply, as the cost is not what the test is about. An
 * executable seals as it does for everyone.
 */
export const SEALING_PROGRAM: string[] = EXECUTABLE === undefined
  ? program("cli/main", `--preload=${pathOf("tests/sealing_cheaply")}`)
  : [EXECUTABLE];

/** What to run as `ensemble-registry`. */
export const REGISTRY_PROGRAM: string[] = program("cli/registry_main");

/** The command line from its main module, at a path or URL. */
export function fromSource(main: string): string[] {
  return [Deno.execPath(), "run", "-A", main];
}

function program(main: string, ...options: string[]): string[] {
  const run = [Deno.execPath(), "run", "-A", ...options];
  if (BUNDLE === undefined) return [...run, pathOf(main)];
  const flags = ["--quiet", "--no-config", "--no-lock", "--node-modules-dir=none"];
  return [
    // As an executable: the compiled code that there is for these flags is good for nothing else.
    ...["env", `DENO_DIR=${BUNDLE}/deno`, "DENO_NO_UPDATE_CHECK=1"],
    ...[...run, ...flags, `--v8-flags=${V8_FLAGS}`, pathOf(main)],
  ];
}

/** The path of a module, among the sources or in the bundle. */
function pathOf(module: string): string {
  return BUNDLE === undefined
    ? fileURLToPath(new URL(`../${module}.ts`, import.meta.url))
    : `${BUNDLE}/${module}.js`;
}

function named(variable: string): string | undefined {
  const path = Deno.env.get(variable);
  return path ? resolve(path) : undefined;
}
