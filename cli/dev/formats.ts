/**
 * The form of numbers and lists in the lines of `dev`.
 *
 * @module
 */
import { relative } from "node:path";

/** The number of names that are listed; of more, the rest is counted. */
const MAX_LISTED = 8;

/** Formats the time in ms that something took. */
export function formatElapsed(duration: number): string {
  if (duration < 1_000) return `${Math.round(duration)} ms`;
  if (duration < 60_000) return `${(duration / 1_000).toFixed(1)} s`;
  if (duration < 3_600_000) return `${Math.round(duration / 60_000)} min`;
  return `${(duration / 3_600_000).toFixed(1)} h`;
}

/** Lists the ids of servers. */
export function formatIds(ids: readonly string[]): string {
  return listed(ids, "servers");
}

/** Lists files, by their paths from the current directory. */
export function formatChangedFiles(paths: readonly string[]): string {
  if (paths.length === 0) return "the configuration";
  return listed(paths.map((path) => relative(Deno.cwd(), path)).sort(), "files");
}

function listed(names: readonly string[], what: string): string {
  if (names.length <= MAX_LISTED) return names.join(", ");
  return `${names.slice(0, MAX_LISTED - 1).join(", ")} and ${
    names.length - MAX_LISTED + 1
  } more ${what}`;
}
