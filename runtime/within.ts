/**
 * Waiting, but not for ever.
 *
 * @module
 */

/**
 * Waits until a promise is settled, or `timeout` ms have passed, of which there may be less than none left;
 * says whether it is settled.
 */
export async function within(timeout: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, timeout));
  });
  const settled = promise.then(() => true, () => true);
  const result = await Promise.race([settled, late]);
  clearTimeout(timer);
  return result;
}
