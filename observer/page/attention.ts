/**
 * What deserves the operator's attention.
 *
 * @module
 */
import { count, counted, duration, milliseconds } from "./formatting.ts";
import type { ObservedServer } from "./page_protocol.ts";
import { halfDone } from "./versions.ts";

/** A server's event loop is late from this delay on, in ms. */
export const LATE = 100;

/** A mailbox is long from this number of messages on. */
export const LONG_MAILBOX = 1000;

/** A certificate ends soon if it has this much time left, in ms: as servers warn in their logs. */
const SOON = 30 * 24 * 3_600_000;

/** Something to look at. */
export interface Concern {
  /** The server that it is about. */
  readonly server?: ObservedServer;
  /** What it is. */
  readonly text: string;
  /** How bad it is: 3 is something that fails. */
  readonly weight: 1 | 2 | 3;
  /** How bad it is among those of the same weight. */
  readonly degree?: number;
}

/** What to look at, the worst first. */
export function concerns(servers: readonly ObservedServer[], now: number): Concern[] {
  return [
    ...servers.flatMap((server) => concernsOf(server, now)),
    ...halfDone(servers).map(({ module, versions }): Concern => ({
      text: `${module} runs in ${counted(versions.length, "version")}`,
      weight: 1,
    })),
  ].sort((a, b) => b.weight - a.weight || (b.degree ?? 0) - (a.degree ?? 0));
}

function concernsOf(server: ObservedServer, now: number): Concern[] {
  const { state, status, error } = server;
  const found: Concern[] = [];
  const add = (text: string, weight: Concern["weight"], degree = 0) =>
    found.push({ server, text, weight, degree });
  if (state === "unreachable") add("is unreachable", 3);
  else if (state === "gone") add("has gone", 2);
  else if (error !== undefined) add(error, 3);
  if (state === "draining") add("is draining", 1);
  if (state === "unreachable" || state === "gone" || !status) return found;
  const { eventLoopDelay, longestMailboxes: [longest] = [], certificateEnd } = status;
  if (eventLoopDelay && eventLoopDelay.p99 >= LATE) {
    add(`event loop is ${milliseconds(eventLoopDelay.p99)} late`, 2, eventLoopDelay.p99 / LATE);
  }
  if (longest && longest.length >= LONG_MAILBOX) {
    const { actor, length } = longest;
    add(`${count(length)} messages wait for ${actor}`, 2, length / LONG_MAILBOX);
  }
  if (certificateEnd !== undefined && certificateEnd - now < SOON) {
    const left = certificateEnd - now;
    add(
      left < 0 ? "certificate has ended" : `certificate ends in ${duration(left)}`,
      left < 0 ? 3 : 2,
    );
  }
  return found;
}
