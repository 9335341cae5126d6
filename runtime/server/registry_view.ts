/**
 * What a server knows of the others: entries of the registry, kept true by its changes.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { AskOptions } from "../actor/messaging.ts";
import type { Client } from "../actor/service.ts";
import { within } from "../timeout.ts";
import { formatAddressUrl } from "../wire/address.ts";
import { WatchQueue } from "./watch_queue.ts";
import { sameInstance } from "./credentials.ts";
import { EntryList, type LoadedEntries } from "./entry_list.ts";
import { RegistryPauses, shortened } from "./registry_pauses.ts";
import {
  type ChangeKind,
  type ChangesQuery,
  type EntryChange,
  epochOf,
  isOlder,
  MAX_WATCHED_GROUPS,
  MAX_WATCHED_IDS,
  MAX_WATCHED_ROLES,
  membersIn,
  type RegistryChanges,
  type RegistryEntry,
  type RegistryHandlers,
  revisionOf,
  type Staleness,
} from "./registry_protocol.ts";

const logger = getLogger(["gxensemble", "registry"]);

/**
 * How long queries for changes of the registry wait, in ms. A registered server notices by its
 * renewals that the registry does not answer, others only by these.
 */
export const QUERY_WAIT: { readonly registered: number; readonly unregistered: number } = {
  registered: 60_000,
  unregistered: 10_000,
};

/** How long servers and roles that were not asked for again are followed, in ms. */
export const FOLLOWED_TIME: number = 10 * 60 * 1000;

/**
 * How long changes are not asked for yet, in ms: a program that only looks something up has gone by
 * then.
 */
export const FOLLOW_DELAY = 1_000;

/** How long new servers and roles are gathered before the registry is told, in ms. */
const GATHERING_TIME = 20;

/** How long an answer to a query for changes may be late, in ms. */
const MARGIN = 5_000;

/** What is watched: the server with an id, all with a role, all with members of a group, or all. */
export interface Watched {
  /** The id of one server. */
  readonly id?: string | undefined;
  /** A role. */
  readonly role?: string | undefined;
  /** A group. */
  readonly group?: string | undefined;
}

/** A change, for a watcher: the entries that there are when it begins are `present`. */
export type WatchedChange = Omit<EntryChange, "change"> & {
  /** What happened. */
  readonly change: ChangeKind | "present";
};

/** What a watcher is told besides changes. */
export interface WatchOptions {
  /** Ends the watching. */
  readonly signal?: AbortSignal | undefined;
  /** Called when the registry is lost: changes come when it is back. */
  readonly onAway?: ((reason: string) => void) | undefined;
  /** Called when the registry is back. */
  readonly onBack?: (() => void) | undefined;
}

/** The parts of the registry's client that a view needs. */
export type ViewedRegistry = Pick<Client<RegistryHandlers>, "lookup" | "list" | "changes">;

/** Entries that are followed: those of one server, of a role, of a group, or all. */
interface Feed extends Watched {
  /** The entries, by id. */
  entries: Map<string, RegistryEntry>;
  /** The same, sorted by id; undefined until that is needed. */
  sorted: RegistryEntry[] | undefined;
  /** The watchers. */
  readonly queues: Set<WatchQueue<WatchedChange>>;
  /** The cursor for the changes after the entries; undefined until they are loaded. */
  cursor: string | undefined;
  /** The revision of the last change that was applied. */
  revision: number;
  /** Whether the changes since the cursor are asked for. */
  isFollowed: boolean;
  /** Whether changes were missed, so that it has to be loaded again. */
  isLost: boolean;
  /** What is loaded again. */
  list?: EntryList | undefined;
  /** When it was last used. */
  used: number;
}

/** How entries are fetched. */
interface FetchOptions {
  readonly options?: AskOptions | undefined;
  readonly list?: EntryList | undefined;
}

/**
 * A view of the registry. What was asked for once is followed: a query for changes always waits at
 * the registry, so that an entry is true from then on, and need not be asked for again.
 */
