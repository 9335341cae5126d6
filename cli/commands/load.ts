/**
 * `gxensemble load`.
 *
 * @module
 */
import type { Client } from "../../runtime/actor/service.ts";
import type { LoaderHandlers } from "../../runtime/ensemble/loader_protocol.ts";
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { formatNotation, symbol } from "../../runtime/notation.ts";
import { Administrator } from "../kit/administrator.ts";
import { watchSilence, withConsole } from "../kit/console.ts";
import { inEachServer, type NamedServers, type ServerWork } from "../kit/servers.ts";
import {
  checkTypes,
  formatLoadReport,
  type LoadingOptions,
  loadLibrary,
  loadModule,
  printNotices,
} from "../modules/loading.ts";
import type { ClientOptions, OutputOptions } from "../kit/options.ts";
import { printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import { UsageError } from "../kit/command_line.ts";

/** Options of every use of the command. */
export interface LoadListOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

/** Options of {@linkcode load}. */
export interface LoadOptions extends LoadListOptions, LoadingOptions {
  /** Whether the module is a library that the server itself finds. */
  library: boolean;
  /** Whether it runs anew, when it has been loaded before. */
  rerun: boolean;
  /** Whether its types are checked first. */
  check: boolean;
  /** Whether nothing is printed but errors. */
  quiet: boolean;
}

/** Loads a module into running servers, and prints each module with its hash: dependencies first. */
export async function load(
  servers: NamedServers,
  moduleId: string,
  options: LoadOptions,
): Promise<void> {
  if (options.library && (options.force || options.rerun)) {
    const which = options.force ? "--force" : "--rerun";
    throw new UsageError(`${which} and --library exclude each other`, "gxensemble help load");
  }
  if (options.library && (options.check || options.dryRun)) {
    const which = options.check ? "--check" : "--dry-run";
    throw new UsageError(
      `${which} is of modules that are shipped, not of libraries`,
      "gxensemble help load",
    );
  }
  if (options.check) await checkTypes(moduleId);
  await withLoaders(servers, {
    ...options,
    // One after the other: each load shows how far it is.
    atOnce: 1,
    work: (loader) =>
      options.library
        ? loadLibrary(loader, moduleId, options)
        : loadModule(loader, moduleId, options),
    print(report, label) {
      for (const line of formatLoadReport(report)) printLine(label + line);
      printNotices(report, label);
    },
    toJson: (report) => report,
  });
}

/**
 * Prints what has been loaded into a server: `(module-id "hash" "time" "user@host" current)`, without
 * the last word where another load has replaced it, and with `rerun` before it where it ran anew.
 */
export async function listLoaded(servers: NamedServers, options: LoadListOptions): Promise<void> {
  await withLoaders(servers, {
    ...options,
    work: readLoads,
    print: printLoads,
    toJson: ({ loads }) => loads,
  });
}

/** What has been loaded into a server, and the instances that are there. */
async function readLoads(loader: Client<LoaderHandlers>) {
  const loads = await loader.history();
  const instances = await loader.instances();
  const bytes = new Map(instances.map((each) => [each.hash, each.bytes]));
  const timed = loads.map((load) => ({
    ...load,
    time: new Date(load.time).toISOString(),
    // Of what only an import() leads to nothing is there before it runs.
    bytes: bytes.get(load.hash) ?? 0,
  }));
  return { loads: timed, instances };
}

function printLoads({ loads, instances }: Awaited<ReturnType<typeof readLoads>>, label: string) {
  for (const { module, hash, time, by, rerun, current } of loads) {
    const marks = [...rerun ? [symbol("rerun")] : [], ...current ? [symbol("current")] : []];
    printLine(label + formatNotation([symbol(module), hash, time, by, ...marks]));
  }
  const modules = new Set(instances.map(({ module }) => module)).size;
  const sum = instances.reduce((all, each) => all + each.bytes, 0);
  printNotice(
    `${label}... ${instances.length} instances of ${modules} modules, ${sum} bytes of code`,
  );
}

/** What is done with the loaders of servers; with `quiet` nothing is printed of it. */
interface LoaderWork<Result> extends LoadListOptions, Omit<ServerWork<Result>, "work" | "json"> {
  quiet?: boolean;
  work(loader: Client<LoaderHandlers>): Promise<Result>;
}

/** Works with the loaders of servers, as an administrator where a server wants one. */
async function withLoaders<Result>(
  servers: NamedServers,
  { work, quiet = false, ...options }: LoaderWork<Result>,
): Promise<void> {
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    await inEachServer(servers, {
      ...options,
      ...quiet && { json: false, print: () => {} },
      actors,
      work: (server) =>
        administrator.elevating(server, "loader", async () => {
          using _watch = watchSilence(actors, server, printNotice);
          return await work(loaderClient(actors, server));
        }),
    });
  });
}
