/**
 * The platforms that executables are for.
 *
 * @module
 */

/** The platforms that Deno is there for: what `--target` takes. */
export const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
] as const;

/** A platform. */
export type Target = typeof TARGETS[number];
