/**
 * Limits for log lines that a peer can cause, so that it cannot fill the log.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { shorten } from "./safe_text.ts";

const logger = getLogger(["gxensemble", "server"]);

/** How many lines of one kind a source may cause in a period. */
const MAX_LINES = 5;

/** How long a period is, in ms: it begins with its first line. */
const PERIOD = 10_000;

/** How many pairs of kind and source are counted separately; beyond that, all sources of a kind count as one. */
const MAX_COUNTS = 64;

/** The name for all sources that are not counted separately. */
const OTHERS = "many others";

/** How many counts there are at most: the lines of all further kinds count as one. */
const MAX_KINDS = 2 * MAX_COUNTS;

/** The name for these kinds. A kind may have the text of an error in it, which differs each time. */
const OTHER_KINDS = "lines of other kinds";

/** The lines of one kind from one source in a period. */
interface Count {
  readonly kind: string;
  readonly source: string;
  readonly ends: number;
  lines: number;
}

/**
 * Decides which lines go into the log: five of each kind from each source in ten seconds. When the period ends,
 * one more line says how many were left out.
 */
export class LineLimit {
  readonly #counts = new Map<string, Count>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Whether a line may be written. Counts it either way.
   *
   * @param source who caused it: the id of a server, or the host of a connection.
   * @param kind what the line is about, without details: it stands before "of <source>".
   */
  allows(source: string, kind: string): boolean {
    const now = performance.now();
    const count = this.#countOf(shorten(source), kind, now);
    if (++count.lines <= MAX_LINES) return true;
    // No timer is needed as long as nothing is left out.
    if (this.#timer === undefined) this.#reportIn(count.ends - now);
    return false;
  }

  /** Reports what was left out so far, and forgets all counts. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const key of this.#counts.keys()) this.#end(key);
  }

  #countOf(source: string, kind: string, now: number): Count {
    let key = JSON.stringify([kind, source]);
    let count = this.#counts.get(key);
    if (count && count.ends > now) return count;
    if (!count && this.#counts.size >= MAX_COUNTS) this.#endPast(now);
    if (!count && this.#counts.size >= MAX_COUNTS) {
      source = OTHERS;
      key = JSON.stringify([kind, source]);
      count = this.#counts.get(key);
      if (!count && this.#counts.size >= MAX_KINDS) {
        kind = OTHER_KINDS;
        key = JSON.stringify([kind, source]);
        count = this.#counts.get(key);
      }
      if (count && count.ends > now) return count;
    }
    this.#end(key);
    this.#counts.set(key, count = { kind, source, ends: now + PERIOD, lines: 0 });
    return count;
  }

  #report(): void {
    this.#timer = undefined;
    const now = performance.now();
    this.#endPast(now);
    const open = [...this.#counts.values()].filter(({ lines }) => lines > MAX_LINES);
    if (open.length === 0) return;
    const ends = Math.min(...open.map(({ ends }) => ends));
    this.#reportIn(ends - now);
  }

  #reportIn(delay: number): void {
    this.#timer = setTimeout(() => this.#report(), delay);
    this.#timer.unref();
  }

  #endPast(now: number): void {
    for (const [key, { ends }] of this.#counts) if (ends <= now) this.#end(key);
  }

  #end(key: string): void {
    const count = this.#counts.get(key);
    if (!count) return;
    this.#counts.delete(key);
    const left = count.lines - MAX_LINES;
    if (left <= 0) return;
    logger.warn("{left} more lines were left out: {kind} of {source}", {
      left,
      source: count.source,
      kind: count.kind,
    });
  }
}
