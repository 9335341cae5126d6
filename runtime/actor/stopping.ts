/**
 * The end of all actors of a server that stops.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { within } from "../timeout.ts";
import type { Actor } from "./actor.ts";
import type { ActorSystem } from "./actor_system.ts";

const logger = getLogger(["gxensemble", "actor"]);

/**
 * The part of the grace that services have to finish their requests. The rest is for clean-ups.
 */
const DRAIN_SHARE = 3 / 4;

/** How the actors of a server are ended. */
export interface EndOptions {
  /** The error for requests that come too late, and the reason for handlers to hurry. */
  readonly reason: Error;
  /** How long the actors may take, in ms. */
  readonly grace: number;
  /** Those that go on. */
  readonly keep: ReadonlySet<Actor>;
}

/** Ends all actors but some; see {@linkcode ActorSystem.stopActors}. */
export async function endActors(
  system: ActorSystem,
  { reason, grace, keep }: EndOptions,
): Promise<void> {
  const until = performance.now() + grace;
  await within(grace * DRAIN_SHARE, drainAll(system, { reason, keep }));
  system.grace = 0;
  const actors = system.actors().filter((actor) => !keep.has(actor));
  // Supervisors shut their children down, in order.
  for (const actor of actors) if (!actor.keeper) system.tell(actor, { type: "shutdown" });
  await within(until - performance.now(), Promise.all(actors.map((actor) => actor.ended)));
  const late = actors.filter(({ activity }) => activity !== "dead");
  if (late.length === 0) return;
  const why = "did not shut down in time";
  for (const actor of late) {
    // A supervisor is late because of its children.
    if (!actor.children) {
      logger.warn("{actor} did not shut down in time and is made to end", {
        actor: `${actor.ref}`,
      });
    }
    actor.exit(why);
  }
  // Actors that wait for a message end now. The code of the others cannot be ended, but their
  // askers need not wait for it.
  await new Promise((resolve) => setImmediate(resolve));
  for (const actor of late) system.endAtOnce(actor, why);
}

/** Waits until no service has unfinished requests, since a handler of one may ask another. */
async function drainAll(
  system: ActorSystem,
  { reason, keep }: Pick<EndOptions, "reason" | "keep">,
): Promise<void> {
  let services: Actor[];
  do {
    services = system.actors().filter((actor) => actor.drains && !keep.has(actor));
    await Promise.all(services.map((actor) => actor.drain(reason)));
  } while (services.some(({ requests }) => requests.hasAny));
}
