/**
 * The module that is loaded into the running servers of the screenshots.
 *
 * @module
 */

/** The price of an item. */
export function priceOf(item: number): number {
  return item % 100;
}
