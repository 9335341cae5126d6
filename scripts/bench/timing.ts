/**
 * Taking times in the process that measures. Every measurement warms up first, for half of its
 * duration.
 *
 * @module
 */
import { ProcessorTime } from "./processor_time.ts";
import { quantile } from "./statistics.ts";

/** How many requests are outstanding at once where one sender has many. */
export const OUTSTANDING = 64;

/** How many one-way messages are sent between two looks at the clock. */
const BATCH = 64;

/** Times work one by one. Returns the median and the 99th percentile, in us. */
export async function timeEach(
  duration: number,
  work: () => Promise<unknown>,
): Promise<{ p50: number; p99: number }> {
  for (const end = performance.now() + duration / 2; performance.now() < end;) await work();
  const times: number[] = [];
  let now = performance.now();
  for (const end = now + duration; now < end;) {
    const start = now;
    await work();
    now = performance.now();
    times.push((now - start) * 1000);
  }
  times.sort((a, b) => a - b);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

/** A rate, and the processor time of one message. */
export interface Rate {
  /** How many are done in a second. */
  readonly rate: number;
  /**
   * What one takes of this process and the other, in us. Absent if there is no other, or it cannot
   * be measured.
   */
  readonly cpu?: number;
}

/**
 * Keeps several pieces of work under way. `pid` is the process that does the work with this one.
 */
export async function rateOf(
  duration: number,
  lanes: readonly (() => Promise<unknown>)[],
  pid?: number,
): Promise<Rate> {
  await runLanes(duration / 2, lanes);
  return await rateWhile(pid, () => runLanes(duration, lanes));
}

/** The rate of work that returns how much it has done. */
export async function rateWhile(
  pid: number | undefined,
  work: () => Promise<number>,
): Promise<Rate> {
  const processor = pid === undefined ? undefined : new ProcessorTime(Deno.pid, pid);
  const start = performance.now();
  const done = await work();
  const rate = done / (performance.now() - start) * 1000;
  return { rate, ...processor?.perMessage(done) };
}

/** Keeps work under way for a time, in ms. Returns how often it was done. */
export async function runLanes(
  duration: number,
  lanes: readonly (() => Promise<unknown>)[],
): Promise<number> {
  let done = 0;
  // Looking at the clock takes a good part of a microsecond, so one lane does it for all.
  let over = false;
  const end = performance.now() + duration;
  await Promise.all(lanes.map(async (work, lane) => {
    while (!over) {
      await work();
      done++;
      if (lane === 0) over = performance.now() >= end;
    }
  }));
  return done;
}

/** The lanes of one sender: the same work, so many times at once. */
export function lanes(count: number, work: () => Promise<unknown>): (() => Promise<unknown>)[] {
  return Array.from({ length: count }, () => work);
}

/** A stream of messages that are not answered. */
export interface OneWay {
  /** Sends one message. Returns a promise if the sender has to wait before it sends the next. */
  send(): Promise<unknown> | undefined;
  /** Asks how many messages have arrived, all that were sent before included. */
  arrived(): Promise<number>;
}

/**
 * Sends messages one way, `batch` between two looks at the clock, and waits until they have
 * arrived. `pid` is the process that takes them.
 *
 * @throws {Error} if messages are lost.
 */
export async function rateOneWay(
  duration: number,
  stream: OneWay,
  { batch = BATCH, pid }: { batch?: number; pid?: number } = {},
): Promise<Rate> {
  await sendFor(duration / 2, stream, batch);
  return await rateWhile(pid, () => sendFor(duration, stream, batch));
}

async function sendFor(duration: number, stream: OneWay, batch: number): Promise<number> {
  const before = await stream.arrived();
  let sent = 0;
  for (const end = performance.now() + duration; performance.now() < end;) {
    for (let i = 0; i < batch; i++) {
      const congested = stream.send();
      if (congested) await congested;
    }
    sent += batch;
  }
  const arrived = await stream.arrived() - before;
  if (arrived !== sent) throw new Error(`${arrived} of ${sent} messages arrived`);
  return sent;
}
