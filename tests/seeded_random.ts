/**
 * Random numbers that are the same in each run of a test.
 *
 * @module
 */

/** The seed of tests that are given none. Another one can be tried with this variable. */
const SEED = Number(Deno.env.get("GX_TEST_SEED") ?? 1);

/**
 * Numbers that are the same for the same seed (xorshift32).
 *
 * @see https://www.jstatsoft.org/article/view/v008i14
 */
export class SeededRandom {
  #state: number;

  /** Starts with a seed. */
  constructor(seed: number = SEED) {
    this.#state = seed | 0 || 1;
  }

  /** A number from 0 to `count` - 1. */
  below(count: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % count;
  }

  /** One of some items. */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }
}

/** Runs a test with random numbers. The message of its failure names the seed. */
export async function withSeed(
  test: (random: SeededRandom) => void | Promise<void>,
  seed: number = SEED,
): Promise<void> {
  try {
    await test(new SeededRandom(seed));
  } catch (error) {
    throw new Error(`failed with GX_TEST_SEED=${seed}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
