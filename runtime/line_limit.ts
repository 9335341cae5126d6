/**
 * Limits for log lines that a peer can cause, so that it cannot fill the log.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { shorten } from "./safe_text.ts";

const logger = getLogger(["gxensemble", "server"]);

/** The maximum number of lines of one kind from one source in a period. */
const MAX_LINES = 5;

/** The length of a period, in ms; it begins with its first line. */
const PERIOD = 10_000;

/**
 * The number of pairs of kind and source that are counted separately; all further sources of a kind
 * count as one.
 */
const MAX_COUNTS = 64;

/** The name for all sources that are not counted separately. */
const OTHERS = "many others";

/** The maximum number of counts; all further kinds count as one. */
const MAX_KINDS = 2 * MAX_COUNTS;

/** The name for these kinds. A kind may contain the text of an error, which differs each time. */
const OTHER_KINDS = "lines of other kinds";

/** The lines of one kind from one source in a period. */
interface Count {
  readonly kind: string;
  readonly source: string;
  readonly ends: number;
  lines: number;
}

/**
 * Limits log lines: five of each kind from each source in ten seconds. At the end of a period, one
 * more line reports how many were left out.
 */
export class LineLimit {
  readonly #counts = new Map<string, Count>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Counts a line. Returns whether to write it.
   *
   * @param source the origin: the id of a server, or the host of a connection.
   * @param kind the subject of the line, without details: it is followed by "of <source>".
   */
  allows(source: string, kind: string): boolean {
    const now = performance.now();
    const count = this.#countOf(shorten(source), kind, now);
    if (++count.lines <= MAX_LINES) return true;
    // A timer is needed only if lines were left out.
    if (this.#timer === undefined) this.#reportIn(count.ends - now);
    return false;
  }

  /** Reports the lines left out so far, and clears all counts. */
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
