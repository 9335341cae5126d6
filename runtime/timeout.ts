/**
 * Waits with a limit: a time, or a signal.
 *
 * @module
 */

/** The longest delay of a timer, in ms. With a longer one, it fires at once. */
export const MAX_DELAY = 2 ** 31 - 1;

/**
 * Waits until a promise is settled, or for at most `timeout` ms. A negative number counts as 0, and
 * `Infinity` means no limit. Returns whether the promise is settled.
 */
export async function within(timeout: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    const wait = (rest: number) => {
      timer = setTimeout(
        () => rest > MAX_DELAY ? wait(rest - MAX_DELAY) : resolve(false),
        Math.max(0, Math.min(rest, MAX_DELAY)),
      );
    };
    wait(timeout);
  });
  const settled = promise.then(() => true, () => true);
  const result = await Promise.race([settled, late]);
  clearTimeout(timer);
  return result;
}

/** Waits for a promise until a signal is aborted; then throws the signal's reason. */
export async function unlessAborted<Result>(
  signal: AbortSignal | undefined,
  work: Result | Promise<Result>,
): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal!.reason);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
