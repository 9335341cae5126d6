/**
 * What the code under test logs, in this process.
 *
 * @module
 */
import assert from "node:assert/strict";
import { configure, type LogLevel, resetSync } from "npm:@logtape/logtape@^2.4.2";
import { formatRecord } from "../../../runtime/home/log_format.ts";

// The process's own timers, before any test has replaced them.
const realTimeout = globalThis.setTimeout;
const realNow = performance.now.bind(performance);

/** The log lines since it was made, without their times; until it is disposed of. */
export class CapturedLogs implements Disposable {
  /** `LEVEL category: message`, as `gxensemble` logs them. */
  readonly lines: string[] = [];

  private constructor() {}

  /** Starts to capture. */
  static async start(lowestLevel: LogLevel = "info"): Promise<CapturedLogs> {
    const logs = new CapturedLogs();
    await configure({
      reset: true,
      sinks: {
        lines: (record) =>
          void logs.lines.push(formatRecord(record, "text").slice(0, -1).replace(/^\S+ /, "")),
      },
      loggers: [
        { category: [], lowestLevel, sinks: ["lines"] },
        { category: ["logtape", "meta"], lowestLevel: "warning", sinks: [] },
      ],
    });
    return logs;
  }

  /** The lines that match. */
  matching(pattern: RegExp): string[] {
    return this.lines.filter((line) => pattern.test(line));
  }

  /** The lines of warnings and errors. */
  get complaints(): string[] {
    return this.matching(/^(WARN|ERROR) /);
  }

  [Symbol.dispose](): void {
    resetSync();
  }
}

/**
 * Waits until a condition holds, and fails when it does not within `timeout` ms of real time: a test may have stopped the
 * clock, and a number of turns may be too few on a busy machine.
 */
export async function eventually(
  condition: () => unknown,
  what = `${condition}`,
  timeout = 20_000,
): Promise<void> {
  const until = realNow() + timeout;
  while (!await condition()) {
    assert.ok(realNow() < until, `not within ${timeout} ms: ${what}`);
    await new Promise((resolve) => realTimeout(resolve, 1));
  }
}
