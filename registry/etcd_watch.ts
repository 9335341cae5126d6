/**
 * A watch of keys in etcd that goes on when members fail.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { EnsembleError } from "../runtime/errors.ts";
import type { EtcdGateway, EtcdStream } from "./etcd_gateway.ts";
import type { EtcdEvent, EtcdPair } from "./etcd_records.ts";

const logger = getLogger(["gxensemble", "registry"]);

/** How long the watch may take to report what was written, in ms. */
const REPORT_TIMEOUT = 1_000;

/** The number of keys that are read in one request. */
const PAGE = 1_000;

/** The pause before a watch is opened again, in ms. */
const PAUSE = 200;

/** A range of keys, in base64. */
export interface KeyRange {
  /** The first key. */
  readonly key: string;
  /** The key after the last one. */
  readonly range_end: string;
}

/** Gets what is read and watched. */
export interface WatchListener {
  /** All keys as of an etcd revision: at first, and again if etcd has forgotten some of the later changes. */
  loaded(pairs: readonly EtcdPair[], revision: number): void;
  /** The changes of one etcd revision. */
  changed(events: readonly EtcdEvent[], revision: number): void;
}

/** The head of an answer. */
export interface EtcdHeader {
  /** The id of the cluster. */
  readonly cluster_id: string;
  /** The revision of the whole store. */
  readonly revision: string;
}

interface RangeAnswer {
  readonly header: EtcdHeader;
  readonly kvs?: readonly EtcdPair[];
  readonly more?: boolean;
}

interface WatchAnswer {
  readonly events?: readonly EtcdEvent[];
  readonly canceled?: boolean;
  readonly cancel_reason?: string;
  readonly compact_revision?: string;
}

/** A wait for a revision. */
interface Waiting {
  readonly revision: number;
  resolve(reached: boolean): void;
}

/** Reads a range of keys, and then follows its changes from the revision that was read. */
export class EtcdWatch {
  readonly #gateway: EtcdGateway;
  readonly #range: KeyRange;
  readonly #listener: WatchListener;
  readonly #waiting = new Set<Waiting>();
  #cluster: string | undefined;
  /** All changes up to it were reported. */
  #revision = 0;
  #stream: EtcdStream | undefined;
  #isClosed = false;

  /** Prepares to watch. */
  constructor(gateway: EtcdGateway, range: KeyRange, listener: WatchListener) {
    this.#gateway = gateway;
    this.#range = range;
    this.#listener = listener;
  }

  /**
   * Reads the keys, and begins to follow them.
   *
   * @returns the id of the cluster.
   * @throws {EnsembleError} if they cannot be read.
   */
  async open(): Promise<string> {
    await this.#read();
    void this.#follow();
    return this.#cluster!;
  }

  /** Goes on at another member if the changes up to an etcd revision, which was written, are not reported. */
  async expect(revision: number): Promise<boolean> {
    const stream = this.#stream;
    if (await this.#reaches(revision)) return true;
    if (stream && stream === this.#stream) this.#gateway.avoid(stream.member);
    return await this.#reaches(revision);
  }

  /** Ends the watch. */
  close(): void {
    this.#isClosed = true;
    this.#stream?.close();
    for (const waiting of this.#waiting) waiting.resolve(false);
  }

  /** Reads all keys as of one revision, in pages. */
  async #read(): Promise<void> {
    const pairs: EtcdPair[] = [];
    let { key } = this.#range;
    let header: EtcdHeader | undefined;
    for (let more = true; more;) {
      const page: RangeAnswer = await this.#gateway.request<RangeAnswer>("/v3/kv/range", {
        ...this.#range,
        key,
        limit: PAGE,
        ...header && { revision: header.revision },
      });
      header ??= page.header;
      pairs.push(...page.kvs ?? []);
      more = page.more ?? false;
      if (more) key = nextKey(pairs.at(-1)!.key);
    }
    const { cluster_id: cluster, revision } = header!;
    if (cluster !== (this.#cluster ??= cluster)) {
      throw new EnsembleError("it is another cluster now: restart the registry");
    }
    this.#listener.loaded(pairs, Number(revision));
    this.#reach(Number(revision));
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#watch();
      } catch (error) {
        if (this.#isClosed) return;
        logger.debug("the watch of etcd ended: {reason}", { reason: (error as Error).message });
      }
      this.#stream?.close();
      this.#stream = undefined;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  async #watch(): Promise<void> {
    const stream = await this.#gateway.stream("/v3/watch", {
      create_request: { ...this.#range, start_revision: this.#revision + 1 },
    });
    this.#stream = stream;
    if (this.#isClosed) return stream.close();
    for await (const result of stream.results) {
      const { events = [], canceled, cancel_reason, compact_revision } = result as WatchAnswer;
      // etcd forgets old changes when it is compacted.
      if (compact_revision) return await this.#read();
      if (canceled) throw new EnsembleError(cancel_reason ?? "etcd has ended it");
      for (const [revision, group] of Map.groupBy(events, ({ kv }) => Number(kv.mod_revision))) {
        this.#listener.changed(group, revision);
        this.#reach(revision);
      }
    }
  }

  /** Waits for a revision, but not for long. */
  #reaches(revision: number): Promise<boolean> {
    if (revision <= this.#revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => waiting.resolve(false), REPORT_TIMEOUT);
      const waiting: Waiting = {
        revision,
        resolve: (reached) => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          resolve(reached);
        },
      };
      this.#waiting.add(waiting);
    });
  }

  #reach(revision: number): void {
    this.#revision = revision;
    for (const waiting of this.#waiting) if (waiting.revision <= revision) waiting.resolve(true);
  }
}

/** The first key after another one. */
function nextKey(key: string): string {
  const bytes = Uint8Array.fromBase64(key);
  return Uint8Array.of(...bytes, 0).toBase64();
}
