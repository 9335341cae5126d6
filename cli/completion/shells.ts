/**
 * The shells that can complete command lines of `gxensemble`.
 *
 * @module
 */

/** Their names. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** One of them. */
export type Shell = typeof SHELLS[number];
