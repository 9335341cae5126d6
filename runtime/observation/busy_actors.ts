/**
 * Finds the busiest actors of a server of this process.
 *
 * @module
 */
import type { Actor } from "../actor/actor.ts";
import type { ActorSystem } from "../actor/actor_system.ts";
import { describeActor } from "../actor/introspection.ts";
import { SERVER_ACTOR } from "../actor/references.ts";
import {
  type BusiestActors,
  type BusyActor,
  type BusyOrder,
  MAX_BUSIEST,
} from "./busiest_protocol.ts";

/** How long the server goes on to measure after a request, in ms. */
const LEASE = 10_000;

/** The shortest time of which rates are given, in ms. */
const SHORTEST_INTERVAL = 1_000;

/** What the actors had done at a moment. */
interface Reading {
  /** By `performance.now()`, in ms. */
  readonly at: number;
  /** By serial number. */
  readonly actors: ReadonlyMap<number, Done>;
}

/** What an actor has done. */
interface Done {
  /** The number of messages that it has taken. */
  readonly handled: number;
  /** The time in handlers since that is measured, in ms. */
  readonly time: number;
}

const NOTHING: Done = { handled: 0, time: 0 };

/** Compares actors with what they had done before, while an operator looks. */
export class BusyActors implements Disposable {
  readonly #actors: ActorSystem;
  /** The two last readings, at least {@linkcode SHORTEST_INTERVAL} apart. */
  #readings: Reading[] = [];
  #lease: ReturnType<typeof setTimeout> | undefined;

  /** Measures nothing yet. */
  constructor(actors: ActorSystem) {
    this.#actors = actors;
  }

  /** The busiest actors, and what they did since an earlier request, if there was one. */
  find(sort: BusyOrder, limit: number): BusiestActors {
    this.#renew();
    const actors = this.#actors.actors();
    const before = this.#read(actors);
    const interval = before && performance.now() - before.at;
    const all = actors.map((actor) => ({
      actor,
      ...before && rateOf(actor, before.actors.get(actor.serial), interval!),
    }));
    const measures = {
      mailbox: ({ actor }: typeof all[number]) => actor.mailboxLength,
      handled: ({ actor, handledPerSecond }: typeof all[number]) =>
        handledPerSecond ?? actor.handled,
      time: ({ busy }: typeof all[number]) => busy ?? 0,
    };
    const order = [measures[sort], measures.mailbox, measures.time, measures.handled];
    const compare = (one: typeof all[number], other: typeof all[number]) => {
      for (const measure of order) {
        const difference = measure(other) - measure(one);
        if (difference !== 0) return difference;
      }
      return one.actor.serial - other.actor.serial;
    };
    return {
      now: Date.now(),
      ...interval !== undefined && { interval },
      actors: all.length,
      busiest: all.sort(compare).slice(0, Math.min(limit, MAX_BUSIEST))
        .map(({ actor, ...rates }) => ({ ...this.#describe(actor), ...rates })),
    };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#lease);
    this.#end();
  }

  /** Measures from now on, and for a while after this request. */
  #renew(): void {
    this.#actors.measureHandlers(true);
    clearTimeout(this.#lease);
    this.#lease = setTimeout(() => this.#end(), LEASE);
    Deno.unrefTimer(this.#lease as unknown as number);
  }

  #end(): void {
    this.#actors.measureHandlers(false);
    this.#readings = [];
  }

  /** Takes a reading, unless the last one is new. Returns the last one that is old enough. */
  #read(actors: readonly Actor[]): Reading | undefined {
    const at = performance.now();
    const last = this.#readings.at(-1);
    if (last && at - last.at < SHORTEST_INTERVAL) {
      return this.#readings.length > 1 ? this.#readings[0] : undefined;
    }
    const done = new Map(actors.map((actor) => [actor.serial, doneBy(actor)]));
    this.#readings = [...last ? [last] : [], { at, actors: done }];
    return last;
  }

  #describe(actor: Actor): BusyActor {
    const { serial, name, group, state, mailbox, handled, child } = describeActor(actor);
    const essential = name === SERVER_ACTOR || this.#actors.essential.has(actor);
    return {
      serial,
      ...name !== undefined && { name },
      group,
      state,
      mailbox,
      handled,
      ...child && { restarts: child.restarts },
      ...essential && { essential },
    };
  }
}

function doneBy(actor: Actor): Done {
  return { handled: actor.handled, time: actor.observation?.handlerTime ?? 0 };
}

/** One that was restarted, or is new, has begun at nothing. */
function rateOf(
  actor: Actor,
  before: Done = NOTHING,
  interval: number,
): { handledPerSecond: number; busy: number } {
  const now = doneBy(actor);
  const since = now.handled < before.handled ? NOTHING : before;
  const time = now.time < since.time ? now.time : now.time - since.time;
  return {
    handledPerSecond: 1000 * (now.handled - since.handled) / interval,
    busy: Math.min(1, time / interval),
  };
}
