/**
 * Medians, and whether two sets of rounds differ.
 *
 * @module
 */

/** The value below which a share of the sorted values is. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

/** The median of values in any order. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The share of pairs of one value of each set in which the later one is greater: 0.5 if the sets
 * are alike. It is the statistic of the Mann-Whitney test, divided by the number of pairs.
 */
export function shareGreater(earlier: readonly number[], later: readonly number[]): number {
  let greater = 0;
  for (const a of earlier) {
    for (const b of later) greater += b > a ? 1 : b === a ? 0.5 : 0;
  }
  return greater / (earlier.length * later.length);
}
