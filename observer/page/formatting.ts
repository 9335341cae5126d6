/**
 * Numbers, times and names as the page shows them. A figure that is missing is a dash.
 *
 * @module
 */

/** What stands in the place of a missing figure. */
export const MISSING = "–";

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const ONE_DIGIT = new Intl.NumberFormat("en", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** A count: `12,345`. */
export function count(value: number | undefined): string {
  return value === undefined ? MISSING : WHOLE.format(value);
}

/** A number of things with their name: `1 server`, `2 servers`. */
export function counted(value: number, name: string): string {
  return `${count(value)} ${name}${value === 1 ? "" : "s"}`;
}

/** A rate or other number: `0.4`, `123`, `1.2k`, `4.5M`. */
export function short(value: number | undefined): string {
  if (value === undefined) return MISSING;
  if (value < 1000) return rounded(value);
  return value < 999_500 ? `${rounded(value / 1000)}k` : `${rounded(value / 1e6)}M`;
}

/** A size: `512 B`, `12.3 MB`. */
export function size(value: number | undefined): string {
  if (value === undefined) return MISSING;
  let unit = 0;
  while (value >= 999.5 && unit < 4) {
    value /= 1000;
    unit++;
  }
  return `${rounded(value)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** A share of one: `12.3%`. */
export function share(value: number | undefined): string {
  return value === undefined ? MISSING : `${rounded(value * 100)}%`;
}

/** A short time, given in ms: `0.4 ms`, `123 ms`, `1.2 s`. */
export function milliseconds(value: number | undefined): string {
  if (value === undefined) return MISSING;
  return value < 1000 ? `${rounded(value)} ms` : `${rounded(value / 1000)} s`;
}

/** A number with one digit after the point if it is below 100 and not whole. */
function rounded(value: number): string {
  return Number.isInteger(value) || value >= 99.95 ? WHOLE.format(value) : ONE_DIGIT.format(value);
}

/** A long time, given in ms, in its two greatest units: `3 d 4 h`, `12 min 5 s`. */
export function duration(value: number | undefined): string {
  if (value === undefined) return MISSING;
  const seconds = Math.max(0, Math.round(value / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  if (minutes > 0) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

/** The time of day, in the reader's time zone: `14:03:59`. */
export function clock(at: number): string {
  return CLOCK.format(at);
}

/** The time of day with ms: `14:03:59.042`. */
export function preciseClock(at: number): string {
  return `${CLOCK.format(at)}.${String(Math.floor(at % 1000)).padStart(3, "0")}`;
}

/** A date and time: `2 Jan 2026, 14:03:59`. */
export function dateTime(at: number | undefined): string {
  return at === undefined ? MISSING : DATE.format(at);
}

/** The beginning of a hash, which is enough to tell versions apart. */
export function shortHash(hash: string): string {
  return hash.slice(0, 10);
}

/** Compares texts as readers expect it: `web2` comes before `web10`. */
export const compareTexts: (a: string, b: string) => number =
  new Intl.Collator("en", { numeric: true }).compare;
