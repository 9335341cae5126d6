/**
 * Formats numbers with units, and lists of names, for people.
 *
 * @module
 */

/** Formats a number of bytes: `812 B`, `3.4 kB`, `1.2 GB`. A kB has 1000 bytes. */
export function formatBytes(bytes: number): string {
  return withPrefix(bytes, ["B", "kB", "MB", "GB", "TB"]);
}

/** Formats a count or a rate of which the size matters more than the digits: `7`, `3.4k`, `12M`. */
export function formatCount(count: number): string {
  return withPrefix(count, ["", "k", "M", "G", "T"]);
}

/** Formats a whole number with commas: `1,234,567`. */
export function formatWhole(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** Formats a number of things with their noun: `1 server`, `1,234 servers`. */
export function formatCounted(count: number, noun: string): string {
  return `${formatWhole(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Formats a short time in ms: `0.4 ms`, `12 ms`, `3.4 s`. */
export function formatDelay(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Formats a share of 1 as a percentage: `0.4%`, `12%`. */
export function formatShare(share: number): string {
  const percent = 100 * share;
  return `${percent > 0 && percent < 9.95 ? percent.toFixed(1) : Math.round(percent)}%`;
}

/** Formats a time, in ms since 1970, to the second: `2026-01-02T03:04:05Z`. */
export function formatTime(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Formats a duration in ms with its two largest units: `1d 2h`, `3m 4s`, `56ms`. */
export function formatAge(age: number): string {
  if (age < 1000) return `${age}ms`;
  const seconds = Math.floor(age / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts.slice(first, first + 2).map(([count, unit]) => `${count}${unit}`).join(" ");
}

/** Three digits at most, and the prefix for the power of 1000. */
function withPrefix(value: number, units: readonly string[]): string {
  let index = 0;
  while (value >= 999.5 && index < units.length - 1) {
    value /= 1000;
    index++;
  }
  const isRound = Number.isInteger(value) || value >= 9.95;
  const digits = isRound ? `${Math.round(value)}` : value.toFixed(1);
  const unit = units[index]!;
  return unit.length > 1 || unit === "B" ? `${digits} ${unit}` : `${digits}${unit}`;
}

/** The maximum number of names in a message. */
const MOST_NAMED = 10;

/** Formats names, of many only some: `a, b and 12 more`. */
export function formatNames(names: readonly string[]): string {
  const more = names.length - MOST_NAMED;
  if (more <= 0) return names.join(", ");
  return `${names.slice(0, MOST_NAMED).join(", ")} and ${more} more`;
}
