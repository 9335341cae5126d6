/**
 * How the project's programs are bundled and run, as executables and in the tests.
 *
 * @module
 */

/** What the command line's process does not need until it does: most commands are over before that. */
export const LAZY_BUILTINS = ["node:fs", "node:child_process", "node:process"];

/** For processes that are short: see docs/performance.md. */
export const V8_FLAGS = ["--no-lazy", "--min-semi-space-size=16"];
