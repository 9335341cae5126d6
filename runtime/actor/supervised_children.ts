/**
 * The children of a supervisor: starting, ending and restarting them.
 *
 * The rules are those of OTP's `supervisor`. All that a supervisor does to its children happens in
 * turns of its own actor, one after the other.
 *
 * @module
 * @see https://www.erlang.org/doc/apps/stdlib/supervisor.html
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { describeThrown } from "../error_report.ts";
import { EnsembleError } from "../errors.ts";
import { within } from "../timeout.ts";
import type { Actor } from "./actor.ts";
import type { ActorBody } from "./spawn_options.ts";
import type { ActorSystem } from "./actor_system.ts";
import { onPing, onShutdown, onUnexpected } from "./cases.ts";
import { type Case, UNBOUNDED } from "./mailbox.ts";
import type { Envelope } from "./messaging.ts";
import { RestartCount, RestartDelay } from "./restart_limits.ts";
import { type Handlers, ServiceProgram } from "./service.ts";
import {
  checkChild,
  type CheckedSupervisor,
  checkSupervisor,
  type ChildInfo,
  type ChildSpec,
  type RestartKind,
  shutdownOf,
} from "./supervision.ts";

const logger = getLogger(["gxensemble", "actor"]);

/** Decides what becomes of an actor that has ended. */
export interface Keeper {
  /** The supervisor. */
  readonly supervisor: Actor;
  /** The actor's id in it. */
  readonly id: string;
  /** How many times it was restarted. */
  readonly restarts: number;
  /**
   * Takes note of an end. Returns whether its name stays taken for its restart, and whether the
   * messages that wait are kept for that; undefined if it is not restarted.
   */
  ended(actor: Actor, reason: string | undefined): "keep" | "drop" | undefined;
}

/** The type of {@linkcode Turn}. */
const TURN = "supervision";

/** Work for a supervisor to do in its own turn: a message to itself, or a request with an answer. */
export class Turn {
  /** Distinguishes it from other messages. */
  readonly type = TURN;
  /** The work. If it throws, the request fails; without an asker, the supervisor does. */
  readonly work: () => unknown;

  /** Describes the work. */
  constructor(work: () => unknown) {
    this.work = work;
  }
}

/** Children that are started together, after a delay. */
interface Restart {
  /** In the order in which they start. */
  readonly children: readonly Child[];
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** How a child is ended. */
type Ending = "for good" | "for a restart";

/** One child. */
class Child implements Keeper {
  readonly supervisor: Actor;
  readonly id: string;
  readonly spec: ChildSpec;
  readonly kind: RestartKind;
  readonly delay: RestartDelay;
  status: ChildInfo["status"] = "stopped";
  /** Its run, or its last one. */
  actor: Actor | undefined;
  restarts = 0;
  /** The restart that it waits for. */
  pending: Restart | undefined;
  /** Whether and how its supervisor is ending it. */
  ending: Ending | undefined;
  /** The handlers with which a service started, and those that newer code put in their place. */
  served: Handlers | undefined;
  exchanged: Handlers | undefined;
  readonly #owner: SupervisedChildren;

  constructor(owner: SupervisedChildren, { supervisor, id, spec, kind, delay }: {
    readonly supervisor: Actor;
    readonly id: string;
    readonly spec: ChildSpec;
    readonly kind: RestartKind;
    readonly delay: RestartDelay;
  }) {
    this.#owner = owner;
    this.supervisor = supervisor;
    this.id = id;
    this.spec = spec;
    this.kind = kind;
    this.delay = delay;
  }

