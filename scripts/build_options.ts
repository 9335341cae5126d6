/**
 * How the project's programs are bundled and run, as executables and in the tests.
 *
 * @module
 */

/**
 * Modules that the command line loads only on demand, since most commands end before they need
 * them.
 */
export const LAZY_BUILTINS = ["node:fs", "node:child_process", "node:process"];

/** Options for short-lived processes: see docs/performance.md. */
export const V8_FLAGS = ["--no-lazy", "--min-semi-space-size=16"];
