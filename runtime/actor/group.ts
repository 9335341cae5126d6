/**
 * Groups of actors.
 *
 * @module
 */

/** A named group of actors and groups: actors that an actor spawns join its group. */
export class ActorGroup<Member> {
  /** Its number, from the same row as those of actors. */
  readonly serial: number;
  /** What the group is called in listings. */
  readonly name: string;
  /** The group it belongs to; the root group of a server has none. */
  readonly parent: ActorGroup<Member> | undefined;
  /** The living actors of this group, not of those below. */
  readonly actors: Set<Member> = new Set<Member>();
  /** The groups directly below. */
  readonly groups: Set<ActorGroup<Member>> = new Set<ActorGroup<Member>>();

  /** Makes an empty group below its parent. */
  constructor(serial: number, name: string, parent?: ActorGroup<Member>) {
    this.serial = serial;
    this.name = name;
    this.parent = parent;
    parent?.groups.add(this);
  }

  /** The living actors of this group and of all groups below it. */
  *all(): Generator<Member> {
    yield* this.actors;
    for (const group of this.groups) yield* group.all();
  }

  /** Takes an actor in; a group that was empty, and had left its parent for that, is back. */
  add(actor: Member): void {
    this.actors.add(actor);
    if (this.parent) this.parent.#addGroup(this);
  }

  /** Takes an actor that ended out; a group that is empty leaves its parent. */
  remove(actor: Member): void {
    this.actors.delete(actor);
    this.#leaveWhenEmpty();
  }

  #addGroup(group: ActorGroup<Member>): void {
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
