/**
 * Draining: a server takes no new work, and finishes what it has.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { ActorSystem, BusyService } from "../actor/actor_system.ts";
import { REGISTRY_ID } from "../actor/references.ts";
import { DisconnectedError, EnsembleError, TimeoutError } from "../errors.ts";
import { shorten } from "../safe_text.ts";
import { within } from "../timeout.ts";

const logger = getLogger(["gxensemble", "server"]);

/**
 * How long requests of servers that did not know yet may come after the registry was told, in ms.
 * They know some tens of ms later, and what they sent until then is on its way.
 */
const SETTLING_TIME = 500;

/** How often is looked whether services are busy, in ms. */
const LOOK_INTERVAL = 50;

/** The number of services that an error names. */
const MOST_NAMED = 5;

/** How far the draining of a server is. */
export interface DrainStatus {
  /** Whether the server is draining. */
  readonly isDraining: boolean;
  /** Whether the registry has it as `draining`. */
  readonly isRegistered: boolean;
  /** Whether nothing is left to wait for. */
  readonly isDone: boolean;
  /** The services with requests. */
  readonly busy: readonly BusyService[];
}

/** Whether a server is draining, and how far that is. */
export class Draining {
  readonly #actors: ActorSystem;
  readonly #update: () => Promise<void>;
  /** When the registry had it as draining, by `performance.now()`; undefined before. */
  #since: number | undefined;
  /** Resolves when it takes work again. */
  #ended: PromiseWithResolvers<void> | undefined;

  /** A server that takes work. `update` has the registry told of its state. */
  constructor(actors: ActorSystem, update: () => Promise<void>) {
    this.#actors = actors;
    this.#update = update;
  }

  /** Whether the server is draining. */
  get isOn(): boolean {
    return this.#actors.isDraining;
  }

  /**
   * Begins. Does nothing if the server is draining.
   *
   * @throws {EnsembleError} if it is a registry, which clients use until it ends.
   */
  begin(): void {
    if (this.isOn) return;
    if (this.#actors.id === REGISTRY_ID) {
      throw new EnsembleError(
        "a registry cannot be drained: servers use it until it ends. To replace it, stop it and " +
          "start another one, or have several registries",
      );
    }
    this.#actors.isDraining = true;
    const ended = this.#ended = Promise.withResolvers<void>();
    logger.info("{id} is draining: it takes no new work", { id: this.#actors.id });
    void this.#update().then(() => {
      if (this.#ended === ended) this.#since = performance.now();
    });
  }

  /** Has the server take work again. Resolves when the registry has that. */
  async end(): Promise<void> {
    if (!this.isOn) return;
    this.#actors.isDraining = false;
    this.#ended?.resolve();
    this.#ended = this.#since = undefined;
    logger.info("{id} takes work again", { id: this.#actors.id });
    await this.#update();
  }

  /** How far it is: as soon as it is done or has ended, and at the latest after a time in ms. */
  async status(wait = 0): Promise<DrainStatus> {
    const until = performance.now() + wait;
    while (true) {
      const status = this.#look();
      const left = until - performance.now();
      if (status.isDone || !status.isDraining || left <= 0) return status;
      await within(Math.min(LOOK_INTERVAL, left), this.#ended!.promise);
    }
  }

  /**
   * Waits until it is done, for a time in ms.
   *
   * @throws {TimeoutError} if it is not done by then.
   * @throws {EnsembleError} if the server takes work again.
   * @throws {DisconnectedError} if the server stops.
   */
  async finish(timeout: number, signal: AbortSignal): Promise<void> {
    const { id } = this.#actors;
    const until = performance.now() + timeout;
    let status: DrainStatus;
    do {
      if (signal.aborted) {
        throw new DisconnectedError(`${id} is stopping`, { code: "SERVER_STOPPING" });
      }
      status = await this.status(Math.min(LOOK_INTERVAL, until - performance.now()));
      if (!status.isDraining) throw notDraining(id);
      if (status.isDone) return;
    } while (performance.now() < until);
    throw notDrained(id, { status, timeout });
  }

  #look(): DrainStatus {
    const isRegistered = this.#since !== undefined;
    const busy = this.#actors.busyServices();
    const isSettled = isRegistered && performance.now() - this.#since! >= SETTLING_TIME;
    return {
      isDraining: this.isOn,
      isRegistered,
      isDone: this.isOn && isSettled && busy.length === 0,
      busy,
    };
  }
}

/** The error for a server that takes work again. */
export function notDraining(id: string): EnsembleError {
  return new EnsembleError(`${id} takes work again: it was taken back before it was drained`);
}

/** The error for a server that is still busy. */
export function notDrained(
  id: string,
  { status, timeout }: { status: DrainStatus; timeout: number },
): TimeoutError {
  const why = describeStatus(status);
  return new TimeoutError(`${id} is not drained after ${timeout / 1000} s: ${why}`);
}

/** What a server still waits for. */
export function describeStatus({ isRegistered, busy }: DrainStatus): string {
  if (!isRegistered) return "the registry does not answer, so other servers do not know yet";
  if (busy.length === 0) return "requests that were on their way may still come";
  const named = busy.slice(0, MOST_NAMED).map(({ actor, begun, waiting }) => {
    const parts = [
      ...begun > 0 ? [`${begun} unanswered`] : [],
      ...waiting > 0 ? [`${waiting} waiting`] : [],
    ];
    return `${shorten(actor)} (${parts.join(", ")})`;
  });
  if (busy.length > MOST_NAMED) named.push(`${busy.length - MOST_NAMED} more`);
  return `these services are busy: ${named.join(", ")}`;
}
