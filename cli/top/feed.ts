/**
 * What `top` shows, asked again and again: the servers, and the actors of one of them.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { BusiestActors, BusyOrder } from "../../runtime/observation/busiest_protocol.ts";
import { inParallel } from "../../runtime/parallel.ts";
import type { Observers } from "../kit/observers.ts";
import {
  findReporters,
  readReport,
  type Reporter,
  type ServerReport,
} from "../kit/server_reports.ts";
import { AT_ONCE, type ServerSet } from "../kit/server_set_options.ts";

/** The server whose actors are shown. */
export interface Opened {
  /** Its id. */
  readonly id: string;
  /** By what its actors are sorted. */
  readonly sort: BusyOrder;
  /** The number of actors to ask for. */
  readonly limit: number;
}

/** Where a feed gets its news. */
export interface FeedOptions {
  /** The actors of the command's console. */
  readonly actors: ActorSystem;
  /** The observers of servers. */
  readonly observers: Observers;
  /** The servers; undefined for all that are registered, and the registry. */
  readonly set: ServerSet | undefined;
  /** The server whose actors are shown, now. */
  opened(): Opened | undefined;
  /** Called when there is news. */
  onNews(): void;
}

/** Asks servers for their states, and one for its actors. What it had stays until there is news. */
export class Feed {
  /** Why the registry cannot be asked for the servers; undefined while it can. */
  registryError: string | undefined;
  /** The busiest actors of the opened server, or why they are not known. */
  busiest:
    | { readonly id: string; readonly found?: BusiestActors; readonly error?: string }
    | undefined;
  readonly #options: FeedOptions;
  readonly #reports = new Map<string, ServerReport>();
  #reporters: readonly Reporter[] = [];
  /** The servers that have not answered the last question yet. */
  readonly #asked = new Set<string>();
  #isOpenedAsked = false;
  #isListed = false;
  #isListing = false;

  /** Asks nothing yet. */
  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** The servers, with what they said last. */
  get reports(): readonly ServerReport[] {
    return this.#reporters.map((reporter) => this.#reports.get(reporter.id) ?? reporter);
  }

  /** Whether the servers are known. */
  get isListed(): boolean {
    return this.#isListed;
  }

  /**
   * Asks all, and waits for their answers. A server that has not answered yet is not asked again.
   *
   * @throws {EnsembleError} if the servers are not known, and cannot be asked for.
   */
  async poll(): Promise<void> {
    await Promise.all([this.#list().then(() => this.#askAll()), this.pollOpened()]);
  }

  /** Asks the opened server for its actors. */
  async pollOpened(): Promise<void> {
    const opened = this.#options.opened();
    if (!opened || this.#isOpenedAsked) return;
    this.#isOpenedAsked = true;
    const { id, sort, limit } = opened;
    try {
      const found = await this.#options.observers.ask(
        id,
        (observer) => observer.busiest({ sort, limit }),
      );
      this.busiest = { id, found };
    } catch (error) {
      if (!(error instanceof EnsembleError)) throw error;
      const last = this.busiest?.id === id ? this.busiest : undefined;
      this.busiest = { id, ...last?.found && { found: last.found }, error: error.message };
    } finally {
      this.#isOpenedAsked = false;
    }
    this.#options.onNews();
  }

  async #list(): Promise<void> {
    if (this.#isListing) return;
    this.#isListing = true;
    const { actors, set } = this.#options;
    try {
      this.#reporters = await findReporters(actors, { set });
      this.#isListed = true;
      this.registryError = undefined;
    } catch (error) {
      if (!this.#isListed || !(error instanceof EnsembleError)) throw error;
      this.registryError = error.message;
    } finally {
      this.#isListing = false;
    }
    const ids = new Set(this.#reporters.map(({ id }) => id));
    for (const id of this.#reports.keys()) if (!ids.has(id)) this.#reports.delete(id);
    this.#options.onNews();
  }

  /** Asks all servers, or only the opened one. */
  async #askAll(): Promise<void> {
    const opened = this.#options.opened()?.id;
    const due = this.#reporters
      .filter(({ id }) => !this.#asked.has(id) && (opened === undefined || id === opened));
    await inParallel(due, { atOnce: AT_ONCE, work: (reporter) => this.#ask(reporter) });
  }

  async #ask(reporter: Reporter): Promise<void> {
    const { id } = reporter;
    // An earlier poll has begun with it meanwhile.
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    try {
      this.#reports.set(id, await readReport(reporter, this.#options));
    } finally {
      this.#asked.delete(id);
    }
    this.#options.onNews();
  }
}
