/**
 * The measurements that every contestant of the benchmark takes.
 *
 * @module
 */

/** What one contestant did. Undefined where a measurement makes no sense for it. */
export interface Figures {
  /** Round trips one at a time: the median and the 99th percentile, in us. */
  readonly roundTrip: { readonly p50: number; readonly p99: number };
  /** Round trips a second with 64 outstanding. */
  readonly outstanding?: number;
  /** One-way messages a second, until the last has been taken. */
  readonly oneWay?: number;
}

/** How many round trips are asked for one at a time, after as many to warm up. */
export const ROUND_TRIPS = 20_000;

/** How many round trips are asked for with {@linkcode OUTSTANDING} under way. */
export const OUTSTANDING_ROUND_TRIPS = 400_000;

/** How many round trips are under way at once. */
export const OUTSTANDING = 64;

/** How many one-way messages are sent. */
export const ONE_WAY = 1_000_000;

/** The payload: with what is around it a message has about 64 bytes. */
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

/** Times round trips with 64 outstanding; gives how many there are in a second. */
export async function timeOutstanding(roundTrip: () => Promise<unknown>): Promise<number> {
  let left = OUTSTANDING_ROUND_TRIPS;
  const start = performance.now();
  await Promise.all(Array.from({ length: OUTSTANDING }, async () => {
    while (left-- > 0) await roundTrip();
  }));
  return OUTSTANDING_ROUND_TRIPS / (performance.now() - start) * 1000;
}
