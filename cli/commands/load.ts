/**
 * `gxensemble load`.
 *
 * @module
 */
import type { Client } from "../../runtime/actor/service.ts";
import type { ServerId } from "../../runtime/actor/server_id.ts";
import type { LoaderHandlers } from "../../runtime/code/loader_protocol.ts";
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { formatNotation, symbol } from "../../runtime/wire/notation.ts";
import { Administrator } from "../administrator.ts";
import { withConsole } from "../console.ts";
import { formatLoadReport, type LoadingOptions, loadLibrary, loadModule } from "../loading.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";
import { printJson, printLine, printNotice } from "../output.ts";
import type { PassphraseOptions } from "../passphrase.ts";
import { checkTypes } from "../type_check.ts";
import { UsageError } from "../usage_error.ts";

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

/** Loads a module into a running server, and prints each module with its hash: dependencies first. */
export async function load(
  serverId: ServerId,
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
  const report = await withLoader(
    serverId,
    options,
    (loader) =>
      options.library ? loadLibrary(loader, moduleId) : loadModule(loader, moduleId, options),
  );
  if (options.quiet) return;
  if (options.json) printJson(report);
  else formatLoadReport(report).forEach(printLine);
}

/**
 * Prints what has been loaded into a server: `(module-id "hash" "time" "user@host" current)`, without
 * the last word where another load has replaced it, and with `rerun` before it where it ran anew.
 */
export async function listLoaded(serverId: ServerId, options: LoadListOptions): Promise<void> {
  const { loads, instances } = await withLoader(serverId, options, async (loader) => ({
    loads: await loader.history(),
    instances: await loader.instances(),
  }));
  const bytes = new Map(instances.map((each) => [each.hash, each.bytes]));
  const timed = loads.map((load) => ({
    ...load,
    time: new Date(load.time).toISOString(),
    // Of what only an import() leads to nothing is there before it runs.
    bytes: bytes.get(load.hash) ?? 0,
  }));
  if (options.json) return printJson(timed);
  for (const { module, hash, time, by, rerun, current } of timed) {
    const marks = [...rerun ? [symbol("rerun")] : [], ...current ? [symbol("current")] : []];
    printLine(formatNotation([symbol(module), hash, time, by, ...marks]));
  }
  const modules = new Set(instances.map(({ module }) => module)).size;
  const sum = instances.reduce((all, each) => all + each.bytes, 0);
  printNotice(`... ${instances.length} instances of ${modules} modules, ${sum} bytes of code`);
}

/** Works with a server's loader, as an administrator where the server wants one. */
async function withLoader<Result>(
  serverId: ServerId,
  options: LoadListOptions,
  work: (loader: Client<LoaderHandlers>) => Promise<Result>,
): Promise<Result> {
  return await withConsole(
    options,
    (actors, console) =>
      new Administrator(console, options).elevating(
        serverId,
        "loader",
        () => work(loaderClient(actors, serverId)),
      ),
  );
}
