/**
 * Registration: keeps a server in the registry.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Actor, ActorBody } from "../actor/actor.ts";
import { SERVER_ACTOR } from "../actor/actor_system.ts";
import { messageType } from "../actor/envelope.ts";
import { type Case, onDown, onPing, onShutdown, onUnexpected } from "../actor/cases.ts";
import { ActorRef, REGISTRY_ID } from "../actor/references.ts";
import { askRegistry, type RegistryEntry } from "./registry_protocol.ts";

const logger = getLogger(["gxensemble", "registration"]);

/** The first and the longest pause between two tries to register again, in ms. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 15_000;

/** What a server tells its registration when its entry has changed. */
const CHANGED = "changed";

/** Does something when the server says that its entry has changed. */
const onChange = (self: Actor, react: () => void): Case => ({
  matches: ({ message, source }) => messageType(message) === CHANGED && source.equals(self.ref),
  react,
});

/** What the actor does with messages that have nothing to do with its work. */
const OTHERS: readonly Case[] = [onPing, onShutdown(), onUnexpected];

/** Adds an entry to the registry. */
export async function register(actor: Pick<Actor, "ask">, entry: RegistryEntry): Promise<void> {
  await askRegistry(actor).add({ entry });
}

/**
 * Makes the body of an actor that registers a server again whenever the registry was lost, which may have forgotten,
 * or have been replaced; and when its entry has changed, see {@linkcode announceChange}.
 *
 * @param entry gives the entry as it is now.
 */
export function keepRegistered(entry: () => RegistryEntry): ActorBody {
  return async (self) => {
    self.monitor(new ActorRef(REGISTRY_ID, SERVER_ACTOR));
    while (true) {
      let why: "lost" | "changed" | undefined;
      const cases = [onDown(() => why = "lost"), onChange(self, () => why = "changed"), ...OTHERS];
      while (!why) await self.receive<unknown>(cases);
      if (why === "lost") {
        logger.warn("the registry was lost; registering again as soon as it is back");
        await rest(self, FIRST_PAUSE);
      }
      await registerAgain(self, entry);
      logger.info("registered again");
      if (why === "lost") self.monitor(new ActorRef(REGISTRY_ID, SERVER_ACTOR));
    }
  };
}

/** Tells the actor that keeps a server registered that the server's entry has changed. */
export function announceChange(registration: Actor): void {
  registration.tell(registration, { type: CHANGED });
}

async function registerAgain(self: Actor, entry: () => RegistryEntry): Promise<void> {
  let last = "";
  for (let pause = 2 * FIRST_PAUSE;; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return await register(self, entry());
    } catch (error) {
      const reason = (error as Error).message;
      // Each reason once: that it is not back yet is no news, that another server has the id is.
      if (reason !== last) logger.warn("cannot register yet: {reason}", { reason });
      last = reason;
    }
    await rest(self, pause);
  }
}

/** Lets time pass, in ms, and takes what comes meanwhile. */
async function rest(self: Actor, duration: number): Promise<void> {
  const until = performance.now() + duration;
  for (let left = duration; left > 0; left = until - performance.now()) {
    await self.receive([onChange(self, () => {}), ...OTHERS], { timeout: left });
  }
}
