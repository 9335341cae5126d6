/**
 * Reading the logs of servers: the last records of each, and then those that come.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";
import { hasReader } from "../../runtime/home/standard_stream.ts";
import {
  type LogFilter,
  type LoggedRecord,
  type LogPage,
  type LogPosition,
  type LogQuery,
  MAX_RECORDS,
} from "../../runtime/observation/log_protocol.ts";
import { observerClient } from "../../runtime/observation/observer_protocol.ts";
import { inParallel } from "../../runtime/parallel.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { OBSERVER } from "../../runtime/server/capabilities.ts";
import type { WatchedChange } from "../../runtime/server/registry_view.ts";
import { PING_TIMEOUT } from "../../runtime/wire/limits.ts";
import { Administrator } from "./administrator.ts";
import { explainFailure } from "./console.ts";
import type { RecordPrinter, ServerRecord } from "./log_records.ts";
import { type ClientOptions, RUNNING_STATES } from "./options.ts";
import { printNotice } from "./output.ts";
import type { PassphraseOptions } from "./prompts.ts";
import { formatNames } from "./quantities.ts";
import { findSet } from "./server_set.ts";
import { AT_ONCE, isSet, type ServerSet } from "./server_set_options.ts";

/** Which records to read, and for how long. */
export interface ReadingOptions extends Pick<ClientOptions, "timeout">, PassphraseOptions {
  /** The records to read. */
  readonly filter: LogFilter;
  /** What a record has to contain besides. It is matched here, since it may take long. */
  readonly pattern?: RegExp | undefined;
  /** The maximum number of records of each server that were logged before. */
  readonly lines: number;
  /** Whether to go on with those that come. */
  readonly follow: boolean;
}

/** The time that a server waits for records, in ms. */
const WAIT = 10_000;

/** The pause before a lost server is asked again, in ms. */
const RETRY_PAUSE = 1_000;

/** The position before the first record of any log. */
const BEGINNING: LogPosition = { log: "", sequence: 0 };

/** Reads the logs of a set of servers, and prints them. */
export class LogReading {
  readonly #console: ActorServer;
  readonly #administrator: Administrator;
  readonly #options: ReadingOptions;
  readonly #printer: RecordPrinter;
  /** The servers that are followed, with what ends that. */
  readonly #followed = new Map<string, AbortController>();
  /** Those that have left the set: they are followed while they stop. */
  readonly #leaving = new Set<string>();
  /** The servers that could not be read. */
  readonly #failed = new Set<string>();
  /** Called when the log of a server cannot be read any more. */
  #onFailure: (server: string, error: unknown) => void | Promise<void> = () => {};
  /** Ends the following: the reader of this command is gone, or it failed. */
  readonly #end = Promise.withResolvers<void>();

  /** Reads nothing yet. */
  constructor(console: ActorServer, options: ReadingOptions, printer: RecordPrinter) {
    this.#console = console;
    this.#administrator = new Administrator(console, options);
    this.#options = options;
    this.#printer = printer;
  }

