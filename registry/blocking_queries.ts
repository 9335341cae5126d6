/**
 * Blocking queries: they are answered when there is a change.
 *
 * @module
 */
import type { ActorRef } from "../runtime/actor/references.ts";
import { EnsembleError } from "../runtime/errors.ts";
import {
  type ChangesQuery,
  type EntryChange,
  groupsOf,
  LONGEST_WAIT,
  MAX_CHANGES,
  type RegistryChanges,
} from "../runtime/server/registry_protocol.ts";
import type { Directory, DirectoryListener } from "./directory.ts";
import type { RegistryStore, StoredChange } from "./store.ts";

/** The maximum number of waiting queries of one server. */
const MAX_WAITING = 64;

/**
 * How long changes are collected before the queries that wait for them are answered, in ms: if many
 * servers start or stop at once, each query is answered once.
 */
const COLLECTING_TIME = 10;

/** The number of queries that are answered before others have a turn. */
const ANSWERS_IN_TURN = 256;

/** The answer without what is the same in all. */
type Answer = Omit<RegistryChanges, "cursor" | "staleFor"> & { readonly revision: number };

/** A query that waits. */
interface Waiting {
  readonly asker: ActorRef;
  readonly query: ChangesQuery;
  /** The changes after this revision are wanted. */
  readonly after: number;
  readonly found: StoredChange[];
  readonly timer: ReturnType<typeof setTimeout>;
  answer(answer: Answer): void;
}

/**
 * The queries for changes that wait, as those of Consul do. A query ends with its answer, with the
 * connection of the server that asks, and with the next query of the same actor.
 *
 * @see https://developer.hashicorp.com/consul/api-docs/features/blocking
 */
export class BlockingQueries implements DirectoryListener {
  readonly #directory: Directory;
  readonly #store: Pick<RegistryStore, "epoch" | "shared">;
  /** By the server that asks, and the actor there. */
  readonly #waiting = new Map<string, Map<string, Waiting>>();
  readonly #byId = new Interests();
  readonly #byRole = new Interests();
  readonly #byGroup = new Interests();
  readonly #forAll = new Set<Waiting>();
  /** Those that have found something. */
  readonly #due = new Set<Waiting>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Answers queries from a directory, with cursors of the store that it follows. */
  constructor(directory: Directory, store: Pick<RegistryStore, "epoch" | "shared">) {
    this.#directory = directory;
    this.#store = store;
    directory.listen(this);
  }

