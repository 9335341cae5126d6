/**
 * Registration: keeps a server in the registry.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Actor, ActorBody } from "../actor/actor.ts";
import { SERVER_ACTOR } from "../actor/actor_system.ts";
import { type Case, onDown, onPing, onShutdown, onUnexpected } from "../actor/cases.ts";
import { ActorRef } from "../actor/ref.ts";
import { REGISTRY_ID } from "../actor/server_id.ts";
import { askRegistry } from "./registry_requests.ts";
import type { RegistryEntry } from "./registry_entry.ts";

const logger = getLogger(["gxensemble", "registration"]);

/** The first and the longest pause between two tries to register again, in ms. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 15_000;

/** What the actor does with messages that have nothing to do with its work. */
const OTHERS: readonly Case[] = [onPing, onShutdown(), onUnexpected];

/** Adds an entry to the registry. */
export async function register(actor: Pick<Actor, "ask">, entry: RegistryEntry): Promise<void> {
  await askRegistry(actor).add({ entry });
}

/**
 * Makes the body of an actor that registers a server again whenever the registry was lost: it may have
 * forgotten, or have been replaced.
 */
export function keepRegistered(entry: () => RegistryEntry): ActorBody {
  return async (self) => {
    while (true) {
      self.monitor(new ActorRef(REGISTRY_ID, SERVER_ACTOR));
      let isLost = false;
      while (!isLost) await self.receive<unknown>([onDown(() => isLost = true), ...OTHERS]);
      logger.warn("the registry was lost; registering again as soon as it is back");
      await registerAgain(self, entry);
      logger.info("registered again");
    }
  };
}

async function registerAgain(self: Actor, entry: () => RegistryEntry): Promise<void> {
  let last = "";
  for (let pause = FIRST_PAUSE;; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    await rest(self, pause);
    try {
      return await register(self, entry());
    } catch (error) {
      const reason = (error as Error).message;
      // Each reason once: that it is not back yet is no news, that another server has the id is.
      if (reason !== last) logger.warn("cannot register yet: {reason}", { reason });
      last = reason;
    }
  }
}

/** Lets time pass, in ms, and takes what comes meanwhile. */
async function rest(self: Actor, duration: number): Promise<void> {
  const until = performance.now() + duration;
  for (let left = duration; left > 0; left = until - performance.now()) {
    await self.receive(OTHERS, { timeout: left });
  }
}
