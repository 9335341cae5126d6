/**
 * How a server stays in the registry.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Actor, ActorBody } from "../actor/actor.ts";
import { type ActorSystem, SERVER_ACTOR } from "../actor/actor_system.ts";
import { onDown, onPing, onShutdown, onUnexpected } from "../actor/cases.ts";
import { DisconnectedError } from "../errors.ts";
import { type Case, UNBOUNDED } from "../actor/mailbox.ts";
import { messageType } from "../actor/messaging.ts";
import { ActorRef, REGISTRY_ID } from "../actor/references.ts";
import { type OwnEntry, registryClient, withClaimant } from "./registry_protocol.ts";

const logger = getLogger(["gxensemble", "registration"]);

/** The first and the longest pause before registering again, in ms. */
const FIRST_RETRY = 250;
const LONGEST_RETRY = 15_000;

/** The message to the actor that keeps a server registered, for a changed entry. */
const CHANGED = "changed";

/** Reacts to a changed entry of the server. */
const onChange = (self: Actor, react: () => void): Case => ({
  matches: ({ message, source }) => messageType(message) === CHANGED && source.equals(self.ref),
  react,
});

/** Cases for unrelated messages. */
const OTHERS: readonly Case[] = [onPing, onShutdown(), onUnexpected];

/** How long a stopping server waits for the registry to remove its entry, in ms. */
const REMOVE_TIMEOUT = 1_000;

/** The registration of a server. */
export class Registration {
  readonly #actors: ActorSystem;
  readonly #entry: () => OwnEntry;
  /** Whether the registry has been asked to add the entry. */
  #isAsked = false;
  #actor: Actor | undefined;

  /** Asks nothing yet; `entry` gives the entry as it is now. */
  constructor(actors: ActorSystem, entry: () => OwnEntry) {
    this.#actors = actors;
    this.#entry = entry;
  }

  /**
   * Adds the entry, or what has changed in it.
   *
   * @throws {EnsembleError} when the registry refuses it, or cannot be reached.
   */
  async add(): Promise<void> {
    this.#isAsked = true;
    const entry = this.#entry();
    try {
      await registryClient(this.#actors).register({ entry });
    } catch (error) {
      // The registry refused the connection, since the id is another's.
      const isTaken = error instanceof DisconnectedError && error.code === "ID_TAKEN";
      throw isTaken ? withClaimant(error.cause as Error, entry) : error;
    }
  }

  /** Starts the actor that adds the entry again when that is needed. */
  keep(): Actor {
    return this.#actor = this.#actors.spawn("registration", keepRegistered(this.#entry), {
      mailbox: UNBOUNDED,
    });
  }

  /** Has that actor add the entry, which has changed. */
  announceChange(): void {
    this.#actor?.tell(this.#actor, { type: CHANGED });
  }

  /** Removes the entry, where the registry may have it. The actor ends first, for it could add the entry again. */
  async remove(why: string): Promise<void> {
    this.#actor?.exit(why);
    if (!this.#isAsked) return;
    const { id, instance } = this.#entry();
    try {
      await registryClient(this.#actors).remove({ id, instance }, { timeout: REMOVE_TIMEOUT });
    } catch (error) {
      logger.warn("cannot leave the registry: {reason}", { reason: (error as Error).message });
    }
  }
}

/**
 * Makes the body of an actor that registers a server again when the connection to the registry was lost, for a new
 * registry may not know the server; and when its entry has changed, see {@linkcode Registration.announceChange}.
 *
 * @param entry returns the current entry.
 */
export function keepRegistered(entry: () => OwnEntry): ActorBody {
  return async (self) => {
    self.monitor(new ActorRef(REGISTRY_ID, SERVER_ACTOR));
    while (true) {
      let why: "lost" | "changed" | undefined;
      const cases = [onDown(() => why = "lost"), onChange(self, () => why = "changed"), ...OTHERS];
      while (!why) await self.receive<unknown>(cases);
      if (why === "lost") {
        logger.warn("the registry was lost; registering again as soon as it is back");
        await rest(self, FIRST_RETRY);
      }
      await registerAgain(self, entry);
      logger.info("registered again");
      if (why === "lost") self.monitor(new ActorRef(REGISTRY_ID, SERVER_ACTOR));
    }
  };
}

async function registerAgain(self: Actor, entry: () => OwnEntry): Promise<void> {
  let last = "";
  for (let pause = 2 * FIRST_RETRY;; pause = Math.min(2 * pause, LONGEST_RETRY)) {
    try {
      await registryClient(self).register({ entry: entry() });
      return;
    } catch (error) {
      const { message } = error as Error;
      // Each message is logged once: that the registry is still away is not news, but that another
      // server has the id is.
      if (message !== last) logger.warn("cannot register yet: {reason}", { reason: message });
      last = message;
    }
    await rest(self, pause);
  }
}

/** Waits, in ms, while receiving messages. */
async function rest(self: Actor, duration: number): Promise<void> {
  const until = performance.now() + duration;
  for (let left = duration; left > 0; left = until - performance.now()) {
    await self.receive([onChange(self, () => {}), ...OTHERS], { timeout: left });
  }
}
