/**
 * A store with a directory that follows it, as in a registry, for tests.
 *
 * @module
 */
import { Directory } from "../../registry/directory.ts";
import type { RegistryStore, StoredChange } from "../../registry/store.ts";
import type { OwnEntry, RegistryEntry } from "../../runtime/server/registry_protocol.ts";

/** What a server of a test says of itself: with addresses and texts of every kind. */
export function ownEntry(id: string, options: Partial<OwnEntry> = {}): OwnEntry {
  return {
    id,
    instance: new Uint8Array(32).fill(1),
    addresses: [
      {
        kind: "unix",
        host: "a host",
        path: `/tmp/${id} "quoted"`,
        file: { device: 65024, inode: 2 ** 63 + 2048 },
      },
      { kind: "unix", host: "a host", path: "/it's quoted" },
      { kind: "tls", host: "::1", port: 7000 },
    ],
    roles: [],
    state: "up",
    pid: 123,
    host: "a host",
    kernel: { boot: "1f9d", processes: "pid:[4026531836]" },
    version: "1.2.3",
    startedAt: 1_700_000_000_123,
    ...options,
  };
}

/** A started store. */
export class FollowedStore implements AsyncDisposable {
  /** The store. */
  readonly store: RegistryStore;
  /** Its entries and changes. */
  readonly directory: Directory = new Directory();
  /** The changes since the start. */
  readonly changes: StoredChange[] = [];
  readonly #noticed = new Set<() => void>();

  private constructor(store: RegistryStore) {
    this.store = store;
  }

  /** Starts a store. */
  static async start(store: RegistryStore): Promise<FollowedStore> {
    const followed = new FollowedStore(store);
    followed.directory.listen({
      changed(change) {
        followed.changes.push(change);
        followed.#notice();
      },
      replaced: () => followed.#notice(),
    });
    await store.start(followed.directory);
    return followed;
  }

  /** All entries, sorted by id. */
  get entries(): RegistryEntry[] {
    return this.directory.page({}).entries;
  }

  /** The entry of a server. */
  get(id: string): RegistryEntry | undefined {
    return this.directory.get(id);
  }

  /** Puts an entry in place of the one that is there, and waits until the directory has it. */
  async put(entry: OwnEntry): Promise<number> {
    const revision = await this.store.put(entry, this.get(entry.id)?.revision ?? 0);
    if (revision === undefined) throw new Error(`the entry of ${entry.id} has changed`);
    await this.directory.reached(revision);
    return revision;
  }

  /** Removes an entry, and waits until the directory has that. */
  async remove(id: string): Promise<void> {
    const expected = this.get(id)!.revision;
    if (!await this.store.delete(id, { expected, as: "left" })) {
      throw new Error(`the entry of ${id} has changed`);
    }
    await this.until(() => !this.get(id));
  }

  /** Resolves when a condition of the directory holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#noticed.add(resolve);
      await promise;
    }
  }

  /** The changes since the start, as `up a`. */
  get told(): string[] {
    return this.changes.map(({ change, id }) => `${change} ${id}`);
  }

  /** Closes the store. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }

  #notice(): void {
    for (const resolve of this.#noticed) resolve();
    this.#noticed.clear();
  }
}