export class RegistryView {
  /** Called for a server that is there again, or at other addresses. */
  onReachable: (id: string) => void = () => {};
  readonly #registry: ViewedRegistry;
  readonly #wait: number;
  readonly #ids = new Map<string, Feed>();
  readonly #roles = new Map<string, Feed>();
  readonly #groups = new Map<string, Feed>();
  #all: Feed | undefined;
  /** Since when servers that are followed are unreachable. */
  readonly #unreachable = new Map<string, number>();
  readonly #watchers = new Set<WatchOptions>();
  readonly #queues = new Set<WatchQueue<WatchedChange>>();
  /** The cursor for the next changes. */
  #cursor: string | undefined;
  /** Ends the query that waits at the registry. */
  #query: AbortController | undefined;
  #isRunning = false;
  #isClosed = false;
  /** Starts the queries, or has them ask for more. */
  #timer: { readonly at: number; readonly handle: ReturnType<typeof setTimeout> } | undefined;
  /** Ends the pause before the registry is asked again. */
  #endPause: (() => void) | undefined;
  /** Since when the registry does not answer, and why. */
  #away: { readonly since: number; readonly reason: string } | undefined;
  /** Whether the log says that what was last known is used. */
  #isLogged = false;
  /** Whether the log says that the registry's store does not answer. */
  #isStale = false;

  /**
   * Creates an empty view.
   *
   * @param options.wait how long a query for changes waits, in ms.
   */
  constructor(registry: ViewedRegistry, { wait }: { wait: number }) {
    this.#registry = registry;
    this.#wait = wait;
  }

  /** The number of servers, roles and groups that are followed. */
  get size(): number {
    return this.#feeds().length;
  }

  /** For how long the registry has not answered, in ms; undefined while it answers. */
  get awayFor(): number | undefined {
    return this.#away && performance.now() - this.#away.since;
  }

  /** For how long a server has been unreachable, in ms, if it was followed before. */
  unreachableFor(id: string): number | undefined {
    const since = this.#unreachable.get(id);
    return since === undefined ? undefined : performance.now() - since;
  }

  /** The entry of a server that is followed, unless the registry is away. */
  known(id: string): RegistryEntry | undefined {
    const feed = this.#ids.get(id);
    return feed && this.#isTrue(feed) ? this.lastKnown(id) : undefined;
  }

  /** The entry of a server, as it was when the registry last told of it. */
  lastKnown(id: string): RegistryEntry | undefined {
    const feed = this.#ids.get(id);
    if (feed) feed.used = performance.now();
    return feed?.entries.get(id);
  }

