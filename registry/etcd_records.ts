/**
 * What the registries keep in etcd, below the prefix of their ensemble:
 *
 * | key | value |
 * |---|---|
 * | `servers/<id>` | the entry of a server, as JSON |
 * | `alive/<id>` | empty; there while the server is reachable, under the etcd lease of the registry that hears it |
 * | `registries/<key>` | the entry of a registry, as JSON, under its etcd lease; written at each beat |
 * | `locks/<name>` | who holds a lock, as JSON, under an etcd lease of its own |
 * | `removed` | which entry is removed in the same transaction, and how |
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import {
  type OwnEntry,
  ownEntry,
  type RegistryEntry,
} from "../runtime/server/registry_protocol.ts";
import { shorten } from "../runtime/safe_text.ts";
import type { Removal, Snapshot, StoredChange } from "./store.ts";
import { removed, replaced } from "./stored_change.ts";

const logger = getLogger(["gxensemble", "registry"]);

/**
 * The revisions of the store are those of etcd times this, plus the place of the entry in the
 * transaction: when a lease runs out, etcd removes all its keys in one revision, and each change
 * has its own.
 */
const PLACES = 65_536;

/** The maximum number of keys whose values were found to be damaged, so that each is logged once. */
const MAX_DAMAGED = 1_000;

/** A key and its value, as the JSON gateway has them. */
export interface EtcdPair {
  /** The key, in base64. */
  readonly key: string;
  /** The value, in base64; absent if it is empty, or the key was removed. */
  readonly value?: string;
  /** The revision of its last change. */
  readonly mod_revision: string;
  /** The lease it is under; absent if there is none. */
  readonly lease?: string;
}

/** A change of one key. */
export interface EtcdEvent {
  /** What happened. Default: the key was written. */
  readonly type?: "PUT" | "DELETE";
  /** The key. */
  readonly kv: EtcdPair;
}

/** A value under an etcd lease. */
interface Leased {
  /** The id of the lease. */
  readonly lease: string;
  /** The etcd revision. */
  readonly revision: number;
}

/** What etcd has of one server. */
export interface EtcdRecord {
  /** The etcd revision of its entry, also of a damaged one; 0 if there is none. */
  readonly written: number;
  /** What the server says of itself. */
  readonly own?: OwnEntry | undefined;
  /** Set while it is reachable. */
  readonly alive?: Leased | undefined;
  /** The entry. */
  readonly entry?: RegistryEntry | undefined;
}

const NOTHING: EtcdRecord = { written: 0 };

/** The names of the keys below a prefix, in base64. */
export class EtcdKeys {
  readonly #prefix: string;

  /** Names the keys of an ensemble. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** All keys of the ensemble. */
  get all(): { readonly key: string; readonly range_end: string } {
    // The end is exclusive, and "0" follows "/".
    return { key: encodeText(`${this.#prefix}/`), range_end: encodeText(`${this.#prefix}0`) };
  }

  /** The key of a server's entry. */
  server(id: string): string {
    return encodeText(`${this.#prefix}/servers/${id}`);
  }

  /** The key that is there while a server is reachable. */
  alive(id: string): string {
    return encodeText(`${this.#prefix}/alive/${id}`);
  }

  /** The key of a registry. */
  registry(name: string): string {
    return encodeText(`${this.#prefix}/registries/${name}`);
  }

  /** The key of a lock. */
  lock(name: string): string {
    return encodeText(`${this.#prefix}/locks/${name}`);
  }

  /** The key that says how an entry is removed. */
  get removed(): string {
    return encodeText(`${this.#prefix}/removed`);
  }

  /** Splits a key into its kind and the id or name. */
  parse(key: string): { readonly kind: string; readonly name: string } {
    const [kind = "", ...name] = decodeText(key).slice(this.#prefix.length + 1).split("/");
    return { kind, name: name.join("/") };
  }
}

/** What etcd has of an ensemble, kept true by the events of a watch. */
export class EtcdRecords {
  readonly #keys: EtcdKeys;
  readonly #servers = new Map<string, EtcdRecord>();
  readonly #registries = new Map<string, OwnEntry>();
  readonly #damaged = new Set<string>();

  /** Creates an empty set of records. */
  constructor(keys: EtcdKeys) {
    this.#keys = keys;
  }

  /** What there is of a server. */
  get(id: string): EtcdRecord {
    return this.#servers.get(id) ?? NOTHING;
  }

  /** The ids of all servers of which there is something. */
  ids(): Iterable<string> {
    return this.#servers.keys();
  }