  ended(actor: Actor, reason: string | undefined): "keep" | "drop" | undefined {
    if (this.actor !== actor || !this.#owner.childEnded(this, reason)) return undefined;
    const { keepMailbox = true, supervise } = this.spec;
    return keepMailbox && !supervise ? "keep" : "drop";
  }

  /** Whether it is restarted after its end with a reason; undefined if it ended normally. */
  comesBack(reason: string | undefined): boolean {
    if (this.kind !== "transient") return this.kind === "permanent";
    // As in OTP, where a supervisor that gives up ends with the reason `shutdown`.
    return reason !== undefined && !this.actor?.children?.hasGivenUp;
  }

  /** How log lines name it. */
  toString(): string {
    if (!this.actor) return this.id;
    return this.spec.name === undefined ? `${this.id} (${this.actor.ref})` : `${this.actor.ref}`;
  }
}

/** The children of one supervisor. */
export class SupervisedChildren {
  /** Whether it ends because it passed its intensity. */
  hasGivenUp = false;
  readonly #system: ActorSystem;
  readonly #self: Actor;
  readonly #options: CheckedSupervisor;
  readonly #count: RestartCount;
  readonly #restarts = new Set<Restart>();
  /** By id, in the order they started. */
  readonly #children = new Map<string, Child>();
  #lastId = 0;
  /** Whether it ends its children, and restarts none. */
  #isStopping = false;
  /** Whether it has ended. */
  #isOver = false;

  /** Makes the children of a supervisor, which are started by `startAll`. */
  constructor(system: ActorSystem, self: Actor, options: CheckedSupervisor) {
    this.#system = system;
    this.#self = self;
    this.#options = options;
    this.#count = new RestartCount(options.intensity);
  }

  /** The body of the supervisor. */
  run(self: Actor): Promise<never> {
    const turns: Case = {
      type: TURN,
      react: (message, envelope) => this.#take(message, envelope),
    };
    return self.loop([turns, onPing, onShutdown(() => this.#endAll()), onUnexpected]);
  }

  /** Starts the children that the options name. */
  startAll(): void {
    for (const spec of this.#options.children) this.#add(spec);
  }

  /** The children, in the order they started. */
  list(): ChildInfo[] {
    return Array.from(this.#children.values(), ({ id, actor, status, kind, restarts }) => ({
      id,
      ...(actor && status !== "stopped" && { ref: `${actor.ref}` }),
      status,
      restart: kind,
      restarts,
    }));
  }

  /**
   * Starts a further child.
   *
   * @throws {EnsembleError} if there is one with that id, or it cannot start.
   */
  start(spec: ChildSpec): Actor {
    return this.#add(checkChild(spec));
  }

  /** Ends a child, which stays in the list, unless it is temporary. */
  async stop(id: string): Promise<void> {
    await this.#end(this.#find(id), "for good");
  }

  /** Ends a child, if it is running, and starts it. This does not count as a restart. */
  async restart(id: string): Promise<Actor> {
    const child = this.#find(id);
    if (child.status === "running") await this.#end(child, "for a restart");
    child.pending = undefined;
    try {
      const actor = this.#start(child);
      this.#countRestart(child);
      // A temporary one was taken off.
      this.#children.set(id, child);
      return actor;
    } catch (error) {
      this.#retire(child, describeThrown(error));
      throw error;
    }
  }

  /** Ends a child and forgets it. */
  async remove(id: string): Promise<void> {
    const child = this.#find(id);
    await this.#end(child, "for good");
    this.#forget(child);
  }

  /** Ends everything at once, because the supervisor has ended. */
  killAll(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelRestarts();
    const reason = `its supervisor ${this.#self.ref} has ended`;
    for (const child of [...this.#children.values()].reverse()) {
      if (child.actor) this.#system.endAtOnce(child.actor, reason);
      this.#retire(child, reason);
    }
  }

  /** Takes note of the end of a child. Returns whether it may be started again. */
  childEnded(child: Child, reason: string | undefined): boolean {
    if (this.#isOver) return false;
    if (child.ending) return child.ending === "for a restart";
    // It ends while it starts: a supervisor whose children do not start.
    if (child.status !== "running") return child.status === "restarting";
    if (this.#isStopping || !child.comesBack(reason)) {
      child.status = "stopped";
      if (child.kind === "temporary") this.#forget(child);
      return false;
    }
    const { actor } = child;
    child.status = "restarting";
    this.#post(async () => {
      // It may have been ended or restarted with others meanwhile.
      if (child.actor !== actor || child.status !== "restarting" || child.pending) return;
      await this.#restart(child, reason ?? "it ended");
    });
    return true;
  }

  #post(work: () => unknown): void {
    this.#system.tell(this.#self.serial, new Turn(work), undefined, this.#self.ref);
  }

  async #take(message: unknown, envelope: Envelope): Promise<void> {
    if (!(message instanceof Turn)) return onUnexpected.react(message as never, envelope);
    try {
      envelope.reply(await message.work());
    } catch (error) {
      if (!envelope.replyExpected) throw error;
      envelope.fail(error);
    }
  }

