/**
 * The actors of a server as an operator sees them: groups, states and backtraces.
 *
 * @module
 */
import type { Actor, ActorState } from "./actor.ts";
import type { ActorSystem } from "./actor_system.ts";

/** A named group of actors and groups: actors that an actor spawns join its group. */
export class ActorGroup {
  /** Its number, from the same row as those of actors. */
  readonly serial: number;
  /** What the group is called in listings. */
  readonly name: string;
  /** The group it belongs to; the root group of a server has none. */
  readonly parent: ActorGroup | undefined;
  /** The living actors of this group, not of those below. */
  readonly actors: Set<Actor> = new Set<Actor>();
  /** The groups directly below. */
  readonly groups: Set<ActorGroup> = new Set<ActorGroup>();

  /** Makes an empty group below its parent. */
  constructor(serial: number, name: string, parent?: ActorGroup) {
    this.serial = serial;
    this.name = name;
    this.parent = parent;
    parent?.groups.add(this);
  }

  /** The living actors of this group and of all groups below it. */
  *all(): Generator<Actor> {
    yield* this.actors;
    for (const group of this.groups) yield* group.all();
  }

  /** Takes an actor in; a group that was empty, and had left its parent for that, is back. */
  add(actor: Actor): void {
    this.actors.add(actor);
    if (this.parent) this.parent.#addGroup(this);
  }

  /** Takes an actor that ended out; a group that is empty leaves its parent. */
  remove(actor: Actor): void {
    this.actors.delete(actor);
    this.#leaveWhenEmpty();
  }

  #addGroup(group: ActorGroup): void {
    if (this.groups.has(group)) return;
    this.groups.add(group);
    if (this.parent) this.parent.#addGroup(this);
  }

  #leaveWhenEmpty(): void {
    if (this.parent && this.actors.size === 0 && this.groups.size === 0) {
      this.parent.groups.delete(this);
      this.parent.#leaveWhenEmpty();
    }
  }
}

/** How an actor is doing. */
export interface ActorInfo {
  /** Its serial number. */
  readonly serial: number;
  /** Its registered name. */
  readonly name?: string;
  /** Its group, with those above: `root/sessions`. */
  readonly group: string;
  /** Running its own code, waiting in a receive, or ended. */
  readonly state: ActorState;
  /** How many messages wait. */
  readonly mailbox: number;
  /** How many messages it has taken. */
  readonly handled: number;
  /** Since when it is there, in ms. */
  readonly age: number;
  /** The types of messages that the receive it waits in takes, `*` for any other condition. */
  readonly receives?: readonly string[];
}

/** A group, and what is in it. */
export interface GroupInfo {
  /** Its serial number. */
  readonly serial: number;
  /** Its name, with those above: `root/sessions`. */
  readonly name: string;
  /** Its own actors, in the order they started. */
  readonly actors: readonly ActorInfo[];
  /** The groups below. */
  readonly groups: readonly GroupInfo[];
}

/** Describes an actor. */
export function describeActor(actor: Actor): ActorInfo {
  const { serial, name, state, awaits } = actor;
  return {
    serial,
    ...(name !== undefined && { name }),
    group: pathOf(actor.group),
    state,
    mailbox: actor.mailboxLength,
    handled: actor.handled,
    age: Date.now() - actor.startedAt,
    ...(awaits && { receives: awaits }),
  };
}

/** Describes a group with all below it. */
export function describeGroup(group: ActorGroup): GroupInfo {
  return {
    serial: group.serial,
    name: pathOf(group),
    actors: [...group.actors].map(describeActor),
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

/** Where an actor is, in its own code: frames, the innermost first, each `at function (file:line:column)`. */
export interface Backtrace {
  /** Where it is suspended in a receive; absent when it does not wait in one, empty for a service. */
  readonly suspended?: readonly string[];
  /** Where it was started. */
  readonly started: readonly string[];
}

/** Takes the backtrace of an actor. */
export async function backtrace(actor: Actor): Promise<Backtrace> {
  const stack = await actor.backtrace();
  return {
    ...(stack !== undefined && { suspended: ownFrames(stack) }),
    started: ownFrames(actor.origin.stack ?? ""),
  };
}

/** The frames of a stack that are not the actor system's own. */
function ownFrames(stack: string): string[] {
  return stack.split("\n").slice(1).map((line) => line.trim())
    .filter((line) =>
      !/^at (async )?(new )?(Actor|ActorSystem|ActorServer|EnsembleServer)[. ]/.test(line)
    );
}

function pathOf(group: ActorGroup): string {
  return group.parent ? `${pathOf(group.parent)}/${group.name}` : group.name;
}