  /** The entries of the registries. */
  registries(): RegistryEntry[] {
    return [...this.#registries.values()].map((entry) => ({ ...entry, revision: 0 }));
  }

  /** Replaces everything with what etcd has at a revision. */
  load(pairs: readonly EtcdPair[], revision: number): Snapshot {
    this.#servers.clear();
    this.#registries.clear();
    for (const pair of pairs) this.#apply({ kv: pair });
    const entries: RegistryEntry[] = [];
    for (const [id, record] of this.#servers) {
      const { written, alive } = record;
      const entry = entryOf(record, storeRevision(Math.max(written, alive?.revision ?? 0)));
      this.#servers.set(id, { ...record, entry });
      if (entry) entries.push(entry);
    }
    return { entries, revision: storeRevision(revision, PLACES - 1) };
  }

  /** Applies the events of one etcd revision. Returns the changes that they are. */
  apply(events: readonly EtcdEvent[], revision: number): StoredChange[] {
    const touched = new Map<string, { readonly before: EtcdRecord; readonly isWritten: boolean }>();
    let removal: { id?: unknown; as?: unknown } = {};
    for (const event of events) {
      const { kind, name } = this.#keys.parse(event.kv.key);
      if (kind === "removed") removal = this.#read(event.kv, (value) => value ?? {}) ?? {};
      if (kind === "servers" || kind === "alive") {
        const { before, isWritten } = touched.get(name) ??
          { before: this.get(name), isWritten: false };
        touched.set(name, { before, isWritten: isWritten || kind === "servers" });
      }
      this.#apply(event);
    }
    const changes: StoredChange[] = [];
    let place = 0;
    for (const [id, { before, isWritten }] of touched) {
      const own = storeRevision(revision, place++);
      const record = this.get(id);
      const old = before.entry;
      const entry = entryOf(record, own);
      if (entry && (isWritten || entry.state !== old?.state)) {
        changes.push(replaced(old, entry));
        this.#servers.set(id, { ...record, entry });
      } else if (entry) {
        this.#servers.set(id, { ...record, entry: old });
      } else {
        if (record !== NOTHING) this.#servers.set(id, { ...record, entry: undefined });
        const as: Removal = removal.id === id && removal.as === "left" ? "left" : "gone";
        if (old) changes.push(removed(old, { as, revision: own }));
      }
    }
    return changes;
  }

  #apply({ type, kv }: EtcdEvent): void {
    const { kind, name } = this.#keys.parse(kv.key);
    const isThere = type !== "DELETE";
    const revision = Number(kv.mod_revision);
    if (kind === "servers") {
      const own = isThere ? this.#read(kv, (value) => readEntry(value, name)) : undefined;
      this.#set(name, { ...this.get(name), written: isThere ? revision : 0, own });
    } else if (kind === "alive") {
      const alive = isThere ? { lease: kv.lease ?? "", revision } : undefined;
      this.#set(name, { ...this.get(name), alive });
    } else if (kind === "registries") {
      const entry = isThere ? this.#read(kv, readRegistry) : undefined;
      if (entry) this.#registries.set(name, entry);
      else this.#registries.delete(name);
    } else if (kind !== "removed" && kind !== "locks") {
      this.#warn(kv.key, "it is not a key of this program");
    }
  }

  #set(id: string, record: EtcdRecord): void {
    if (record.written === 0 && !record.alive) this.#servers.delete(id);
    else this.#servers.set(id, record);
  }

  /** Reads a value. One that is damaged is logged once, and counts as absent. */
  #read<Value>(pair: EtcdPair, read: (value: unknown) => Value): Value | undefined {
    try {
      const value = read(JSON.parse(decodeText(pair.value ?? "")));
      this.#damaged.delete(pair.key);
      return value;
    } catch (error) {
      this.#warn(pair.key, (error as Error).message);
    }
  }

  #warn(key: string, reason: string): void {
    if (this.#damaged.has(key) || this.#damaged.size >= MAX_DAMAGED) return;
    this.#damaged.add(key);
    logger.warn("the value of {key} in etcd is left out: {reason}", {
      key: shorten(decodeText(key)),
      reason: shorten(reason),
    });
  }
}

/** The revision of the store for one of etcd. */
export function storeRevision(revision: number, place = 0): number {
  return revision * PLACES + Math.min(place, PLACES - 1);
}

/** Encodes the entry of a server. */
export function encodeEntry(entry: OwnEntry): string {
  return encodeText(JSON.stringify({ ...entry, instance: entry.instance.toHex() }));
}

/** Encodes the value of a registry's key; without its entry, the registry is in no list. */
export function encodeRegistry(entry: OwnEntry | undefined, beat: number): string {
  const registry = entry && { ...entry, instance: entry.instance.toHex() };
  return encodeText(JSON.stringify({ beat, registry }));
}

/** Encodes how an entry is removed. */
export function encodeRemoval(id: string, as: Removal): string {
  return encodeText(JSON.stringify({ id, as }));
}

function readEntry(value: unknown, id: string): OwnEntry {
  const { instance, ...rest } = value as { instance: string };
  const entry = ownEntry({ ...rest, instance: Uint8Array.fromHex(instance) });
  if (entry.id !== id) throw new Error(`it is the entry of ${entry.id}`);
  return entry;
}

function readRegistry(value: unknown): OwnEntry | undefined {
  const { registry } = value as { registry?: { id: string } };
  return registry && readEntry(registry, registry.id);
}

function entryOf({ own, alive }: EtcdRecord, revision: number): RegistryEntry | undefined {
  return own && { ...own, state: alive ? own.state : "unreachable", revision };
}

/** Encodes a text as the JSON gateway takes it. */
export function encodeText(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

/** Decodes what {@linkcode encodeText} made. */
export function decodeText(base64: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(base64));
}
