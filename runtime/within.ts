/**
 * Waiting, but not for ever.
 *
 * @module
 */

/** Waits until a promise is settled, or `timeout` ms have passed; says whether it is settled. */
export async function within(timeout: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), timeout));
  const settled = promise.then(() => true, () => true);
  const result = await Promise.race([settled, late]);
  clearTimeout(timer);
  return result;
}