  /**
   * Reads the logs. The records of all servers that were logged before come first, sorted by time.
   *
   * @throws {EnsembleError} the error of a single server; for a set, the number of failures.
   */
  async run(set: ServerSet): Promise<void> {
    const servers = await findSet(this.#console.actors, set);
    const pages = await this.#readBefore(servers, set);
    this.#print([...pages].flatMap(([server, page]) => this.#newest(server, page)));
    if (this.#options.follow && pages.size > 0) await this.#followAll(pages, set);
    if (this.#failed.size === 0) return;
    const names = formatNames([...this.#failed].sort());
    throw new EnsembleError(
      `failed in ${this.#failed.size} of ${servers.length} servers: ${names}`,
    );
  }

  /** Reads the newest records of all servers, at the same time. */
  async #readBefore(
    servers: readonly string[],
    set: ServerSet,
  ): Promise<ReadonlyMap<string, LogPage>> {
    const { lines, pattern } = this.#options;
    const limit = pattern ? MAX_RECORDS : Math.max(1, lines);
    const pages = new Map<string, LogPage>();
    const work = async (server: string) => {
      try {
        pages.set(server, await this.#elevating(server, () => this.#ask(server, { limit })));
      } catch (error) {
        if (!isSet(set) || !(error instanceof EnsembleError)) throw error;
        await this.#fail(server, error);
      }
    };
    await inParallel(servers, { atOnce: AT_ONCE, work });
    return new Map(servers.flatMap((server) => {
      const page = pages.get(server);
      return page ? [[server, page]] : [];
    }));
  }

  #newest(server: string, page: LogPage): ServerRecord[] {
    const { lines } = this.#options;
    if (lines === 0) return [];
    return this.#wanted(page).slice(-lines).map((record) => ({ server, record }));
  }

  /** Goes on with the logs of servers, until this command has no reader, or all have failed. */
  async #followAll(pages: ReadonlyMap<string, LogPage>, set: ServerSet): Promise<void> {
    const isNamed = set !== "all" && "ids" in set;
    this.#onFailure = async (server, error) => {
      if (!isSet(set) || !(error instanceof EnsembleError)) return this.#end.reject(error);
      this.#followed.delete(server);
      await this.#fail(server, error);
      if (isNamed && this.#followed.size === 0) this.#end.resolve();
    };
    for (const [server, { position }] of pages) this.#begin(server, position);
    try {
      await Promise.race([this.#end.promise, ...isNamed ? [] : this.#watch(set)]);
    } finally {
      for (const abort of this.#followed.values()) abort.abort();
    }
  }

  #begin(server: string, position: LogPosition): void {
    const abort = new AbortController();
    this.#followed.set(server, abort);
    this.#follow(server, { position, signal: abort.signal }).catch((error) => {
      if (!abort.signal.aborted) return this.#onFailure(server, error);
    });
  }

  async #follow(
    server: string,
    { position, signal }: { position: LogPosition; signal: AbortSignal },
  ): Promise<void> {
    /** Whether this console may have lost its capability in the server. */
    let isNew = position === BEGINNING;
    let failures = 0;
    while (!signal.aborted) {
      const query = { after: position, limit: MAX_RECORDS, wait: WAIT };
      const ask = () => this.#ask(server, query, signal);
      let page: LogPage;
      try {
        page = isNew ? await this.#elevating(server, ask) : await ask();
      } catch (error) {
        if (signal.aborted || !(error instanceof EnsembleError)) throw error;
        if (this.#leaving.delete(server)) {
          this.#followed.delete(server);
          return printNotice(`${server} has left`);
        }
        if (error.code === "NOT_AUTHORIZED" && isNew) throw error;
        isNew = true;
        // The first may be a restart.
        if (++failures === 2) {
          const { message } = await explainFailure(error, this.#console.actors) as Error;
          printNotice(`${server} was lost; waiting for it: ${message}`);
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE));
        continue;
      }
      if (signal.aborted) return;
      const isSame = page.position.log === position.log || position === BEGINNING;
      if (!isSame) printNotice(`${server} has started again`);
      else if (failures > 1) printNotice(`${server} answers again`);
      isNew = false;
      failures = 0;
      position = page.position;
      this.#printPage(server, page);
    }
  }

  #printPage(server: string, page: LogPage): void {
    try {
      if (page.lost > 0) this.#printer.printLoss(server, page.lost);
      this.#print(this.#wanted(page).map((record) => ({ server, record })));
    } catch (error) {
      this.#end.reject(error); // The output, and not the server, has failed.
    }
  }

  /** Follows servers that join a set, and ends with those that leave it. */
  #watch(set: Exclude<ServerSet, { ids: readonly string[] }>): Promise<void>[] {
    const watched = set === "all" ? [{}] : set.roles.map((role) => ({ role }));
    return watched.map(async (each) => {
      for await (const change of this.#console.view.watch(each)) this.#onChange(change);
    });
  }

  #onChange({ change, id, entry }: WatchedChange): void {
    const runs = entry !== undefined && RUNNING_STATES.includes(entry.state);
    if (runs && this.#followed.has(id)) this.#leaving.delete(id);
    else if (runs) {
      if (change === "present" && this.#failed.has(id)) return;
      this.#failed.delete(id);
      printNotice(`${id} has joined`);
      this.#begin(id, BEGINNING);
    } else if (!entry && this.#followed.has(id)) this.#leaving.add(id);
  }

  async #ask(
    server: string,
    query: LogQuery,
    signal?: AbortSignal,
  ): Promise<LogPage> {
    const { filter, timeout = PING_TIMEOUT } = this.#options;
    return await observerClient(this.#console.actors, server).readLog({ ...filter, ...query }, {
      timeout: (query.wait ?? 0) + timeout,
      ...signal && { signal },
    });
  }

  async #elevating<Result>(server: string, work: () => Promise<Result>): Promise<Result> {
    return await this.#administrator.elevating(server, OBSERVER, work);
  }

  /** The records of a page that match the pattern. */
  #wanted({ records }: LogPage): LoggedRecord[] {
    const { pattern } = this.#options;
    if (!pattern) return records;
    return records.filter(({ message, fields, errors }) =>
      pattern.test(`${message}${fields}\n${errors}`)
    );
  }

  #print(records: ServerRecord[]): void {
    // Stable, so that those of a server stay in order.
    for (const each of records.sort((a, b) => a.record.at - b.record.at)) this.#printer.print(each);
    if (!hasReader()) this.#end.resolve();
  }

  async #fail(server: string, error: EnsembleError): Promise<void> {
    this.#failed.add(server);
    const { message } = await explainFailure(error, this.#console.actors) as Error;
    this.#printer.printFailure(server, { message, code: error.code });
  }
}
