/**
 * Results as a table in Markdown: ratios before absolute figures.
 *
 * @module
 */
import { PROJECT } from "./case.ts";
import type { Result, Spread } from "./results.ts";
import { median } from "./statistics.ts";

/** Formats results. */
export function formatTable(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.case,
    result.transport ?? "",
    formatTarget(result),
    result.met === null ? "" : result.met ? "yes" : "**no**",
    Object.entries(result.ratios).map(([who, spread]) => formatRatio(spread, who)).join("; "),
    formatFigures(result),
  ]);
  return [
    "| case | transport | target | met | ratios [lowest to highest round] | medians |",
    "|---|---|---|---|---|---|",
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
  ].join("\n");
}

/** Formats a target: `at most 1.3 x floor`. */
export function formatTarget({ target, better, unit }: Result): string {
  if (target === null) return "";
  const least = better === "less" ? "at most" : "at least";
  return target.of === undefined
    ? `${least} ${formatNumber(target.bound)}${unitAfter(unit)}`
    : `${least} ${target.bound} x ${target.of}`;
}

/** Formats a ratio: `1.58 [1.52 to 1.61] x floor`. */
export function formatRatio({ median, lowest, highest }: Spread, who: string): string {
  return `${formatNumber(median)} [${formatNumber(lowest)} to ${formatNumber(highest)}] x ${who}`;
}

function formatFigures({ rounds, unit }: Result): string {
  return Object.entries(rounds)
    .map(([who, values]) =>
      `${who === PROJECT ? "" : `${who} `}${formatNumber(median(values))}${unitAfter(unit)}`
    ).join("; ");
}

/** Formats a number with three digits, so that no more is shown than was measured. */
export function formatNumber(value: number): string {
  return new Intl.NumberFormat("en", { maximumSignificantDigits: 3 }).format(value);
}

function unitAfter(unit: string): string {
  return unit.startsWith("/") ? unit : ` ${unit}`;
}
