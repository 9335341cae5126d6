/**
 * How a server stays in the registry.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Actor } from "../actor/actor.ts";
import type { ActorSystem } from "../actor/actor_system.ts";
import { onDown, onPing, onShutdown, onUnexpected } from "../actor/cases.ts";
import { type Case, UNBOUNDED } from "../actor/mailbox.ts";
import { messageType } from "../actor/messaging.ts";
import { ActorRef, REGISTRY_ID, SERVER_ACTOR } from "../actor/references.ts";
import { ActorError, DisconnectedError, TimeoutError } from "../errors.ts";
import { isBusy, RegistryPauses, wasTurnedAway } from "./registry_pauses.ts";
import {
  type Lease,
  type OwnEntry,
  registryClient,
  type ServerState,
  withClaimant,
} from "./registry_protocol.ts";

const logger = getLogger(["gxensemble", "registration"]);

/** All servers notice at once that the registry was lost, and ask within this time, in ms. */
const SPREAD = 500;

/** The share of its lease after which an entry is renewed. */
const RENEWED_AFTER = 1 / 3;

/** How much the pauses and intervals of servers differ at most, as a share of them. */
const JITTER = 0.1;

/** The maximum number of registries that are asked in a row. */
const MAX_TRIES = 4;

/** How long a stopping server waits for the registry to remove its entry, in ms. */
const REMOVE_TIMEOUT = 1_000;

/** How long a server that starts waits for a busy registry, in ms. */
const START_PATIENCE = 60_000;

/** The message to the actor that keeps a server registered, for a changed entry. */
const CHANGED = "changed";

/** Cases for unrelated messages. */
const OTHERS: readonly Case[] = [onPing, onShutdown(), onUnexpected];

/** The registration of a server. */
export class Registration {
  readonly #actors: ActorSystem;
  readonly #entry: () => OwnEntry;
  readonly #leave: () => boolean;
  /** Whether the registry has been asked to add the entry. */
  #isAsked = false;
  /** Whether the entry was removed, and must not be added again. */
  #hasLeft = false;
  /** What the registry answered last. */
  #lease: Lease | undefined;
  /** The state that the registry has, and until when its lease runs, by `performance.now()`. */
  #registered: { readonly state: ServerState; readonly until: number } | undefined;
  /** The registrations that were asked for, one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #actor: Actor | undefined;
  /** Those to tell that the registry has the entry as it is now. */
  readonly #waiting = new Set<() => void>();
  /** Announces a change later. */
  #timer: { readonly at: number; readonly handle: ReturnType<typeof setTimeout> } | undefined;
  /** Whether the entry has changed since it was first read, before there is an actor to add it. */
  #isChanged = false;
  /** Whether the actor will notice that the connection to the registry is lost. */
  #isMonitored = false;

  /**
   * Asks nothing yet. `entry` gives the entry as it is now; `leave` has another registry asked from
   * now on, and returns whether there is one.
   */
  constructor(
    actors: ActorSystem,
    { entry, leave }: { entry: () => OwnEntry; leave: () => boolean },
  ) {
    this.#actors = actors;
    this.#entry = entry;
    this.#leave = leave;
  }

  /**
   * The state that the registry has of the server; undefined if the lease has run out, as far as
   * the server can know.
   */
  get state(): ServerState | undefined {
    const { state, until } = this.#registered ?? { until: -Infinity };
    return !this.#hasLeft && performance.now() < until ? state : undefined;
  }

  /**
   * Adds the entry, or what has changed in it.
   *
   * @throws {EnsembleError} with the code `ID_TAKEN`, when another instance has the id; when the
   * registry refuses it otherwise, or cannot be reached.
   */
  async add(): Promise<void> {
    this.#isAsked = true;
    let told: (() => void)[] = [];
    // An earlier one could else be the last that the registry hears.
    const registered = this.#last.then(() => {
      if (this.#hasLeft) throw new DisconnectedError(`${this.#actors.id} is leaving the registry`);
      told = [...this.#waiting];
      return this.#register();
    });
    this.#last = registered.catch(() => {});
    this.#lease = await registered;
    for (const tell of told) {
      this.#waiting.delete(tell);
      tell();
    }
  }