  #find(id: string): Child {
    const child = this.#children.get(id);
    if (child) return child;
    throw new EnsembleError(`${this.#self.ref} has no child ${id}`, { code: "UNKNOWN_ACTOR" });
  }

  #add(spec: ChildSpec): Actor {
    const id = spec.id ?? spec.name ?? this.#freeId();
    const other = this.#children.get(id);
    if (other) {
      throw new EnsembleError(
        `${this.#self.ref} has a child ${id} already: it is ${other.status}`,
        { code: "ACTOR_EXISTS" },
      );
    }
    const child = new Child(this, {
      supervisor: this.#self,
      id,
      spec,
      kind: spec.restart ?? this.#options.restart,
      delay: new RestartDelay(this.#options.backoff),
    });
    const actor = this.#start(child);
    this.#children.set(id, child);
    return actor;
  }

  #freeId(): string {
    let id: string;
    do id = `${++this.#lastId}`; while (this.#children.has(id));
    return id;
  }

  #forget({ id }: Child): void {
    this.#children.delete(id);
  }

  /** Starts a child, for the first time or again. */
  #start(child: Child): Actor {
    const { spec } = child;
    const start = (body: ActorBody) => child.actor = this.#spawn(child, body);
    let actor: Actor;
    if (spec.supervise) {
      actor = startSupervisor(this.#system, { options: checkSupervisor(spec.supervise), start });
    } else if (spec.serve) {
      const { serve } = spec;
      const last = child.actor?.service?.handlers;
      if (last !== child.served) child.exchanged = last;
      child.served = child.exchanged ?? (typeof serve === "function" ? serve() : serve);
      const program = new ServiceProgram(child.served, spec);
      actor = start(program.body);
      actor.service = program;
    } else actor = start(spec.run!);
    child.status = "running";
    child.pending = undefined;
    return actor;
  }

