/**
 * Memberships: the groups that the actors of one server have joined.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import type { Actor } from "./actor.ts";
import type { ActorId } from "./references.ts";

/** The longest name of a group, in bytes of UTF-8: as that of a role. */
export const MAX_GROUP_NAME = 64;

/** The maximum number of groups of which one server has members. */
export const MAX_GROUPS = 256;

/** How many members are looked at to find an idle one. */
const MAX_LOOKS = 16;

/**
 * What the address of a group in a server begins with. No actor has such a name. A message to it
 * goes to every member there, and a request to one of them.
 */
const GROUP_MARK = "@";

/**
 * Checks that a text can be the name of a group: 1 to 64 bytes of UTF-8.
 *
 * @throws {InvalidInputError} if it cannot.
 */
export function checkGroupName(name: string): string {
  const isGroup = typeof name === "string" && name !== "" && name.length <= MAX_GROUP_NAME &&
    name.isWellFormed() && new TextEncoder().encode(name).length <= MAX_GROUP_NAME;
  if (isGroup) return name;
  throw new InvalidInputError(
    `not the name of a group: ${describeValue(name)}: it is a text of 1 to ${MAX_GROUP_NAME} bytes`,
  );
}

/** The address of a group in a server. */
export function groupAddress(group: string): string {
  return `${GROUP_MARK}${group}`;
}

/** The group whose address a destination is; undefined if it is an actor. */
export function groupOf(dest: ActorId): string | undefined {
  return typeof dest === "string" && dest.startsWith(GROUP_MARK)
    ? dest.slice(GROUP_MARK.length)
    : undefined;
}

/** The members of a group. */
interface Members {
  /** In the order in which they joined. */
  readonly all: Set<Actor>;
  /** Whose turn it is. It goes on over what joins and leaves meanwhile. */
  turns: Iterator<Actor>;
}

/**
 * The groups of one server. An actor is in a group once, however often it joins, and leaves all of
 * them when it ends, unless its supervisor restarts it.
 */
export class Memberships {
  /**
   * Called when numbers of members are others.
   *
   * @param isOther whether a group has its first member here, or has lost its last one.
   */
  onChange: (isOther: boolean) => void = () => {};
  readonly #groups = new Map<string, Members>();
  readonly #joined = new Map<Actor, Set<string>>();

  /** The number of members of each group that has any, by its name; undefined if there is none. */
  get counts(): Readonly<Record<string, number>> | undefined {
    if (this.#groups.size === 0) return undefined;
    return Object.fromEntries(Array.from(this.#groups, ([group, { all }]) => [group, all.size]));
  }

  /** The names of the groups that have members here. */
  get names(): string[] {
    return [...this.#groups.keys()];
  }

  /** The number of members of a group. */
  count(group: string): number {
    return this.#groups.get(group)?.all.size ?? 0;
  }

  /** The members of a group, in the order in which they joined. */
  members(group: string): Actor[] {
    return [...this.#groups.get(group)?.all ?? []];
  }

  /**
   * Adds an actor to a group. Does nothing if it is a member.
   *
   * @throws {EnsembleError} if the server has members of too many groups.
   */
  join(group: string, actor: Actor): void {
    let members = this.#groups.get(group);
    if (members?.all.has(actor)) return;
    const isFirst = !members;
    if (!members) {
      if (this.#groups.size >= MAX_GROUPS) {
        throw new EnsembleError(
          `${actor.ref} cannot join ${group}: ${actor.ref.server} has members of ${MAX_GROUPS} ` +
            "groups, and may have no more: leave another group first",
          { code: "LIMIT_REACHED" },
        );
      }
      const all = new Set<Actor>();
      this.#groups.set(group, members = { all, turns: all.values() });
    }
    members.all.add(actor);
    const joined = this.#joined.get(actor);
    if (joined) joined.add(group);
    else this.#joined.set(actor, new Set([group]));
    this.onChange(isFirst);
  }

  /** Removes an actor from a group. Does nothing if it is no member. */
  leave(group: string, actor: Actor): void {
    const joined = this.#joined.get(actor);
    if (!joined?.delete(group)) return;
    if (joined.size === 0) this.#joined.delete(actor);
    const { all } = this.#groups.get(group)!;
    all.delete(actor);
    if (all.size === 0) this.#groups.delete(group);
    this.onChange(all.size === 0);
  }

  /** Removes an actor that has ended from all groups. */
  ended(actor: Actor): void {
    for (const group of this.#joined.get(actor) ?? []) this.leave(group, actor);
  }

  /** Puts an actor that was restarted in the place of its last run, in all its groups. */
  restarted(ended: Actor, actor: Actor): void {
    const joined = this.#joined.get(ended);
    if (!joined) return;
    this.#joined.delete(ended);
    this.#joined.set(actor, joined);
    for (const group of joined) {
      const { all } = this.#groups.get(group)!;
      all.delete(ended);
      all.add(actor);
    }
  }

  /**
   * The member that gets the next request of a group: the next one in turn that is idle. If none of
   * the next few is, the one of them with the least to do.
   */
  next(group: string): Actor | undefined {
    const members = this.#groups.get(group);
    if (!members) return undefined;
    let chosen: Actor | undefined;
    for (let looks = Math.min(MAX_LOOKS, members.all.size); looks > 0; looks--) {
      const actor = takeTurn(members);
      if (actor.load === 0) return actor;
      if (!chosen || actor.load < chosen.load) chosen = actor;
    }
    return chosen;
  }
}

function takeTurn(members: Members): Actor {
  const turn = members.turns.next();
  if (!turn.done) return turn.value;
  members.turns = members.all.values();
  return members.turns.next().value!;
}
