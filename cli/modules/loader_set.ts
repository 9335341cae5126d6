/**
 * The loaders of a set of servers, for work that concerns all of them: roll-outs, going back,
 * comparing.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import type { Client } from "../../runtime/actor/service.ts";
import type { LoaderHandlers } from "../../runtime/ensemble/loader_protocol.ts";
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { DisconnectedError, EnsembleError } from "../../runtime/errors.ts";
import { inParallel } from "../../runtime/parallel.ts";
import { LOADER } from "../../runtime/server/capabilities.ts";
import { registryClient, type RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { Administrator } from "../kit/administrator.ts";
import { explainFailure, watchSilence, withConsole } from "../kit/console.ts";
import { type ClientOptions, type OutputOptions, RUNNING_STATES } from "../kit/options.ts";
import { printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import { isSet, type ServerSet } from "../kit/server_set_options.ts";
import { findServers, listReached, onlyReached } from "../kit/servers.ts";

/** The options of a command that works with the loaders of servers. */
export interface LoaderSetOptions extends ClientOptions, OutputOptions, PassphraseOptions {
  /** The number of servers to work in at the same time. */
  readonly concurrency: number;
}

/** What came of work in a server. */
export type Outcome<Result> =
  | { readonly result: Result; readonly error?: undefined }
  | { readonly error: EnsembleError; readonly result?: undefined };

/** A server of the set, as the registry has it. One that is not registered has only an id. */
export type SetEntry = Pick<RegistryEntry, "id"> & Partial<RegistryEntry>;

/** The loader of a server. */
export type Loader = Client<LoaderHandlers>;

/** The loaders of a set of servers, reached through one console. */
export class LoaderSet {
  /** The actors of the console. */
  readonly actors: ActorSystem;
  /** Elevates the command where needed. */
  readonly administrator: Administrator;
  readonly #set: ServerSet;
  readonly #concurrency: number;

  /**
   * Works with a set, through a console and as its administrator.
   *
   * @param options.concurrency the number of servers to work in at the same time.
   */
  constructor(
    set: ServerSet,
    { actors, administrator, concurrency }: {
      actors: ActorSystem;
      administrator: Administrator;
      concurrency: number;
    },
  ) {
    this.#set = set;
    this.actors = actors;
    this.administrator = administrator;
    this.#concurrency = concurrency;
  }

  /** Works with a set, through a console. */
  static async use(
    set: ServerSet,
    options: LoaderSetOptions,
    work: (loaders: LoaderSet) => Promise<void>,
  ): Promise<void> {
    await withConsole(options, async (actors, console) => {
      const administrator = new Administrator(console, options);
      const { concurrency } = options;
      await work(new LoaderSet(set, { actors, administrator, concurrency }));
    });
  }

  /** What begins the lines of a server: nothing if the command names a single one. */
  label(server: string): string {
    return isSet(this.#set) ? `${server}: ` : "";
  }

  /**
   * Finds the servers: as they are named, or those that run, sorted by their ids.
   *
   * @throws {EnsembleError} if there are none with the role.
   */
  async find(): Promise<SetEntry[]> {
    const set = this.#set;
    if (set === "all") {
      const entries = await listReached(this.actors, { states: RUNNING_STATES });
      if (entries.length === 0) throw new EnsembleError("no server runs, but the registry");
      return entries;
    }
    if ("ids" in set) {
      const registry = registryClient(this.actors);
      return await inParallel(set.ids, {
        atOnce: this.#concurrency,
        work: async (id) => {
          try {
            return (await registry.lookup({ id })).entry ?? { id };
          } catch (error) {
            // A server of this host is reached without the registry.
            if (error instanceof DisconnectedError) return { id };
            throw error;
          }
        },
      });
    }
    const queries = set.roles.map((role) => ({ role, states: RUNNING_STATES }));
    const { found, missing } = await findServers(this.actors, queries);
    if (missing[0]) throw missing[0];
    return (await onlyReached(this.actors, found)).sort((a, b) => a.id < b.id ? -1 : 1);
  }

  /** The ids of servers of the set that cannot be reached, and so are not found. */
  async unreachable(): Promise<string[]> {
    const set = this.#set;
    if (set !== "all" && "ids" in set) return [];
    const states = ["unreachable"] as const;
    const lists = set === "all"
      ? [listReached(this.actors, { states })]
      : set.roles.map((role) => listReached(this.actors, { role, states }));
    const ids = (await Promise.all(lists)).flat().map(({ id }) => id);
    return [...new Set(ids)].sort();
  }

  /** The entry that a server has now; undefined if there is none. */
  async lookup(id: string): Promise<RegistryEntry | undefined> {
    return (await registryClient(this.actors).lookup({ id })).entry;
  }

  /** Works with the loaders of servers at the same time. A failure in one does not stop the others. */
  async each<Result>(
    servers: readonly string[],
    work: (loader: Loader, server: string) => Promise<Result>,
  ): Promise<Map<string, Outcome<Result>>> {
    const outcomes = await inParallel(servers, {
      atOnce: this.#concurrency,
      work: async (server) => [server, await this.#outcome(server, work)] as const,
    });
    return new Map(outcomes);
  }

  /** Works with the loader of one server. */
  async in<Result>(server: string, work: (loader: Loader) => Promise<Result>): Promise<Result> {
    return await this.administrator.elevating(server, LOADER, async () => {
      using _watch = watchSilence(this.actors, server, printNotice);
      return await work(loaderClient(this.actors, server));
    });
  }

  /** Adds to an error what helps to fix it. */
  async explain(error: EnsembleError): Promise<EnsembleError> {
    return await explainFailure(error, this.actors) as EnsembleError;
  }

  async #outcome<Result>(
    server: string,
    work: (loader: Loader, server: string) => Promise<Result>,
  ): Promise<Outcome<Result>> {
    try {
      return { result: await this.in(server, (loader) => work(loader, server)) };
    } catch (error) {
      if (!(error instanceof EnsembleError)) throw error; // A bug of the command itself.
      return { error: await this.explain(error) };
    }
  }
}