  /** The number of waiting queries. */
  get size(): number {
    let size = 0;
    for (const own of this.#waiting.values()) size += own.size;
    return size;
  }

  /** The cursor for the changes after the last one, or after a given revision. */
  cursor(revision: number = this.#directory.revision): string {
    return `${this.#store.epoch}:${revision}`;
  }

  /**
   * Answers a query, at once or later. The answer never comes if the connection of the asker ends
   * before.
   *
   * @throws {EnsembleError} if too many queries of the server wait.
   */
  async ask(asker: ActorRef, query: ChangesQuery): Promise<RegistryChanges> {
    this.#waiting.get(asker.server)?.get(`${asker}`)?.answer({ changes: [], revision: 0 });
    const after = this.#revisionOf(query.after);
    const { revision, ...found } = this.#look(after, query) ??
      await this.#wait(asker, query, after!);
    const { staleFor } = this.#directory;
    return {
      // Another registry over the same store may have been further.
      cursor: this.cursor(Math.max(revision, found.compacted ? 0 : after ?? 0)),
      ...found,
      ...staleFor !== undefined && { staleFor },
    };
  }

  /** Ends the queries of a server: its connection was lost. */
  disconnected(server: string): void {
    for (const waiting of this.#waiting.get(server)?.values() ?? []) this.#forget(waiting);
  }

  /** Ends all queries without an answer. */
  close(): void {
    for (const server of [...this.#waiting.keys()]) this.disconnected(server);
    clearTimeout(this.#timer);
    this.#directory.unlisten(this);
  }

  /** See {@linkcode DirectoryListener.changed}. */
  changed(change: StoredChange): void {
    const { id, revision } = change;
    const interested = new Set([
      ...this.#forAll,
      ...this.#byId.of(id),
      ...rolesIn(change).flatMap((role) => [...this.#byRole.of(role)]),
      ...groupsIn(change).flatMap((group) => [...this.#byGroup.of(group)]),
    ]);
    for (const waiting of interested) {
      if (revision <= waiting.after) continue;
      waiting.found.push(change);
      this.#due.add(waiting);
    }
    if (this.#due.size > 0) this.#timer ??= setTimeout(() => this.#answerDue(), COLLECTING_TIME);
  }

  /** See {@linkcode DirectoryListener.replaced}. */
  replaced(): void {
    const { revision } = this.#directory;
    for (const own of [...this.#waiting.values()]) {
      for (const waiting of own.values()) {
        waiting.answer({ changes: [], compacted: true, revision });
      }
    }
  }

  #answerDue(): void {
    this.#timer = undefined;
    let count = 0;
    for (const waiting of this.#due) {
      if (count++ === ANSWERS_IN_TURN) {
        this.#timer = setTimeout(() => this.#answerDue());
        return;
      }
      waiting.answer(firstOf(waiting.found, this.#directory.revision));
    }
  }

  /** The revision of a cursor; undefined if it is of another epoch. */
  #revisionOf(cursor: string): number | undefined {
    const [epoch, revision = "", ...rest] = cursor.split(":");
    const isOwn = epoch === this.#store.epoch && /^\d{1,16}$/.test(revision) && rest.length === 0;
    return isOwn ? Number(revision) : undefined;
  }

  /** The answer that can be given at once. */
  #look(after: number | undefined, query: ChangesQuery): Answer | undefined {
    const { revision } = this.#directory;
    // If no other registry can be further, the database was replaced by an older copy of it.
    const isKnown = after !== undefined && (this.#store.shared || after <= revision);
    const later = isKnown ? this.#directory.log.after(after) : undefined;
    if (!later) return { changes: [], compacted: true, revision };
    const ids = new Set(query.ids);
    const roles = new Set(query.roles);
    const groups = new Set(query.groups);
    const found = query.all ? later : later.filter((change) =>
      ids.has(change.id) ||
      roles.size > 0 && rolesIn(change).some((role) => roles.has(role)) ||
      groups.size > 0 && groupsIn(change).some((group) => groups.has(group))
    );
    if (found.length === 0 && query.wait > 0) return undefined;
    return firstOf(found, revision);
  }

  #wait(asker: ActorRef, query: ChangesQuery, after: number): Promise<Answer> {
    const { server } = asker;
    const own = this.#waiting.get(server) ?? new Map<string, Waiting>();
    if (own.size >= MAX_WAITING) {
      throw new EnsembleError(
        `${server} has ${own.size} waiting queries for changes: wait until one is answered`,
        { code: "LIMIT_REACHED" },
      );
    }
    const { promise, resolve } = Promise.withResolvers<Answer>();
    // A change may just have come.
    const over = () => waiting.answer(firstOf(waiting.found, this.#directory.revision));
    const waiting: Waiting = {
      asker,
      query,
      after,
      found: [],
      timer: setTimeout(over, Math.min(query.wait, LONGEST_WAIT)),
      answer: (answer) => {
        this.#forget(waiting);
        resolve(answer);
      },
    };
    this.#waiting.set(server, own.set(`${asker}`, waiting));
    if (query.all) {
      this.#forAll.add(waiting);
    } else {
      this.#byId.add(query.ids, waiting);
      this.#byRole.add(query.roles, waiting);
      this.#byGroup.add(query.groups, waiting);
    }
    return promise;
  }

  #forget(waiting: Waiting): void {
    const { asker, query } = waiting;
    clearTimeout(waiting.timer);
    this.#due.delete(waiting);
    const own = this.#waiting.get(asker.server);
    own?.delete(`${asker}`);
    if (own?.size === 0) this.#waiting.delete(asker.server);
    this.#forAll.delete(waiting);
    this.#byId.delete(query.ids, waiting);
    this.#byRole.delete(query.roles, waiting);
    this.#byGroup.delete(query.groups, waiting);
  }
}

/** The waiting queries by what they are interested in. */
class Interests {
  readonly #waiting = new Map<string, Set<Waiting>>();

  of(key: string): Iterable<Waiting> {
    return this.#waiting.get(key) ?? [];
  }

  add(keys: readonly string[] = [], waiting: Waiting): void {
    for (const key of keys) {
      const set = this.#waiting.get(key);
      if (set) set.add(waiting);
      else this.#waiting.set(key, new Set([waiting]));
    }
  }

  delete(keys: readonly string[] = [], waiting: Waiting): void {
    for (const key of keys) {
      const set = this.#waiting.get(key);
      set?.delete(waiting);
      if (set?.size === 0) this.#waiting.delete(key);
    }
  }
}

/** The roles that an entry has, or had before the change. */
function rolesIn({ roles, lostRoles }: StoredChange): string[] {
  return [...roles, ...lostRoles];
}

/** The groups of which a server has members, or had some before the change. */
function groupsIn({ entry, lostGroups }: StoredChange): string[] {
  return [...groupsOf(entry), ...lostGroups];
}

/** As many changes as an answer holds; all of them up to a revision if there are no more. */
function firstOf(found: readonly StoredChange[], revision: number): Answer {
  const changes = found.slice(0, MAX_CHANGES).map(
    ({ lostRoles: _, lostGroups: __, ...change }): EntryChange => change,
  );
  return {
    changes,
    revision: found.length > MAX_CHANGES ? changes.at(-1)!.revision : revision,
  };
}
