/**
 * The measurements made of every contestant of the benchmark.
 *
 * @module
 */

/** The results of one contestant. A measurement that does not apply to it is undefined. */
export interface Figures {
  /** Round trips one at a time: the median and the 99th percentile, in µs. */
  readonly roundTrip: { readonly p50: number; readonly p99: number };
  /** Round trips per second with 64 outstanding. */
  readonly outstanding?: number;
  /** One-way messages per second, until the last has been received. */
  readonly oneWay?: number;
}

/** Number of round trips measured one at a time, after as many to warm up. */
export const ROUND_TRIPS = 20_000;

/** Number of round trips measured with {@linkcode OUTSTANDING} under way. */
export const OUTSTANDING_ROUND_TRIPS = 400_000;

/** Number of round trips under way at once. */
export const OUTSTANDING = 64;

/** Number of one-way messages. */
export const ONE_WAY = 1_000_000;

/** The payload. With its envelope, a message has about 64 bytes. */
export const PAYLOAD = "x".repeat(16);

/** Times round trips one at a time. */
export async function timeRoundTrips(
  roundTrip: () => Promise<unknown>,
): Promise<Figures["roundTrip"]> {
  for (let i = 0; i < ROUND_TRIPS; i++) await roundTrip();
  const times: number[] = [];
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const start = performance.now();
    await roundTrip();
    times.push((performance.now() - start) * 1000);
  }
  times.sort((a, b) => a - b);
  return { p50: times[times.length * 0.5]!, p99: times[times.length * 0.99]! };
}

/** Measures round trips with 64 outstanding, and returns the number per second. */
export async function timeOutstanding(roundTrip: () => Promise<unknown>): Promise<number> {
  let left = OUTSTANDING_ROUND_TRIPS;
  const start = performance.now();
  await Promise.all(Array.from({ length: OUTSTANDING }, async () => {
    while (left-- > 0) await roundTrip();
  }));
  return OUTSTANDING_ROUND_TRIPS / (performance.now() - start) * 1000;
}
