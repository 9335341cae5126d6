/**
 * The grace: how long a server may take to stop.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";
import { quoted } from "../safe_text.ts";

/** How long a server and its program may take to stop, in ms, where nothing else is said. */
export const DEFAULT_GRACE = 5_000;

/** How much of the grace is the program's, after the server has stopped, in ms. */
const PROGRAM_RESERVE = 2_000;

/**
 * How long a server's actors may take to shut down, in ms: all of the grace but for 2 s, in which what was sent
 * arrives and the program cleans up after its server; of a grace below 4 s it is half.
 */
export function actorsShare(grace: number): number {
  return grace - Math.min(PROGRAM_RESERVE, grace / 2);
}

/**
 * Checks a grace given in ms.
 *
 * @throws {InvalidInputError} when it is none.
 */
export function requireGrace(grace: number): number {
  if (typeof grace === "number" && grace >= 0) return grace;
  throw new InvalidInputError(`not a grace in ms: ${grace}`);
}

/** The longest time that a command line may ask for, in s: a day. */
const MAX_SECONDS = 86_400;

/**
 * Reads a time in seconds, such as `5` or `0.5`; gives it in ms.
 *
 * @param options.isZeroAllowed whether there may be no time at all.
 * @throws {InvalidInputError} when the text is none.
 */
export function parseSeconds(
  text: string,
  { isZeroAllowed }: { isZeroAllowed: boolean },
): number {
  const seconds = /^\d+(\.\d+)?$|^\.\d+$/.test(text) ? Number(text) : NaN;
  if (seconds <= MAX_SECONDS && (seconds > 0 || (isZeroAllowed && seconds === 0))) {
    return seconds * 1000;
  }
  const range = isZeroAllowed ? `from 0 to ${MAX_SECONDS}` : `above 0 and up to ${MAX_SECONDS}`;
  throw new InvalidInputError(`not a number of seconds ${range}: ${quoted(text)}`);
}
