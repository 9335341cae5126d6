/**
 * Compares results with those of an earlier run.
 *
 * @module
 */
import { PROJECT } from "./case.ts";
import { nameOf, type Result } from "./results.ts";
import { median, shareGreater } from "./statistics.ts";

/** The least change that counts. */
const LEAST_CHANGE = 0.05;

/**
 * The share of pairs of an earlier and a later round in which the later has to be worse. With five
 * rounds each that is 24 of 25 pairs, and happens by chance in less than one of a hundred rows
 * (Mann-Whitney, one-sided); with three it is all nine, in one of twenty.
 */
const LEAST_SHARE = 0.95;

/** How noise is judged, for the reader of a comparison. */
export const JUDGEMENT =
  `A row has changed if its median differs by more than ${
    LEAST_CHANGE * 100
  } %, and if the later round is the better ` +
  `(or the worse) in ${
    LEAST_SHARE * 100
  } % of all pairs of an earlier and a later round. Ratios are compared where ` +
  "there is one, else the figures themselves.";

/** A row that has changed. */
export interface Change {
  /** The row: `ask p50 unix`. */
  readonly row: string;
  /** What was compared: `x floor`, or the unit. */
  readonly what: string;
  readonly earlier: number;
  readonly later: number;
  readonly isWorse: boolean;
}

/** Reads the lines that `--json` has printed. */
export function parseResults(text: string): Result[] {
  return text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

/** The rows of both runs that have changed beyond noise. */
export function changesSince(earlier: readonly Result[], later: readonly Result[]): Change[] {
  const before = new Map(earlier.map((result) => [nameOf(result), result]));
  return later.flatMap((result) => {
    const row = nameOf(result);
    const old = before.get(row);
    return old ? changeOf(row, old, result) ?? [] : [];
  });
}

function changeOf(row: string, earlier: Result, later: Result): Change | undefined {
  const reference = later.target?.of ??
    Object.keys(later.ratios).find((who) => who in earlier.ratios);
  const [old, now] = [earlier, later].map(({ rounds }) => {
    const base = reference === undefined ? undefined : rounds[reference];
    return rounds[PROJECT]!.map((value, round) => base ? value / base[round]! : value);
  });
  const change = median(now!) / median(old!) - 1;
  const share = shareGreater(old!, now!);
  const isClear = share >= LEAST_SHARE || share <= 1 - LEAST_SHARE;
  if (!isClear || Math.abs(change) <= LEAST_CHANGE) return undefined;
  return {
    row,
    what: reference === undefined ? later.unit : `x ${reference}`,
    earlier: median(old!),
    later: median(now!),
    isWorse: (change > 0) === (later.better === "less"),
  };
}