  /**
   * Asks the registry for a server, and follows it from then on.
   *
   * @throws {EnsembleError} if the registry does not answer.
   */
  async refresh(id: string, options?: AskOptions): Promise<RegistryEntry | undefined> {
    return (await this.#load({ id }, { options })).get(id);
  }

  /**
   * The server with an id, from the registry. If that does not answer, the last known entry.
   *
   * @throws {EnsembleError} if the registry does not answer, and the server is not known.
   */
  async find(id: string, options?: AskOptions): Promise<RegistryEntry | undefined> {
    try {
      return await this.refresh(id, options);
    } catch (error) {
      const known = this.lastKnown(id);
      if (!known) throw error;
      this.useLastKnown(error as Error);
      return known;
    }
  }

  /**
   * The servers with a role, in any state, sorted by id. They are followed from then on, and later
   * calls do not ask the registry. If that does not answer, those last known.
   *
   * @throws {EnsembleError} if the registry does not answer, and the role is not followed yet.
   */
  async withRole(role: string, options?: AskOptions): Promise<RegistryEntry[]> {
    return await this.#allOf({ role }, options);
  }

  /** The servers with members of a group, as {@linkcode RegistryView.withRole} gives those with a role. */
  async withGroup(group: string, options?: AskOptions): Promise<readonly RegistryEntry[]> {
    return this.knownWithGroup(group) ?? await this.#allOf({ group }, options);
  }

  /**
   * The same without asking the registry: those last known if it is away; undefined if the group is
   * not followed yet.
   */
  knownWithGroup(group: string): readonly RegistryEntry[] | undefined {
    const feed = this.#groups.get(group);
    if (!feed?.isFollowed || feed.isLost) return undefined;
    feed.used = performance.now();
    // Messages to a group must not wait for a registry that does not answer.
    if (this.#away) this.useLastKnown({ message: this.#away.reason });
    return feed.sorted ??= sorted(feed.entries);
  }

  async #allOf(watched: Watched, options?: AskOptions): Promise<RegistryEntry[]> {
    const feed = this.#feedOf(watched);
    if (feed) feed.used = performance.now();
    if (feed && this.#isTrue(feed)) return sorted(feed.entries);
    try {
      return sorted(await this.#load(watched, { options }));
    } catch (error) {
      if (!feed) throw error;
      this.useLastKnown(error as Error);
      return sorted(feed.entries);
    }
  }

  /**
   * Watches servers: gives those that there are, and then the changes, each once and in order. It
   * waits while the registry is away. When the registry does not have all changes any more, it
   * gives what is different. Ends with the signal, or when the view is closed.
   */
  async *watch(
    watched: Watched,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchedChange, void, undefined> {
    const queue = new WatchQueue<WatchedChange>();
    const end = () => queue.close();
    const { signal } = options;
    signal?.addEventListener("abort", end);
    if (signal?.aborted || this.#isClosed) end();
    this.#watchers.add(options);
    this.#queues.add(queue);
    let feed: Feed | undefined;
    try {
      feed = await this.#loadAtLast(watched, { queue, options });
      if (!feed) return;
      for (const entry of sorted(feed.entries)) queue.push(toChange("present", entry));
      feed.queues.add(queue);
      this.#follow(0);
      if (this.#away) options.onAway?.(this.#away.reason);
      yield* queue;
    } finally {
      signal?.removeEventListener("abort", end);
      this.#watchers.delete(options);
      this.#queues.delete(queue);
      feed?.queues.delete(queue);
    }
  }

  /**
   * Logs, once until the registry is back, that last known entries are used.
   *
   * @param error why the registry does not answer.
   */
  useLastKnown({ message }: Pick<Error, "message">): void {
    if (this.#isLogged) return;
    this.#isLogged = true;
    logger.warn("{reason}; until the registry is back, servers are found where they were last", {
      reason: message,
    });
  }

  /** Ends all watching, and asks nothing more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer?.handle);
    this.#query?.abort();
    this.#endPause?.();
    for (const queue of this.#queues) queue.close();
  }

  #feeds(): Feed[] {
    return [
      ...this.#ids.values(),
      ...this.#roles.values(),
      ...this.#groups.values(),
      ...this.#all ? [this.#all] : [],
    ];
  }

  #feedOf({ id, role, group }: Watched): Feed | undefined {
    if (id !== undefined) return this.#ids.get(id);
    if (role !== undefined) return this.#roles.get(role);
    return group === undefined ? this.#all : this.#groups.get(group);
  }

  #add(watched: Watched): Feed {
    const { id, role, group } = watched;
    const feed: Feed = {
      id,
      role,
      group,
      entries: new Map(),
      sorted: undefined,
      queues: new Set(),
      cursor: undefined,
      revision: 0,
      isFollowed: false,
      isLost: false,
      used: performance.now(),
    };
    if (id !== undefined) this.#ids.set(id, feed);
    else if (role !== undefined) this.#roles.set(role, feed);
    else if (group !== undefined) this.#groups.set(group, feed);
    else this.#all = feed;
    return feed;
  }

  /** Whether an entry of a feed is as the registry has it, but for what is on its way. */
  #isTrue({ isFollowed, isLost }: Feed): boolean {
    return isFollowed && !isLost && !this.#away;
  }

  /** Loads entries, and follows them. Gives what is known then. */
  async #load(
    watched: Watched,
    options?: FetchOptions,
  ): Promise<ReadonlyMap<string, RegistryEntry>> {
    const { entries, cursor } = await this.#fetch(watched, options);
    const feed = this.#feedOf(watched) ?? this.#add(watched);
    feed.used = performance.now();
    if (this.#away) this.#endPause?.();
    const isCurrent = feed.isFollowed && !feed.isLost &&
      epochOf(this.#cursor!) === epochOf(cursor);
    // Of several registries, the one asked may be behind the one that told of changes.
    if (isCurrent && isOlder(cursor, this.#cursor)) return feed.entries;
    // A watcher gets each change, so its feed goes on as it is.
    if (feed.queues.size > 0) return entries;
    if (isCurrent) {
      feed.entries = entries;
      feed.sorted = undefined;
      feed.revision = Math.max(feed.revision, revisionOf(cursor));
    } else this.#set(feed, entries, cursor);
    // A group is used for many messages, which must not ask the registry each.
    this.#follow(watched.group === undefined ? FOLLOW_DELAY : 0);
    return entries;
  }

  #set(feed: Feed, entries: Map<string, RegistryEntry>, cursor: string): void {
    feed.entries = entries;
    feed.sorted = undefined;
    feed.cursor = cursor;
    feed.revision = revisionOf(cursor);
    feed.isFollowed = false;
    feed.isLost = false;
  }

  /** Fetches entries; `list` has the pages that were fetched before, if any. */
  async #fetch(
    watched: Watched,
    { options, list = new EntryList(this.#registry, watched) }: FetchOptions = {},
  ): Promise<LoadedEntries> {
    const { id } = watched;
    if (id !== undefined) {
      const answer = await this.#registry.lookup({ id }, options);
      this.#noteStaleness(answer);
      const { entry, cursor } = answer;
      return { entries: new Map(entry && [[id, entry]]), cursor };
    }
    return await list.load((page) => this.#noteStaleness(page), options);
  }

  /** Loads what is to be watched, as soon as the registry answers; undefined if that ends first. */
  async #loadAtLast(
    watched: Watched,
    { queue, options }: { queue: WatchQueue<WatchedChange>; options: WatchOptions },
  ): Promise<Feed | undefined> {
    const pauses = new RegistryPauses();
    const list = new EntryList(this.#registry, watched);
    for (let failures = 0;; failures++) {
      if (queue.isClosed) return undefined;
      try {
        // Entries that are followed, or last known, need not be loaded.
        if (this.#feedOf(watched)?.cursor === undefined) await this.#load(watched, { list });
        if (failures > 0) options.onBack?.();
        return this.#feedOf(watched);
      } catch (error) {
        if (failures === 0) options.onAway?.((error as Error).message);
        await within(pauses.after(error), queue.ended);
      }
    }
  }

  /** Has the changes asked for within a time, in ms: also those of what was added meanwhile. */
  #follow(delay: number): void {
    if (this.#isClosed) return;
    // Those added together are asked for together.
    if (this.#isRunning) delay = Math.min(delay, GATHERING_TIME);
    const at = performance.now() + delay;
    if (this.#timer && this.#timer.at <= at) return;
    clearTimeout(this.#timer?.handle);
    const handle = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#isRunning) void this.#run();
      else if (this.#feeds().some(({ isFollowed }) => !isFollowed)) this.#query?.abort();
    }, delay);
    handle.unref();
    this.#timer = { at, handle };
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    const pauses = new RegistryPauses();
    while (!this.#isClosed) {
      this.#forgetUnused();
      if (this.size === 0) break;
      try {
        const answer = await this.#askForChanges();
        if (this.#isClosed) break;
        pauses.reset();
        if (answer) this.#take(answer);
      } catch (error) {
        if (this.#isClosed) break;
        this.#lose(error as Error);
        await this.#rest(pauses.after(error));
      }
    }
    this.#isRunning = false;
  }

  /** Asks for changes; undefined if there is more to ask for. */
  async #askForChanges(): Promise<RegistryChanges | undefined> {
    for (const feed of this.#feeds()) if (feed.isLost) await this.#reload(feed);
    const feeds = this.#feeds().filter(({ cursor }) => cursor !== undefined);
    for (const feed of feeds) {
      if (feed.isFollowed) continue;
      // It may have been loaded from before what others know by now: they skip what they had.
      if (this.#cursor === undefined || isOlder(feed.cursor, this.#cursor)) {
        this.#cursor = feed.cursor;
      }
      feed.isFollowed = true;
    }
    const query: ChangesQuery = {
      after: this.#cursor!,
      ...this.#interest(),
      // An answer at once shows that the registry is back.
      wait: this.#away ? 0 : Math.round(shortened(this.#wait)),
    };
    const { signal } = this.#query = new AbortController();
    try {
      return await this.#registry.changes(query, { signal, timeout: query.wait + MARGIN });
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  #interest(): Pick<ChangesQuery, "ids" | "roles" | "groups" | "all"> {
    const isMore = this.#ids.size > MAX_WATCHED_IDS || this.#roles.size > MAX_WATCHED_ROLES ||
      this.#groups.size > MAX_WATCHED_GROUPS;
    if (this.#all || isMore) return { all: true };
    return {
      ids: [...this.#ids.keys()],
      roles: [...this.#roles.keys()],
      ...this.#groups.size > 0 && { groups: [...this.#groups.keys()] },
    };
  }

  #take(answer: RegistryChanges): void {
    this.#find();
    this.#noteStaleness(answer);
    const { cursor, compacted, changes } = answer;
    const previous = this.#cursor;
    this.#cursor = cursor;
    if (compacted) {
      // What was only remembered is asked for again when it is needed.
      for (const [id, { queues }] of this.#ids) if (queues.size === 0) this.#ids.delete(id);
      for (const feed of this.#feeds()) feed.isLost = true;
      return;
    }
    // One that was loaded before the registry lost its changes.
    for (const feed of this.#feeds()) {
      if (feed.cursor && epochOf(feed.cursor) !== epochOf(previous!)) feed.isLost = true;
    }
    for (const change of changes) this.#spread(change);
  }

  #spread(change: EntryChange): void {
    const { id } = change;
    const one = this.#ids.get(id);
    if (one) this.#apply(one, change);
    if (one && change.change === "unreachable") this.#unreachable.set(id, performance.now());
    else this.#unreachable.delete(id);
    for (const feed of this.#roles.values()) {
      if (change.roles.includes(feed.role!) || feed.entries.has(id)) this.#apply(feed, change);
    }
    for (const feed of this.#groups.values()) {
      const hasMembers = change.entry && membersIn(change.entry, feed.group!) > 0;
      if (hasMembers || feed.entries.has(id)) this.#apply(feed, change);
    }
    if (this.#all) this.#apply(this.#all, change);
    if (change.entry && change.change !== "unreachable") this.onReachable(id);
  }

  #apply(feed: Feed, change: EntryChange): void {
    if (!feed.isFollowed || feed.isLost || change.revision <= feed.revision) return;
    feed.revision = change.revision;
    const { id, entry } = change;
    const known = feed.entries.get(id);
    // A page of a list may be newer than the first one, whose cursor counts.
    if (known && known.revision >= change.revision) return;
    if (!known && !entry) return;
    const belongs = entry && isIn(feed, entry);
    if (!known && !belongs) return;
    if (belongs) feed.entries.set(id, entry);
    else feed.entries.delete(id);
    feed.sorted = undefined;
    if (feed.queues.size === 0) return;
    if (change.change === "changed" && known && entry && isSameForAll(known, entry, feed)) return;
    for (const queue of feed.queues) queue.push(change);
  }

  /** Loads a feed whose changes were missed, and gives its watchers the difference. */
  async #reload(feed: Feed): Promise<void> {
    const list = feed.list ??= new EntryList(this.#registry, feed);
    const { entries, cursor } = await this.#fetch(feed, { list });
    feed.list = undefined;
    const changes = differences(feed, entries, revisionOf(cursor));
    this.#set(feed, entries, cursor);
    for (const change of changes) {
      for (const queue of feed.queues) queue.push(change);
      if (change.entry) this.onReachable(change.id);
    }
  }

  #forgetUnused(): void {
    const old = performance.now() - FOLLOWED_TIME;
    for (const feeds of [this.#ids, this.#roles, this.#groups]) {
      for (const [key, { used, queues }] of feeds) {
        if (used >= old || queues.size > 0) continue;
        feeds.delete(key);
        if (feeds === this.#ids) this.#unreachable.delete(key);
      }
    }
    // All changes are many, so they are not followed for longer than they are watched.
    const all = this.#all;
    if (all?.queues.size === 0 && performance.now() - all.used > FOLLOW_DELAY) {
      this.#all = undefined;
    }
  }

  #lose({ message }: Error): void {
    if (this.#away) return;
    this.#away = { since: performance.now(), reason: message };
    for (const { onAway } of this.#watchers) onAway?.(message);
  }

  #find(): void {
    if (!this.#away) return;
    this.#away = undefined;
    for (const { onBack } of this.#watchers) onBack?.();
    if (this.#isLogged) logger.info("the registry is back");
    this.#isLogged = false;
  }

  #noteStaleness({ staleFor }: Staleness): void {
    if (staleFor !== undefined && !this.#isStale) {
      logger.warn("the registry's store does not answer: what it says is {seconds} s old", {
        seconds: Math.round(staleFor / 1000),
      });
    }
    this.#isStale = staleFor !== undefined;
  }

  #rest(pause: number): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endPause = resolve;
    return within(pause, promise);
  }
}

/** Whether an entry belongs to what is watched. */
function isIn({ role, group }: Watched, entry: RegistryEntry): boolean {
  if (role !== undefined) return entry.roles.includes(role);
  return group === undefined || membersIn(entry, group) > 0;
}

function sorted(entries: ReadonlyMap<string, RegistryEntry>): RegistryEntry[] {
  return [...entries.values()].sort((a, b) => a.id < b.id ? -1 : 1);
}

function toChange(change: WatchedChange["change"], entry: RegistryEntry): WatchedChange {
  const { id, revision, roles } = entry;
  return { change, id, revision, roles, entry };
}

/** The changes from the entries of a feed to others, in the order of their revisions. */
function differences(
  feed: Feed,
  entries: ReadonlyMap<string, RegistryEntry>,
  revision: number,
): WatchedChange[] {
  const changes: WatchedChange[] = [];
  for (const { id, roles } of feed.entries.values()) {
    if (!entries.has(id)) changes.push({ change: "gone", id, revision, roles });
  }
  const ofEntries: WatchedChange[] = [];
  for (const entry of entries.values()) {
    const known = feed.entries.get(entry.id);
    const isSame = known && known.state === entry.state &&
      sameInstance(known.instance, entry.instance);
    if (!isSame) ofEntries.push(toChange(entry.state, entry));
    else if (!isAlike(known, entry, feed)) ofEntries.push(toChange("changed", entry));
  }
  return [...changes, ...ofEntries.sort((a, b) => a.revision - b.revision)];
}

/**
 * Whether two entries of an instance differ at most in numbers of members, and not in those of the
 * group that is watched.
 */
function isSameForAll(one: RegistryEntry, other: RegistryEntry, feed: Watched): boolean {
  const parts = ({ pid, host, kernel, version, startedAt }: RegistryEntry) =>
    JSON.stringify([pid, host, kernel, version, startedAt]);
  return parts(one) === parts(other) && isAlike(one, other, feed);
}

/**
 * Whether two entries of an instance have the same roles and addresses, and as many members of the
 * group that is watched. Other groups are no news: their numbers change often.
 */
function isAlike(one: RegistryEntry, other: RegistryEntry, { group }: Watched): boolean {
  const parts = (entry: RegistryEntry) =>
    JSON.stringify([
      entry.roles,
      entry.addresses.map(formatAddressUrl),
      group === undefined ? 0 : membersIn(entry, group),
    ]);
  return parts(one) === parts(other);
}
