/**
 * Work on many items, some at the same time.
 *
 * @module
 */

/**
 * Does work for each item, in their order, for at most `atOnce` of them at the same time. Returns the
 * results in the order of the items.
 *
 * @throws the first error of the work. The rest is done nevertheless.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  { atOnce, work }: {
    readonly atOnce: number;
    readonly work: (item: Item) => Promise<Result>;
  },
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  const queue = items.entries();
  const workThrough = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, workThrough));
  return results;
}