  /**
   * Adds the entry of a server that starts. While the registry says that it is busy, asks it again,
   * for up to {@linkcode START_PATIENCE}.
   *
   * @throws {EnsembleError} as {@linkcode Registration.add} does.
   */
  async begin(): Promise<void> {
    const until = performance.now() + START_PATIENCE;
    const pauses = new RegistryPauses();
    for (let isFirst = true;; isFirst = false) {
      try {
        return await this.add();
      } catch (error) {
        const pause = pauses.after(error);
        if (!wasTurnedAway(error) || performance.now() + pause > until) throw error;
        if (isFirst) logBusy(pause);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  async #register(tries = 1): Promise<Lease> {
    const entry = this.#entry();
    // The lease may begin as soon as the registry gets the request.
    const asked = performance.now();
    try {
      const lease = await registryClient(this.#actors).register({ entry });
      this.#registered = { state: entry.state, until: asked + lease.lease };
      return lease;
    } catch (error) {
      if (isCutOff(error) && tries < MAX_TRIES && this.#leave()) return this.#register(tries + 1);
      // The registry refused the connection, since the id is another's.
      const isTaken = error instanceof DisconnectedError && error.code === "ID_TAKEN";
      throw isTaken ? withClaimant(error.cause as Error, entry) : error;
    }
  }

  /**
   * Starts the actor that keeps the entry in the registry. With the failure of an attempt to add
   * it, the actor first adds it.
   */
  keep(failure?: Error): Actor {
    const body = async (self: Actor) => {
      if (failure) {
        await this.#addAtLast(self, failure);
        logger.info("{id} is in the registry", { id: this.#actors.id });
      }
      await this.#keep(self);
    };
    this.#actor = this.#actors.spawn("registration", body, { mailbox: UNBOUNDED });
    if (this.#isChanged) this.announceChange();
    return this.#actor;
  }

  /** Has that actor add the entry, which has changed. */
  announceChange(): void {
    if (this.#actor) this.#actor.tell(this.#actor, { type: CHANGED });
    else this.#isChanged = true;
  }

  /** Has the entry added within a time, in ms, with what else changes until then. */
  announceLater(delay: number): void {
    if (this.#hasLeft) return;
    const at = performance.now() + delay;
    if (this.#timer && this.#timer.at <= at) return;
    clearTimeout(this.#timer?.handle);
    const handle = setTimeout(() => {
      this.#timer = undefined;
      this.announceChange();
    }, delay);
    this.#timer = { at, handle };
  }

  /** Adds the entry, which has changed, as soon as the registry answers. */
  update(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    this.announceChange();
    return promise;
  }

  /** Removes the entry, if the registry may have it. */
  async remove(why: string): Promise<void> {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    clearTimeout(this.#timer?.handle);
    this.#actor?.exit(why);
    if (!this.#isAsked) return;
    const { id, instance } = this.#entry();
    try {
      await registryClient(this.#actors).remove({ id, instance }, { timeout: REMOVE_TIMEOUT });
    } catch (error) {
      logger.warn("cannot leave the registry: {reason}", { reason: (error as Error).message });
    }
  }

  /**
   * The body of the actor: renews the lease; adds the entry again when the registry does not have
   * it, when it has changed, and when the connection was lost, since another registry may not have
   * it.
   */
  async #keep(self: Actor): Promise<void> {
    while (true) {
      if (!this.#isMonitored) self.monitor(new ActorRef(REGISTRY_ID, SERVER_ACTOR));
      this.#isMonitored = true;
      const why = await this.#wait(self, varied(this.#lease!.lease * RENEWED_AFTER));
      if (why === "lost") {
        logLoss();
        await this.#rest(self, SPREAD * Math.random());
      }
      try {
        if (why === "time" && await this.#renew()) continue;
        await this.add();
        if (why === "changed") continue;
      } catch (error) {
        if (why !== "lost" && isAway(error)) logLoss();
        await this.#addAtLast(self, error as Error);
      }
      logger.info("registered again");
    }
  }

  /** Waits for a time, in ms, or until there is another reason to ask the registry. */
  async #wait(self: Actor, time: number): Promise<"lost" | "changed" | "time"> {
    const until = performance.now() + time;
    let why: "lost" | "changed" | undefined;
    const lost = () => {
      this.#isMonitored = false;
      why = "lost";
    };
    const cases = [onDown(lost), onChange(self, () => why = "changed"), ...OTHERS];
    while (!why) {
      const left = until - performance.now();
      if (left <= 0) return "time";
      await self.receive<unknown>(cases, { timeout: left });
    }
    return why;
  }

  /** Renews the lease. Says whether the registry has the entry. */
  async #renew(): Promise<boolean> {
    const { id, instance } = this.#entry();
    const { revision, lease } = this.#lease!;
    const asked = performance.now();
    const isKnown = await registryClient(this.#actors).renew({ id, instance, revision });
    const { state } = this.#registered ?? {};
    this.#registered = isKnown && state ? { state, until: asked + lease } : undefined;
    return isKnown;
  }

  /** Adds the entry as soon as the registry takes it; `error` is that of the last attempt. */
  async #addAtLast(self: Actor, error: Error): Promise<void> {
    logger.warn("cannot register yet: {reason}", { reason: error.message });
    const pauses = new RegistryPauses();
    let last = error;
    let isNews = isBusy(error);
    while (true) {
      const pause = pauses.after(last);
      if (isNews) logBusy(pause);
      await this.#rest(self, pause);
      try {
        await this.add();
        return await this.#forgetLoss(self);
      } catch (error) {
        const { message } = error as Error;
        // That the registry is still away is no news, but that another server has the id is.
        if (message !== last.message && !isAway(error)) {
          logger.warn("cannot register yet: {reason}", { reason: message });
        }
        isNews = isBusy(error) && !isBusy(last);
        last = error as Error;
      }
    }
  }

  /** Takes the notice of the connection that was lost before this server registered again. */
  async #forgetLoss(self: Actor): Promise<void> {
    await self.receive<unknown>([onDown(() => this.#isMonitored = false)], { timeout: 0 });
  }

  /** Waits, in ms, while receiving messages. */
  async #rest(self: Actor, duration: number): Promise<void> {
    const until = performance.now() + duration;
    const cases = [onChange(self, () => {}), onDown(() => this.#isMonitored = false), ...OTHERS];
    for (let left = duration; left > 0; left = until - performance.now()) {
      await self.receive<unknown>(cases, { timeout: left });
    }
  }
}

function logLoss(): void {
  logger.warn("the registry was lost; registering again as soon as it is back");
}

function logBusy(pause: number): void {
  logger.warn("the registry is busy with other servers; asking again in {seconds} s", {
    seconds: Math.ceil(pause / 1000),
  });
}

/** Whether the registry did not take a request, rather than refuse it. */
function isAway(error: unknown): boolean {
  return error instanceof TimeoutError || error instanceof DisconnectedError;
}

/** Whether a registry cannot reach its store, which another one may. */
function isCutOff(error: unknown): boolean {
  return error instanceof ActorError && error.code === "DISCONNECTED";
}

/** A time that differs by some percent each time. */
function varied(time: number): number {
  return time * (1 - JITTER + 2 * JITTER * Math.random());
}

/** Reacts to a changed entry of the server. */
function onChange(self: Actor, react: () => void): Case {
  return {
    matches: ({ message, source }) => messageType(message) === CHANGED && source.equals(self.ref),
    react,
  };
}
