/**
 * Going back from a load in servers, and describing what that did.
 *
 * @module
 */
import { resolve } from "node:path";
import type { BackOutcome } from "../../runtime/code/unit_store.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { operatorName } from "../kit/administrator.ts";
import { printError, printJson, printLine, printNotice } from "../kit/output.ts";
import type { ServerSet } from "../kit/server_set_options.ts";
import { type Loader, LoaderSet, type LoaderSetOptions } from "./loader_set.ts";
import { RollOutLock } from "./roll_out_lock.ts";

/** How long a server may take to go back, in ms: its modules' `install` may run for a while. */
const BACK_TIMEOUT = 60_000;

/** What going back did in one server. */
export interface WentBack {
  /** A line that says what is current now. */
  readonly line: string;
  /** Whether the earlier state is there again. */
  readonly isBack: boolean;
  /** What was done with each module. */
  readonly modules: readonly BackOutcome[];
}

/** Goes back from a load in a server. Undefined if the server does not have that load. */
export async function goBackIn(
  loader: Loader,
  { id, module, timeout = BACK_TIMEOUT }: {
    id: string;
    /** The module id of the load's entry. */
    module: string;
    timeout?: number | undefined;
  },
): Promise<WentBack | undefined> {
  const modules = await loader.goBack({ id, by: operatorName() }, { timeout });
  if (!modules || modules.length === 0) return undefined;
  const entry = modules.find((each) => each.module === module) ?? modules.at(-1)!;
  const failed = modules.filter(({ failure }) => failure !== undefined);
  const failures = failed.map(({ failure }) => `; ${failure}`).join("");
  const isBack = entry.way !== "not undone" && failed.length === 0;
  return { line: describe(entry) + failures, isBack, modules };
}

function describe({ module, hash, way, failure }: BackOutcome): string {
  switch (way) {
    case "installed":
      return `back to ${module} ${hash}, called its install()`;
    case "rerun":
      return `back to ${module} ${hash}, ran it again`;
    case "restored":
      return `back to ${module} ${hash}`;
    case "uninstalled":
      return `called uninstall() of ${module} ${hash}, which had no earlier version`;
    case "replaced":
      return `left as it is: a later load has replaced ${module}`;
    default:
      if (failure !== undefined) return `not undone: ${module} ${hash}`;
      return `not undone: ${module} ${hash} has no earlier version, and exports no uninstall()`;
  }
}

/** Prints what going back did in a server, and notices about the modules below the entry. */
export function printWentBack({ line, isBack, modules }: WentBack, label: string): void {
  if (isBack) printLine(label + line);
  else printError(label + line);
  const left = modules.filter(({ way, failure }) => way === "not undone" && failure === undefined);
  for (const { module } of left.slice(0, -1)) {
    printNotice(`${label}... ${module} is new, and exports no uninstall(): what it did stays`);
  }
}

/** Options of {@linkcode rollBack}. */
export interface RollBackOptions extends LoaderSetOptions {
  /** Whether to only say what would be done. */
  readonly dryRun: boolean;
  /** Whether to print errors only. */
  readonly quiet: boolean;
}

/**
 * Goes back from the newest version that was loaded into any server of a set and not gone back from,
 * in all servers that have it.
 *
 * @param moduleId only loads of this module: its id, or its path.
 * @throws {EnsembleError} if there is none, or a server did not go back.
 */
export async function rollBack(
  set: ServerSet,
  moduleId: string | undefined,
  options: RollBackOptions,
): Promise<void> {
  await LoaderSet.use(set, options, async (loaders) => {
    const entries = await loaders.find();
    const { dryRun } = options;
    await using _lock = dryRun ? undefined : await RollOutLock.take(loaders, entries);
    await goBackFromNewest(loaders, entries.map(({ id }) => id), { ...options, moduleId });
  });
}

async function goBackFromNewest(
  loaders: LoaderSet,
  servers: readonly string[],
  { moduleId, dryRun, quiet, json, timeout }: RollBackOptions & { moduleId: string | undefined },
): Promise<void> {
  const path = moduleId === undefined ? undefined : resolve(moduleId);
  const found = await loaders.each(servers, async (loader) => {
    const loads = await loader.loads({}, { timeout: timeout ?? BACK_TIMEOUT });
    return loads.filter((load) =>
      !load.undone && (path === undefined || load.module === moduleId || load.path === path)
    );
  });
  const failed = new Map<string, EnsembleError>();
  const note = (server: string, error: EnsembleError) => {
    failed.set(server, error);
    printError(`${loaders.label(server)}${error.message}`);
  };
  for (const [server, { error }] of found) if (error) note(server, error);
  const loads = [...found.values()].flatMap((outcome) => outcome.error ? [] : outcome.result);
  const newest = loads.toSorted((a, b) => b.time - a.time)[0];
  if (!newest) {
    const what = moduleId === undefined ? "nothing is loaded" : `${moduleId} is not loaded`;
    throw new EnsembleError(`${what} that could be gone back from${failures(failed, servers)}`);
  }
  const { module, hash, by, time } = newest;
  // By its hash: a roll-out that was killed and then repeated was one load each.
  const having = new Map(servers.flatMap((server): [string, string][] => {
    const own = found.get(server)!.result
      ?.findLast((load) => load.module === module && load.hash === hash);
    return own ? [[server, own.id]] : [];
  }));
  if (!quiet) {
    printNotice(
      `... ${dryRun ? "would go" : "going"} back from ${module} ${hash}, which ${by} loaded at ` +
        `${new Date(time).toISOString()}, in ${having.size} of ${servers.length} servers`,
    );
  }
  if (dryRun) return printDryRun(loaders, [...having.keys()], { json });
  const back = await loaders.each(
    [...having.keys()],
    (loader, server) => goBackIn(loader, { id: having.get(server)!, module, timeout }),
  );
  for (const server of servers) {
    const outcome = back.get(server);
    if (outcome?.error) note(server, outcome.error);
    else if (outcome?.result) {
      if (!json && !quiet) printWentBack(outcome.result, loaders.label(server));
      if (outcome.result.isBack) continue;
      failed.set(server, new EnsembleError(outcome.result.line));
      if (json || quiet) printError(`${loaders.label(server)}${outcome.result.line}`);
    } else if (!failed.has(server) && !json && !quiet) {
      printLine(`${loaders.label(server)}unchanged: it does not have that version`);
    }
  }
  if (json) {
    for (const server of servers) {
      const error = failed.get(server);
      const modules = back.get(server)?.result?.modules ?? [];
      const line = error ? { server, error: error.message, code: error.code, modules } : {
        server,
        result: { from: hash, modules },
      };
      printJson(line, { oneLine: true });
    }
  }
  if (failed.size > 0) {
    throw new EnsembleError(`not all servers went back${failures(failed, servers)}`);
  }
}

function printDryRun(
  loaders: LoaderSet,
  having: readonly string[],
  { json }: { json: boolean },
): void {
  for (const server of having) {
    if (json) printJson({ server, result: { dryRun: true } }, { oneLine: true });
    else printLine(`${loaders.label(server)}would go back`);
  }
}

function failures(failed: ReadonlyMap<string, unknown>, servers: readonly string[]): string {
  if (failed.size === 0) return "";
  const names = [...failed.keys()].join(", ");
  return `; failed in ${failed.size} of ${servers.length} servers: ${names}`;
}
