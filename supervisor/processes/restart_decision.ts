/**
 * Whether and when a server is restarted that ended by itself.
 *
 * @module
 */
import type { RestartConfiguration } from "../configuration/configuration.ts";
import { formatEnd, type ProcessEnd } from "./server_report.ts";

/** The restarts of a server so far. */
export interface RestartHistory {
  /** All of them. */
  readonly total: number;
  /** Those since it was last up for long enough, which the delay grows with. */
  readonly inRow: number;
  /** The times of the last ends that were followed by a restart, in ms since 1970. */
  readonly recent: readonly number[];
}

/** No restarts. */
export const NO_RESTARTS: RestartHistory = { total: 0, inRow: 0, recent: [] };

/** What happens to a server that has ended. */
export type RestartDecision =
  /** It is started again at a time, in ms since 1970. */
  | { readonly next: "restart"; readonly at: number; readonly history: RestartHistory }
  /** It ended well, and is not restarted. */
  | { readonly next: "stopped"; readonly reason: string }
  /** It failed, and is not restarted. */
  | { readonly next: "failed"; readonly reason: string };

/** How a server has ended, and what is known about its restarts. */
export interface EndedServer {
  /** Its end. */
  readonly end: ProcessEnd;
  /** For how long it was up, in ms. */
  readonly upFor: number;
  /** Its restarts so far. */
  readonly history: RestartHistory;
  /** Exit codes after which no restart can help. */
  readonly finalCodes: readonly number[];
}

/**
 * Decides by the policies of OTP's supervisors, with a growing delay. An end that the supervisor
 * caused, such as for a failed health check, is a failure, and so is an unknown end.
 *
 * @see https://www.erlang.org/doc/system/sup_princ.html#restart-strategy
 */
export function decideRestart(
  { policy, backoff, intensity, resetAfter }: RestartConfiguration,
  { end, upFor, history, finalCodes }: EndedServer,
): RestartDecision {
  const endedWell = end.code === 0 && end.reason === undefined;
  if (policy !== "permanent" && endedWell) {
    return { next: "stopped", reason: `ended well; a ${policy} server is not restarted then` };
  }
  if (policy === "temporary") {
    return { next: "failed", reason: `${formatEnd(end)}; a temporary server is not restarted` };
  }
  if (end.reason === undefined && end.code !== undefined && finalCodes.includes(end.code)) {
    return { next: "failed", reason: `${formatEnd(end)}, which a restart cannot change` };
  }
  const inRow = upFor >= resetAfter ? 0 : history.inRow;
  const recent = [...history.recent, end.at].filter((at) =>
    at <= end.at && end.at - at < intensity.within
  );
  if (recent.length > intensity.restarts) {
    return {
      next: "failed",
      reason: `crash loop: it ended ${recent.length} times within ${intensity.within / 1000} s; ` +
        `last: ${formatEnd(end)}`,
    };
  }
  // The power may be infinite.
  const delay = Math.min(backoff.max, backoff.min * backoff.factor ** inRow);
  return {
    next: "restart",
    at: end.at + delay,
    history: { total: history.total + 1, inRow: inRow + 1, recent },
  };
}
