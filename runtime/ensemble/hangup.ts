/**
 * What SIGHUP means to a process.
 *
 * @module
 */
import { isIgnored } from "./ignored_signals.ts";

/**
 * `nothing` to a process that was started to ignore it, as by `nohup`; `end` to one on a terminal, which has closed;
 * `reread` to any other, which reads its files again.
 */
export type HangupMeaning = "nothing" | "end" | "reread";

/** Read when this module is loaded: a terminal that has closed does not count as one any more. */
const startedOnTerminal = [Deno.stdin, Deno.stdout, Deno.stderr]
  .some((stream) => stream.isTerminal());

/** What SIGHUP means to this process. */
export function hangupMeaning(): HangupMeaning {
  if (isIgnored("SIGHUP")) return "nothing";
  return startedOnTerminal ? "end" : "reread";
}

/** Keeps ignoring SIGHUP, to the end of the process, where it was started to ignore it. */
export function keepIgnoringHangup(): void {
  if (hangupMeaning() === "nothing") Deno.addSignalListener("SIGHUP", ignore);
}

/** Calls a function for each SIGHUP, where that has the given meaning. Until disposed of. */
export function onHangup(meaning: HangupMeaning, listener: () => void): Disposable {
  if (hangupMeaning() !== meaning) return { [Symbol.dispose]() {} };
  Deno.addSignalListener("SIGHUP", listener);
  return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGHUP", listener) };
}

/** One function: Deno registers it once, however often it is added. */
function ignore(): void {}
