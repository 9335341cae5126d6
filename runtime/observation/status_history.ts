/**
 * The last ten minutes of a server, and the rates of its last seconds.
 *
 * @module
 */
import type { Traffic } from "../server/connection.ts";
import { eventLoopDelay } from "./event_loop_delay.ts";
import { processMemory, processorTime } from "./process_usage.ts";
import { HISTORY_POINTS, type StatusPoint } from "./status_protocol.ts";

/** The number of readings from which rates are computed: those of the last ten seconds, and now. */
const RATE_READINGS = 10;

/** The number of readings in a point of the history. */
const POINT_READINGS = 5;

/** What is counted from the start of a server. */
export interface Totals {
  /** What came from other servers. */
  readonly received: Traffic;
  /** What was sent to other servers. */
  readonly sent: Traffic;
  /** The messages that actors took. */
  readonly handled: number;
}

/** What a server has now. */
export type Level = Pick<
  StatusPoint,
  "actors" | "longestMailbox" | "connections" | "pendingAsks"
>;

/** Where a history gets its numbers from. */
export interface HistorySource {
  /** Counts, which only grow. */
  totals(): Totals;
  /** Numbers of now. */
  level(): Level;
}

/** How much each count grew in a second. */
export interface Rates extends Totals {
  /** The used part of one processor core. */
  readonly cpu: number;
}

/** The totals at a moment. */
interface Reading extends Totals {
  /** By `performance.now()`, in ms. */
  readonly at: number;
  /** In ms of one core. */
  readonly processorTime: number;
}

/** The history of a server, from its numbers every second. */
export class StatusHistory {
  readonly #source: HistorySource;
  /** The newest is the last. */
  readonly #readings: Reading[] = [];
  readonly #points: StatusPoint[] = [];
  /** The reading at the end of the last point. */
  #pointBegan: Reading;
  #untilPoint = POINT_READINGS;

  /** Starts with the numbers of now. */
  constructor(source: HistorySource) {
    this.#source = source;
    this.#pointBegan = this.#read();
    this.#readings.push(this.#pointBegan);
  }

  /** The rates of the last ten seconds, or of the time since the start. */
  rates(): Rates {
    return ratesBetween(this.#readings[0]!, this.#read());
  }

  /** The points of the last ten minutes that end after a time, in ms since 1970. */
  points(since = -Infinity): StatusPoint[] {
    return this.#points.filter(({ at }) => at > since);
  }

  /** Reads the numbers of now. It is called every second. */
  takeReading(): void {
    const reading = this.#read();
    this.#readings.push(reading);
    if (this.#readings.length > RATE_READINGS) this.#readings.shift();
    if (--this.#untilPoint > 0) return;
    this.#untilPoint = POINT_READINGS;
    this.#points.push(this.#point(reading));
    if (this.#points.length > HISTORY_POINTS) this.#points.shift();
    this.#pointBegan = reading;
  }

  #point(end: Reading): StatusPoint {
    const { rss, heapUsed } = processMemory();
    return {
      at: Date.now(),
      rss,
      heapUsed,
      eventLoopDelay: eventLoopDelay(end.at - this.#pointBegan.at),
      ...this.#source.level(),
      ...ratesBetween(this.#pointBegan, end),
    };
  }

  #read(): Reading {
    return {
      at: performance.now(),
      processorTime: processorTime(),
      ...this.#source.totals(),
    };
  }
}

function ratesBetween(begin: Reading, end: Reading): Rates {
  const passed = Math.max(1, end.at - begin.at);
  const perSecond = (from: number, to: number) => 1000 * Math.max(0, to - from) / passed;
  const flow = (from: Traffic, to: Traffic): Traffic => ({
    messages: perSecond(from.messages, to.messages),
    bytes: perSecond(from.bytes, to.bytes),
  });
  return {
    cpu: Math.max(0, end.processorTime - begin.processorTime) / passed,
    received: flow(begin.received, end.received),
    sent: flow(begin.sent, end.sent),
    handled: perSecond(begin.handled, end.handled),
  };
}
