/**
 * Times as people write them.
 *
 * @module
 */
import { quoted } from "../bounded_text.ts";
import { InvalidInputError } from "../errors.ts";

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
