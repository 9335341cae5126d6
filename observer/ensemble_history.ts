/**
 * The last ten minutes of servers, for charts: of each, and of all together.
 *
 * @module
 */
import { HISTORY_POINTS, type StatusPoint } from "../runtime/observation/status_protocol.ts";
import type { ServerHistory } from "./page/page_protocol.ts";

/** The time between two points of a server's history, in ms. */
export const POINT_INTERVAL = 5_000;

type Column = keyof ServerHistory["columns"];

/**
 * How a column comes from a point, and how those of several servers are put together. What a process
 * uses counts once, also if several servers run in it.
 */
const COLUMNS: Readonly<
  Record<Column, { read(point: StatusPoint): number; join: "sum" | "max" | "sum of processes" }>
> = {
  rss: { read: ({ rss }) => rss, join: "sum of processes" },
  heapUsed: { read: ({ heapUsed }) => heapUsed, join: "sum of processes" },
  cpu: { read: ({ cpu }) => cpu, join: "sum of processes" },
  eventLoopDelayP99: { read: ({ eventLoopDelay }) => eventLoopDelay.p99, join: "max" },
  actors: { read: ({ actors }) => actors, join: "sum" },
  longestMailbox: { read: ({ longestMailbox }) => longestMailbox, join: "max" },
  receivedMessagesPerSecond: { read: ({ received }) => received.messages, join: "sum" },
  sentMessagesPerSecond: { read: ({ sent }) => sent.messages, join: "sum" },
  receivedBytesPerSecond: { read: ({ received }) => received.bytes, join: "sum" },
  sentBytesPerSecond: { read: ({ sent }) => sent.bytes, join: "sum" },
  asksPending: { read: ({ pendingAsks }) => pendingAsks, join: "sum" },
};

const NAMES = Object.keys(COLUMNS) as Column[];

/** The history of one server. Its times are by the observer's clock. */
interface Kept {
  readonly instance: string;
  readonly process: string;
  readonly points: readonly StatusPoint[];
}

/** A point, and the process of its server. */
interface ProcessPoint {
  readonly process: string;
  readonly point: StatusPoint;
}

/** The histories of servers. */
export class EnsembleHistory {
  readonly #kept = new Map<string, Kept>();

  /**
   * Adds points of an instance of a server, with times by the observer's clock. Those that are
   * known, or that cannot be from the last ten minutes, are left out.
   *
   * @param server.process names the process: its id and host.
   */
  add(
    { id, instance, process }: { id: string; instance: string; process: string },
    points: readonly StatusPoint[],
  ): void {
    const kept = this.#kept.get(id);
    const all = kept?.instance === instance ? [...kept.points] : [];
    const now = Date.now();
    let last = all.at(-1)?.at ?? now - HISTORY_POINTS * POINT_INTERVAL;
    for (const point of points) {
      // The clocks of both hosts are compared anew each time, so a point can seem to be later.
      if (point.at < last + POINT_INTERVAL / 2 || point.at > now + POINT_INTERVAL) continue;
      all.push(point);
      last = point.at;
    }
    this.#kept.set(id, { instance, process, points: all.slice(-HISTORY_POINTS) });
  }

  /** Forgets all servers but these. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of this.#kept.keys()) if (!ids.has(id)) this.#kept.delete(id);
  }

  /** The history of a server. */
  of(id: string): ServerHistory {
    const points = this.#kept.get(id)?.points ?? [];
    return toHistory(
      points.map(({ at }) => at),
      (name) => points.map((point) => COLUMNS[name].read(point)),
    );
  }

  /**
   * The history of all servers: sums, and the longest of delays and mailboxes. The points of servers
   * are up to half an interval from each other.
   */
  ofAll(): ServerHistory {
    const slots = new Map<number, ProcessPoint[]>();
    for (const { process, points } of this.#kept.values()) {
      for (const point of points) {
        const slot = Math.round(point.at / POINT_INTERVAL);
        const those = slots.get(slot);
        if (those) those.push({ process, point });
        else slots.set(slot, [{ process, point }]);
      }
    }
    const sorted = [...slots].sort(([a], [b]) => a - b);
    // Not all servers have told of the newest.
    sorted.splice(-1);
    return toHistory(
      sorted.map(([slot]) => slot * POINT_INTERVAL),
      (name) => sorted.map(([, points]) => joined(name, points)),
    );
  }
}

function joined(name: Column, points: readonly ProcessPoint[]): number {
  const { read, join } = COLUMNS[name];
  const counted = join === "sum of processes"
    ? new Map(points.map((each) => [each.process, each])).values()
    : points.values();
  return counted.reduce(
    (total, { point }) => join === "max" ? Math.max(total, read(point)) : total + read(point),
    0,
  );
}

function toHistory(at: number[], column: (name: Column) => number[]): ServerHistory {
  const columns = Object.fromEntries(NAMES.map((name) => [name, column(name)]));
  return { at, columns: columns as unknown as ServerHistory["columns"] };
}
