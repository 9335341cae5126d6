/**
 * The command line to test: its sources, or the program that an environment variable names.
 * `GXENSEMBLE_EXECUTABLE` names an executable, and `GXENSEMBLE_BUNDLE` the directory of the bundle
 * that `deno task test` makes of the sources.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { V8_FLAGS } from "../scripts/build_options.ts";

/** The path of the tested executable; undefined for the sources and their bundle. */
export const EXECUTABLE: string | undefined = named("GXENSEMBLE_EXECUTABLE");

const BUNDLE = named("GXENSEMBLE_BUNDLE");

/** Whether the bundle is tested. */
export const IS_BUNDLED = EXECUTABLE === undefined && BUNDLE !== undefined;

/** The command to run as `gxensemble`: a program and its first arguments. */
export const TESTED_PROGRAM: string[] = EXECUTABLE === undefined
  ? program("cli/main")
  : [EXECUTABLE];

/**
 * The same for a command that seals something. It seals cheaply, because the cost is not what is
 * tested. An executable seals as it does for users.
 */
export const SEALING_PROGRAM: string[] = EXECUTABLE === undefined
  ? program("cli/main", `--preload=${pathOf("tests/sealing_cheaply")}`)
  : [EXECUTABLE];

/** The command to run as `ensemble-registry`. */
export const REGISTRY_PROGRAM: string[] = program("cli/registry_main");

/** The command line from its main module at a path or URL. */
export function fromSource(main: string): string[] {
  return [Deno.execPath(), "run", "-A", main];
}

function program(main: string, ...options: string[]): string[] {
  const run = [Deno.execPath(), "run", "-A", ...options];
  if (BUNDLE === undefined) return [...run, pathOf(main)];
  const flags = ["--quiet", "--no-config", "--no-lock", "--node-modules-dir=none"];
  return [
    // Like an executable: the compiled code for these flags is valid for no others.
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
