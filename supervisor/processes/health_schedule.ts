/**
 * Regular checks of a server that is up.
 *
 * @module
 */
import { within } from "../../runtime/timeout.ts";
import type { HealthSchedule } from "./server_plan.ts";

/** How the checks are made. */
export interface HealthCheckOptions {
  /** Checks once. Throws if the server is not healthy. */
  readonly check: (signal: AbortSignal) => Promise<void>;
  /** Told after each check: how many have failed in a row, and why the last one has. */
  readonly onResult: (failures: number, message: string | undefined) => void;
  /** Ends the checks. */
  readonly signal: AbortSignal;
}

/** Checks until the signal is aborted, or as many checks in a row have failed as the schedule allows. */
export async function checkHealth(
  { interval, timeout, failures, startAfter }: HealthSchedule,
  { check, onResult, signal }: HealthCheckOptions,
): Promise<void> {
  const ended = new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
  let failed = 0;
  for (let pause = startAfter; failed < failures; pause = interval) {
    if (signal.aborted || await within(pause, ended)) return;
    const message = await checkOnce(check, { timeout, signal });
    if (signal.aborted) return;
    failed = message === undefined ? 0 : failed + 1;
    onResult(failed, message);
  }
}

/** Returns why a check has failed; undefined if it has not. */
async function checkOnce(
  check: HealthCheckOptions["check"],
  { timeout, signal }: { readonly timeout: number; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const end = new AbortController();
  const abort = () => end.abort();
  signal.addEventListener("abort", abort, { once: true });
  const result = check(end.signal).then(() => undefined, (error) => (error as Error).message);
  try {
    if (await within(timeout, result)) return await result;
    return `no answer within ${timeout / 1000} s`;
  } finally {
    signal.removeEventListener("abort", abort);
    abort();
  }
}
