/**
 * The actors of a server as an operator sees them: groups, states and backtraces.
 *
 * @module
 */
import type { Actor, ActorState } from "./actor.ts";
import type { ActorSystem } from "./actor_system.ts";
import { NumberTable } from "./number_table.ts";

/** A named group of actors and groups. Actors join the group of the actor that starts them. */
export class ActorGroup {
  /** Its serial number; actors and groups share one sequence. */
  readonly serial: number;
  /** Its name in listings. */
  readonly name: string;
  /** The group it belongs to; the root group of a server has none. */
  readonly parent: ActorGroup | undefined;
  /** The groups directly below. */
  readonly groups: Set<ActorGroup> = new Set<ActorGroup>();
  readonly #actors = new NumberTable<Actor>();

  /** Makes an empty group below its parent. */
  constructor(serial: number, name: string, parent?: ActorGroup) {
    this.serial = serial;
    this.name = name;
    this.parent = parent;
    parent?.groups.add(this);
  }

  /** The living actors of this group, without those below, in the order they started. */
  get actors(): Actor[] {
    return this.#actors.values();
  }

  /** The living actors of this group and of all groups below it. */
  *all(): Generator<Actor> {
    yield* this.actors;
    for (const group of this.groups) yield* group.all();
  }

  /** Adds an actor. A group that was empty, and so was removed from its parent, is added again. */
  add(actor: Actor): void {
    if (!this.#actors.get(actor.serial)) this.#actors.add(actor.serial, actor);
    if (this.parent) this.parent.#addGroup(this);
  }

  /** Removes an actor that ended. A group that becomes empty is removed from its parent. */
  remove(actor: Actor): void {
    this.#actors.delete(actor.serial);
    this.#leaveWhenEmpty();
  }

  #addGroup(group: ActorGroup): void {
    if (this.groups.has(group)) return;
    this.groups.add(group);
    if (this.parent) this.parent.#addGroup(this);
  }

  #leaveWhenEmpty(): void {
    if (this.parent && this.#actors.size === 0 && this.groups.size === 0) {
      this.parent.groups.delete(this);
      this.parent.#leaveWhenEmpty();
    }
  }
}

/** The state of an actor. */
export interface ActorInfo {
  /** Its serial number. */
  readonly serial: number;
  /** Its registered name. */
  readonly name?: string;
  /** Its group, with its parents: `root/sessions`. */
  readonly group: string;
  /** Running its own code, waiting in a receive, ended, or waiting for its restart. */
  readonly state: ActorState | "restarting";
  /** The number of waiting messages. */
  readonly mailbox: number;
  /** The number of messages it has taken. */
  readonly handled: number;
  /** Its age, in ms. */
  readonly age: number;
  /** The message types that its current receive takes, with `*` for any other condition. */
  readonly receives?: readonly string[];
  /** The types of the requests that a service answers, sorted. */
  readonly types?: readonly string[];
  /** Whether it is a part of its server. */
  readonly essential?: boolean;
  /** For a child of a supervisor: what that knows of it. */
  readonly child?: ChildOf;
}

/** A child of a supervisor. */
export interface ChildOf {
  /** The serial number of the supervisor. */
  readonly supervisor: number;
  /** The id in the supervisor. */
  readonly id: string;
  /** The number of restarts. */
  readonly restarts: number;
}

/** A group and its contents. */
export interface GroupInfo {
  /** Its serial number. */
  readonly serial: number;
  /** Its name, with its parents: `root/sessions`. */
  readonly name: string;
  /** Its own actors, in the order they started. */
  readonly actors: readonly ActorInfo[];
  /** Its subgroups. */
  readonly groups: readonly GroupInfo[];
}

/** Describes an actor. */
export function describeActor(actor: Actor): ActorInfo {
  const { serial, name, activity, awaits, service, keeper } = actor;
  return {
    serial,
    ...(name !== undefined && { name }),
    group: pathOf(actor.group),
    state: actor.isResting ? "restarting" : activity,
    mailbox: actor.mailboxLength,
    handled: actor.handled,
    age: Date.now() - actor.startedAt,
    ...(awaits && { receives: awaits }),
    ...(service && { types: service.types }),
    ...(keeper && {
      child: { supervisor: keeper.supervisor.serial, id: keeper.id, restarts: keeper.restarts },
    }),
  };
}

/** Describes a group and everything below it. */
export function describeGroup(group: ActorGroup): GroupInfo {
  return {
    serial: group.serial,
    name: pathOf(group),
    actors: group.actors.map(describeActor),
    groups: [...group.groups].map(describeGroup),
  };
}

/** Finds the group with a serial number. */
export function findGroup(
  system: ActorSystem,
  serial: number,
): ActorGroup | undefined {
  const visit = (group: ActorGroup): ActorGroup | undefined => {
    if (group.serial === serial) return group;
    for (const below of group.groups) {
      const found = visit(below);
      if (found) return found;
    }
  };
  return visit(system.root);
}

/**
 * The position of an actor in its own code. Frames are listed innermost first, each as `at function
 * (file:line:column)`.
 */
export interface Backtrace {
  /** Where it is suspended in a receive. Absent if it is not waiting, and empty for a service. */
  readonly suspended?: readonly string[];
  /** Where it was started; empty for an actor without a name, if very many were started at the time. */
  readonly started: readonly string[];
}

/** Takes the backtrace of an actor. */
export async function backtrace(actor: Actor): Promise<Backtrace> {
  const stack = await actor.backtrace();
  return {
    ...(stack !== undefined && { suspended: ownFrames(stack) }),
    started: ownFrames(actor.origin?.stack ?? ""),
  };
}

/** The frames of a stack that do not belong to the actor system. */
function ownFrames(stack: string): string[] {
  return stack.split("\n").slice(1).map((line) => line.trim())
    .filter((line) =>
      !/^at (async )?(new )?(Actor|ActorSystem|ActorServer|EnsembleServer)[. ]/.test(line)
    );
}

function pathOf(group: ActorGroup): string {
  return group.parent ? `${pathOf(group.parent)}/${group.name}` : group.name;
}