  #countRestart(child: Child): void {
    child.restarts++;
    this.#system.restarts++;
  }

  #spawn(child: Child, body: ActorBody): Actor {
    const { actor: earlier, spec } = child;
    const { name, state } = spec;
    const mailbox = spec.supervise ? UNBOUNDED : spec.mailbox;
    if (earlier && this.#system.find(earlier.serial) === earlier) {
      return this.#system.respawn(earlier, body, mailbox);
    }
    return this.#system.spawn(name, body, {
      mailbox,
      state: earlier ? earlier.state : typeof state === "function" ? state() : state,
      keeper: child,
      group: this.#self.group,
    });
  }

  /** Restarts a child that ended or did not start, with others if the strategy says so. */
  async #restart(child: Child, reason: string): Promise<void> {
    if (!this.#count.add()) return await this.#giveUp(child, reason);
    const group = this.#groupOf(child);
    for (const other of group.toReversed()) {
      if (other !== child) await this.#end(other, "for a restart");
      if (this.#isOver) return;
    }
    // The temporary ones are gone.
    const children = group.filter(({ id }) => this.#children.has(id));
    const others = children.filter((each) => each !== child);
    const delay = child.delay.next(Date.now() - (child.actor?.startedAt ?? 0));
    const [withOthers, later] = [others.length > 0, delay > 0];
    logger.info(
      `{supervisor} restarts {child}${withOthers ? ", and with it {others}" : ""}${
        later ? ", in {delay} ms" : ""
      }: {reason}`,
      {
        supervisor: `${this.#self.ref}`,
        child: `${child}`,
        ...withOthers && { others: others.join(", ") },
        ...later && { delay },
        reason,
      },
    );
    const restart: Restart = { children, timer: undefined };
    for (const each of children) {
      each.status = "restarting";
      each.pending = restart;
    }
    // Also without a delay in a later turn of the event loop, so that children that fail at once do
    // not block it.
    restart.timer = setTimeout(() => {
      this.#restarts.delete(restart);
      this.#post(() => this.#startTogether(restart));
    }, delay);
    this.#restarts.add(restart);
  }

  /** The children that the end of one concerns, in the order they started. */
  #groupOf(child: Child): Child[] {
    switch (this.#options.strategy) {
      case "one-for-one":
        return [child];
      case "one-for-all":
        return [...this.#children.values()];
      case "rest-for-one": {
        const all = [...this.#children.values()];
        return all.slice(all.indexOf(child));
      }
    }
  }

  async #startTogether(restart: Restart): Promise<void> {
    if (this.#isOver) return;
    for (const child of restart.children) {
      // It may have been stopped, or restarted with others meanwhile.
      if (child.pending !== restart) continue;
      try {
        this.#start(child);
        this.#countRestart(child);
      } catch (error) {
        const reason = describeThrown(error);
        logger.error("{supervisor} cannot restart {child}: {reason}", {
          supervisor: `${this.#self.ref}`,
          child: `${child}`,
          reason,
          error,
        });
        return await this.#restart(child, `it did not start: ${reason}`);
      }
    }
  }

  /** Ends a child, within the time that it may take. */
  async #end(child: Child, how: Ending): Promise<void> {
    const { actor, status, spec } = child;
    child.pending = undefined;
    const ending = child.kind === "temporary" ? "for good" : how;
    if (status === "running" && actor) {
      child.ending = ending;
      await this.#shutDown(actor, { spec, holds: ending === "for a restart" });
      child.ending = undefined;
      child.status = "restarting";
    }
    if (ending === "for a restart") return;
    this.#retire(child, undefined);
    if (child.kind === "temporary") this.#forget(child);
  }

  async #shutDown(
    actor: Actor,
    { spec, holds }: { readonly spec: ChildSpec; readonly holds: boolean },
  ): Promise<void> {
    const allowed = shutdownOf(spec);
    if (allowed === "kill") return this.#system.endAtOnce(actor, "killed by its supervisor");
    // When the server stops, one child must not take the time of all others.
    const left = Math.max(0, Math.floor((this.#system.stopsAt - performance.now()) / 2));
    const limit = actor.children ? allowed : Math.min(allowed, left);
    if (holds && (spec.keepMailbox ?? true)) actor.holdMessages();
    this.#system.tell(actor.serial, { type: "shutdown" }, undefined, this.#self.ref);
    if (await within(limit, actor.ended) || this.#isOver) return;
    logger.warn("{actor} did not shut down within {limit} ms, and is killed by its supervisor", {
      actor: `${actor.ref}`,
      limit,
    });
    this.#system.endAtOnce(actor, `did not shut down within ${limit} ms`);
  }

  /** Frees the name of a child that is not started again. */
  #retire(child: Child, reason: string | undefined): void {
    child.pending = undefined;
    child.status = "stopped";
    if (child.actor) this.#system.release(child.actor, reason);
  }

  /** Ends all children, the last one first. */
  async #endAll(): Promise<void> {
    this.#isStopping = true;
    this.#cancelRestarts();
    for (const child of [...this.#children.values()].reverse()) await this.#end(child, "for good");
  }

  #cancelRestarts(): void {
    for (const { timer } of this.#restarts) clearTimeout(timer);
    this.#restarts.clear();
  }

  /** Ends its children and itself, because it restarted them too often. */
  async #giveUp(child: Child, reason: string): Promise<never> {
    const { restarts, within } = this.#options.intensity;
    this.hasGivenUp = true;
    const name = `${child}`;
    await this.#endAll();
    throw new EnsembleError(
      `its children had to be restarted more often than ${restarts} times in ${within} ms; the ` +
        `last one was ${name}: ${reason}`,
      { code: "LIMIT_REACHED" },
    );
  }
}

/**
 * Starts a supervisor with its children. `start` starts its actor.
 *
 * @throws {EnsembleError} if a child does not start. Those before it are ended.
 */
export function startSupervisor(system: ActorSystem, { options, start }: {
  readonly options: CheckedSupervisor;
  readonly start: (body: ActorBody) => Actor;
}): Actor {
  const actor = start((self) => children.run(self));
  const children = new SupervisedChildren(system, actor, options);
  actor.children = children;
  try {
    children.startAll();
  } catch (error) {
    const reason = describeThrown(error);
    system.endAtOnce(actor, reason);
    const code = error instanceof EnsembleError ? error.code : undefined;
    throw new EnsembleError(`cannot start the children of ${actor.ref}: ${reason}`, {
      code,
      cause: error,
    });
  }
  return actor;
}
