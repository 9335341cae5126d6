/**
 * Supervisors: actors that start other actors, and restart them when they end.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import type { Actor } from "./actor.ts";
import { type ActorSystem, unknownActor } from "./actor_system.ts";
import { UNBOUNDED } from "./mailbox.ts";
import { ActorRef } from "./references.ts";
import { startSupervisor, type SupervisedChildren, Turn } from "./supervised_children.ts";
import {
  checkSupervisor,
  type ChildInfo,
  type ChildSpec,
  type SupervisorOptions,
} from "./supervision.ts";

/**
 * A supervisor of this server, which `server.supervise` starts. It is an actor: it ends when it is
 * shut down, and can be monitored.
 *
 * A child must not await what its own supervisor does to it: the supervisor waits for the child.
 *
 * @example One actor for each session, which is not restarted
 * ```ts
 * import { type Actor, currentServer } from "@gxensemble/ensemble";
 *
 * async function session(self: Actor): Promise<void> {
 *   await self.receive([], { timeout: 60_000 });
 * }
 *
 * const sessions = currentServer().supervise("sessions", { restart: "temporary" });
 * const ref = await sessions.start({ id: "session-17", run: session });
 * console.log(`${ref}`, sessions.children().length);
 * await sessions.stop("session-17");
 * ```
 */
export class Supervisor {
  /** Its reference. */
  readonly ref: ActorRef;
  /**
   * Resolves when it has ended: with undefined if it was shut down, and with the error if it gave
   * up, because its children had to be restarted too often.
   */
  readonly ended: Promise<unknown>;
  readonly #system: ActorSystem;
  readonly #actor: Actor;

  /**
   * Called by `server.supervise` and `server.supervisor`.
   *
   * @internal
   */
  constructor(system: ActorSystem, actor: Actor) {
    this.#system = system;
    this.#actor = actor;
    this.ref = actor.ref;
    this.ended = actor.ended;
  }

  /**
   * Starts a further child, after the others. Returns its reference, which is the same after each
   * restart.
   *
   * @throws {ActorError} if it has a child with that id, even a stopped one, or the child cannot
   * start.
   */
  async start(child: ChildSpec): Promise<ActorRef> {
    return await this.#do((children) => children.start(child).ref);
  }

  /**
   * Shuts a child down, or ends its wait for a restart. It stays in the list of children, unless it
   * is temporary, and `restart` starts it again.
   *
   * @throws {ActorError} if there is no such child.
   */
  async stop(id: string): Promise<void> {
    await this.#do((children) => children.stop(id));
  }

  /**
   * Starts a stopped child, or shuts a running one down and starts it again. That does not count as
   * one of the restarts that are limited. Returns its reference.
   *
   * @throws {ActorError} if there is no such child, or it cannot start.
   */
  async restart(id: string): Promise<ActorRef> {
    return await this.#do(async (children) => (await children.restart(id)).ref);
  }

  /**
   * Shuts a child down, and takes it off the list of children.
   *
   * @throws {ActorError} if there is no such child.
   */
  async remove(id: string): Promise<void> {
    await this.#do((children) => children.remove(id));
  }

  /** Its children, in the order they started. */
  children(): ChildInfo[] {
    return this.#children?.list() ?? [];
  }

  /** The children of its current run. */
  get #children(): SupervisedChildren | undefined {
    return this.#system.find(this.#actor.serial)?.children;
  }

  #do<Result>(
    work: (children: SupervisedChildren) => Result | Promise<Result>,
  ): Promise<Result> {
    return this.#system.ask<Result>(this.#actor.serial, new Turn(() => work(this.#children!)), {
      timeout: Infinity,
    });
  }
}

/**
 * Starts a supervisor and its children.
 *
 * @throws {InvalidInputError} if the options are not valid.
 * @throws {EnsembleError} if an actor of that name is running, or a child cannot start.
 */
export function supervise(
  system: ActorSystem,
  name: string | undefined,
  options: SupervisorOptions,
): Supervisor {
  const actor = startSupervisor(system, {
    options: checkSupervisor(options),
    start: (body) => system.spawn(name, body, { mailbox: UNBOUNDED }),
  });
  return new Supervisor(system, actor);
}

/**
 * Finds a supervisor by its name.
 *
 * @throws {EnsembleError} if there is none.
 */
export function findSupervisor(system: ActorSystem, name: string): Supervisor {
  const actor = system.find(name);
  if (!actor) throw unknownActor(new ActorRef(system.id, name));
  if (!actor.children) {
    throw new EnsembleError(`${actor.ref} is not a supervisor`, { code: "INVALID_INPUT" });
  }
  return new Supervisor(system, actor);
}
