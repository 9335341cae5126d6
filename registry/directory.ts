/**
 * The registry's directory: all entries in memory, as the store reports them.
 *
 * @module
 */
import {
  groupsOf,
  type ListQuery,
  PAGE_SIZE,
  type RegistryEntry,
} from "../runtime/server/registry_protocol.ts";
import { ChangeLog } from "./change_log.ts";
import { SortedIds } from "./sorted_ids.ts";
import type { Snapshot, StoredChange, StoreFeed } from "./store.ts";

/** The maximum number of entries that are looked at for a page, with the wanted ones among them. */
const MAX_VISITS = 16 * PAGE_SIZE;

/** A part of a list. */
export interface DirectoryPage {
  /** The entries, sorted by id. */
  readonly entries: RegistryEntry[];
  /** The id to go on after; undefined if there are no more. */
  readonly next?: string | undefined;
}

/** Gets notice of what a directory learns. */
export interface DirectoryListener {
  /** There is a change. */
  changed(change: StoredChange): void;
  /** All entries are new: what came between is not known. */
  replaced(): void;
}

/**
 * The entries by id, role and group, and the latest changes. Every answer comes from here and none from
 * the store; every change comes from the store, whichever registry made it.
 */
export class Directory implements StoreFeed {
  /** The latest changes. */
  readonly log: ChangeLog = new ChangeLog();
  readonly #entries = new Map<string, RegistryEntry>();
  #ids = new SortedIds();
  readonly #byRole = new IdsByName();
  readonly #byGroup = new IdsByName();
  readonly #listeners = new Set<DirectoryListener>();
  /** Those that wait for a revision. */
  readonly #waiting = new Set<{ revision: number; reached: () => void }>();
  #staleSince: number | undefined;
  #visits = 0;

  /** The number of entries. */
  get size(): number {
    return this.#entries.size;
  }

  /** The number of entries that were looked at so far, for lookups and pages. */
  get visits(): number {
    return this.#visits;
  }

  /** The revision of the last change. */
  get revision(): number {
    return this.log.revision;
  }

  /** How long ago the store was last heard, in whole ms; undefined if it answers. */
  get staleFor(): number | undefined {
    if (this.#staleSince === undefined) return undefined;
    return Math.round(performance.now() - this.#staleSince);
  }

  /** The entry of a server. */
  get(id: string): RegistryEntry | undefined {
    this.#visits++;
    return this.#entries.get(id);
  }

  /** A page of entries. If few of them are in the wanted states, it may have fewer than it could. */
  page({ role, group, states, after, limit = PAGE_SIZE }: ListQuery): DirectoryPage {
    const ids = role !== undefined
      ? this.#byRole.get(role)
      : group !== undefined
      ? this.#byGroup.get(group)
      : this.#ids;
    const wanted = states ?? (ids === this.#ids ? undefined : ["up"]);
    const size = Math.max(1, Math.min(limit, PAGE_SIZE));
    const entries: RegistryEntry[] = [];
    let last: string | undefined;
    let visits = 0;
    for (const id of ids?.after(after) ?? []) {
      if (entries.length === size || visits === MAX_VISITS) return { entries, next: last };
      visits++;
      last = id;
      const entry = this.get(id)!;
      if (!wanted || wanted.includes(entry.state)) entries.push(entry);
    }
    return { entries };
  }

  /** Resolves when the directory has a revision. */
  reached(revision: number): Promise<void> {
    if (revision <= this.revision) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add({ revision, reached: resolve });
    return promise;
  }

  /** Notifies a listener of all that comes from now on. */
  listen(listener: DirectoryListener): void {
    this.#listeners.add(listener);
  }

  /** Ends the notices to a listener. */
  unlisten(listener: DirectoryListener): void {
    this.#listeners.delete(listener);
  }

  /** See {@linkcode StoreFeed.snapshot}. */
  snapshot(snapshot: Snapshot): void {
    this.#entries.clear();
    this.#byRole.clear();
    this.#byGroup.clear();
    this.#ids = new SortedIds();
    for (const entry of snapshot.entries) this.#add(entry);
    this.log.reset(snapshot);
    this.#notifyWaiting();
    for (const listener of this.#listeners) listener.replaced();
  }

  /** See {@linkcode StoreFeed.change}. */
  change(change: StoredChange): void {
    const { id, entry, lostRoles, lostGroups } = change;
    if (entry) {
      this.#add(entry);
    } else {
      this.#entries.delete(id);
      this.#ids.delete(id);
    }
    this.#byRole.delete(entry ? lostRoles : change.roles, id);
    this.#byGroup.delete(lostGroups, id);
    this.log.add(change);
    this.#notifyWaiting();
    for (const listener of this.#listeners) listener.changed(change);
  }

  /** See {@linkcode StoreFeed.stale}. */
  stale(since: number | undefined): void {
    this.#staleSince = since;
  }

  #notifyWaiting(): void {
    for (const waiting of this.#waiting) {
      if (waiting.revision > this.revision) continue;
      this.#waiting.delete(waiting);
      waiting.reached();
    }
  }

  #add(entry: RegistryEntry): void {
    this.#entries.set(entry.id, entry);
    this.#ids.add(entry.id);
    this.#byRole.add(entry.roles, entry.id);
    this.#byGroup.add(groupsOf(entry), entry.id);
  }
}

/** The ids of servers by the names of their roles, or of their groups. */
class IdsByName {
  readonly #ids = new Map<string, SortedIds>();

  get(name: string): SortedIds | undefined {
    return this.#ids.get(name);
  }

  add(names: readonly string[], id: string): void {
    for (const name of names) {
      let ids = this.#ids.get(name);
      if (!ids) this.#ids.set(name, ids = new SortedIds());
      ids.add(id);
    }
  }

  delete(names: readonly string[], id: string): void {
    for (const name of names) {
      const ids = this.#ids.get(name);
      ids?.delete(id);
      if (ids?.size === 0) this.#ids.delete(name);
    }
  }

  clear(): void {
    this.#ids.clear();
  }
}
