/**
 * How the project's programs are bundled and run, as executables and in the tests.
 *
 * @module
 */
import type { MergedModules } from "../cli/executables/merged_files.ts";

/**
 * Modules that the command line loads only on demand, since most commands end before they need
 * them.
 */
export const LAZY_BUILTINS = ["node:fs", "node:child_process", "node:process"];

/**
 * What the first commands load, in two files: the command tree, and a console that works in servers.
 */
export const MERGED: MergedModules = {
  start: ["runtime/home/signals.ts", "cli/command_tree.ts", "cli/kit/command_line.ts"],
  console: ["cli/kit/server_set.ts", "runtime/ensemble/remote.ts"],
};

/** Options for short-lived processes: see docs/performance.md. */
export const V8_FLAGS = ["--no-lazy", "--min-semi-space-size=16"];
