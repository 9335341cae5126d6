/**
 * Balance: which server of a group gets the next request.
 *
 * @module
 */

/** How a server is chosen. */
export type Strategy = "round-robin" | "random" | "least-pending";

/** All strategies. */
export const STRATEGIES: readonly Strategy[] = ["round-robin", "random", "least-pending"];

/** A server with members. */
export interface Candidate {
  /** Its id. */
  readonly id: string;
  /** The number of members there. */
  readonly members: number;
}

/** What is known of a server. */
interface Share {
  /** By how much it has got fewer requests than its part. */
  credit: number;
  /** The number of requests that it has not answered. */
  pending: number;
}

/** Chooses servers for the requests of one group, according to the numbers of members there. */
export class Balance {
  readonly #shares = new Map<string, Share>();

  /** Chooses a server; undefined if there is none. */
  choose(candidates: readonly Candidate[], strategy: Strategy): string | undefined {
    if (candidates.length === 0) return undefined;
    this.#forget(candidates);
    if (strategy === "random") return pickRandom(candidates);
    if (strategy === "round-robin") return this.#takeTurn(candidates);
    const loads = candidates.map(({ id, members }) => this.#shareOf(id).pending / members);
    const least = Math.min(...loads);
    return this.#takeTurn(candidates.filter((_, at) => loads[at] === least));
  }

  /** Counts a request to a server, until the returned function is called. */
  begin(id: string): () => void {
    const share = this.#shareOf(id);
    share.pending++;
    return () => void share.pending--;
  }

  /**
   * Spreads the turns evenly, so that a server with many members does not get many requests in a
   * row.
   *
   * @see https://github.com/nginx/nginx/commit/52327e0627f49dbda1e8db695e63a4b0af4448b1
   */
  #takeTurn(candidates: readonly Candidate[]): string {
    let chosen = candidates[0]!.id;
    let most = -Infinity;
    let total = 0;
    for (const { id, members } of candidates) {
      const share = this.#shareOf(id);
      share.credit += members;
      total += members;
      if (share.credit <= most) continue;
      most = share.credit;
      chosen = id;
    }
    this.#shareOf(chosen).credit -= total;
    return chosen;
  }

  #shareOf(id: string): Share {
    let share = this.#shares.get(id);
    if (!share) this.#shares.set(id, share = { credit: 0, pending: 0 });
    return share;
  }

  /** Forgets servers that are no candidates any more, once there are many. */
  #forget(candidates: readonly Candidate[]): void {
    if (this.#shares.size <= 2 * candidates.length + 16) return;
    const ids = new Set(candidates.map(({ id }) => id));
    for (const id of this.#shares.keys()) if (!ids.has(id)) this.#shares.delete(id);
  }
}

function pickRandom(candidates: readonly Candidate[]): string {
  const total = candidates.reduce((sum, { members }) => sum + members, 0);
  let left = Math.random() * total;
  for (const { id, members } of candidates) if ((left -= members) < 0) return id;
  return candidates.at(-1)!.id;
}
