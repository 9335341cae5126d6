/**
 * Parses durations and sizes, as they are written on command lines and in the configuration.
 *
 * @module
 */
import { InvalidInputError } from "./errors.ts";
import { quoted } from "./safe_text.ts";

/** The longest time in seconds that is accepted: a day. */
const MAX_SECONDS = 86_400;

/**
 * Parses a time in seconds, such as `5` or `0.5`, and returns it in ms.
 *
 * @param options.isZeroAllowed whether 0 is valid.
 * @throws {InvalidInputError} if it is not a number in range.
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

/** The units of a duration, in ms. */
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Parses a duration, such as `500ms`, `30s`, `10m`, `1.5h` or `2d`, and returns it in ms. A number
 * alone is in seconds.
 *
 * @param most the longest that is accepted, in ms.
 * @throws {InvalidInputError} if it is not a duration above 0 and up to that.
 */
export function parseDuration(text: string, most: number): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?|\.\d+)(ms|[smhd])?$/.exec(text) ?? [];
  const duration = Math.round(Number(number) * UNITS[unit]!);
  if (duration > 0 && duration <= most) return duration;
  throw new InvalidInputError(
    `not a duration up to ${formatDuration(most)}, such as 30s or 10m: ${quoted(text)}`,
  );
}

/** Formats a duration in ms in the largest unit that it is a multiple of: `500ms`, `90s`, `2m`. */
export function formatDuration(duration: number): string {
  if (duration === 0) return "0s";
  const [unit, size] = Object.entries(UNITS).findLast(([, size]) => duration % size === 0)!;
  return `${duration / size}${unit}`;
}

/** The units of a size, in bytes, smallest first. */
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KiB: 2 ** 10,
  MB: 1e6,
  MiB: 2 ** 20,
  GB: 1e9,
  GiB: 2 ** 30,
  TB: 1e12,
  TiB: 2 ** 40,
};

/**
 * Parses a size, such as `512MiB`, `1.5 GB` or `4096`, and returns it in bytes.
 *
 * @param range the smallest and the largest that are accepted, in bytes.
 * @throws {InvalidInputError} if it is not a size in that range.
 */
export function parseSize(
  text: string,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const [, number, unit = "B"] = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)?$/.exec(text) ?? [];
  const size = Math.round(
    Number(number) * (Object.hasOwn(SIZE_UNITS, unit) ? SIZE_UNITS[unit]! : NaN),
  );
  if (size >= least && size <= most) return size;
  throw new InvalidInputError(
    `not a size from ${formatSize(least)} to ${formatSize(most)}, such as 512MiB or 2GB: ${
      quoted(text)
    }`,
  );
}

/** Formats a size in the largest unit that it is a multiple of: `512MiB`, `2GB`, `100B`. */
export function formatSize(size: number): string {
  const [unit, bytes] = Object.entries(SIZE_UNITS)
    .findLast(([, bytes]) => size >= bytes && size % bytes === 0) ?? ["B", 1];
  return `${size / bytes}${unit}`;
}
