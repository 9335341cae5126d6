/**
 * How long to wait before the registry is asked again.
 *
 * @module
 */
import { DisconnectedError, TimeoutError } from "../errors.ts";
import { Refusal, RefusedError } from "./handshake_messages.ts";

/** The first and the longest pause, in ms. */
interface Bounds {
  readonly first: number;
  readonly longest: number;
}

/** While the registry is away: its servers find it soon when it is back. */
const AWAY: Bounds = { first: 500, longest: 3_000 };

/**
 * While it is busy with those that came before. Each attempt takes some of its time, so there have
 * to be fewer of them than it can answer. It can be behind with thousands of servers at once.
 */
const BUSY: Bounds = { first: 3_000, longest: 10_000 };

/**
 * The pauses between attempts to reach the registry: each is twice as long as the one before, up to
 * a bound, and a random part of that, at least half of it, so that servers do not all ask at once.
 */
export class RegistryPauses {
  #bounds: Bounds | undefined;
  #pause = 0;

  /** The pause after an attempt that failed with an error, in ms. */
  after(error: unknown): number {
    const bounds = isBusy(error) ? BUSY : AWAY;
    this.#pause = bounds === this.#bounds
      ? Math.min(2 * this.#pause, bounds.longest)
      : bounds.first;
    this.#bounds = bounds;
    return shortened(this.#pause);
  }

  /** To be called when the registry has answered. */
  reset(): void {
    this.#bounds = undefined;
  }
}

/**
 * Whether a registry runs but had no time for a connection: it said so, its queue was full, or it
 * did not get through the handshake.
 */
export function isBusy(error: unknown): boolean {
  if (error instanceof TimeoutError) {
    return error.silence !== undefined && error.silence.stage !== "request";
  }
  if (!(error instanceof DisconnectedError) || error.wasConnected) return false;
  const { cause, silence } = error;
  return silence !== undefined || cause instanceof DisconnectedError || wasTurnedAway(error);
}

/** Whether a registry said that it had no time for a connection. */
export function wasTurnedAway(error: unknown): boolean {
  const { cause } = error as Error;
  return cause instanceof RefusedError && cause.refusal === Refusal.Busy;
}

/** A random part of a time, at least half of it. */
export function shortened(time: number): number {
  return time * (1 + Math.random()) / 2;
}
