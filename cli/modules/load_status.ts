/**
 * Which server of a set runs which version of what was loaded, and where they differ.
 *
 * @module
 */
import { resolve } from "node:path";
import type { LoadRecord } from "../../runtime/code/load_history.ts";
import type { ListedLoad } from "../../runtime/ensemble/loader_protocol.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { formatNotation, symbol } from "../../runtime/notation.ts";
import { registryClient } from "../../runtime/server/registry_protocol.ts";
import { printError, printJson, printLine, printNotice } from "../kit/output.ts";
import type { ServerSet } from "../kit/server_set_options.ts";
import { LoaderSet, type LoaderSetOptions, type SetEntry } from "./loader_set.ts";
import { describeHolder, lockNames } from "./roll_out_lock.ts";

/** How long a server may take to say what it has, in ms. */
const PATIENCE = 30_000;

/** What a server has. */
interface Holding {
  /** The loads that it has not gone back from. */
  readonly loads: readonly ListedLoad[];
  /** The current record of each module id. */
  readonly current: ReadonlyMap<string, LoadRecord>;
}

/** A version of a module in a server. */
interface Version {
  readonly module: string;
  /** Absent if the server does not run the module. */
  readonly hash?: string;
  readonly time?: string;
  readonly by?: string;
  readonly kept: boolean;
  /** Whether most servers of the set have another version. */
  readonly drift: boolean;
}

/**
 * Prints for each server of a set which version it has of every module that was loaded into any of
 * them, and of those in which they differ: `(module-id "hash" "time" "user@host")`, with `kept` if
 * the server loads it again when it starts, and `drift` if most servers have another one.
 *
 * @param moduleId only this module: its id, or its path.
 */
export async function showStatus(
  set: ServerSet,
  moduleId: string | undefined,
  options: LoaderSetOptions,
): Promise<void> {
  await LoaderSet.use(set, options, async (loaders) => {
    const entries = await loaders.find();
    const { timeout = PATIENCE, json } = options;
    const ids = entries.map(({ id }) => id);
    const outcomes = await loaders.each(ids, async (loader): Promise<Holding> => {
      const loads = (await loader.loads({}, { timeout })).filter(({ undone }) => !undone);
      const history = await loader.history({}, { timeout });
      const current = history.filter(({ current }) => current);
      return { loads, current: new Map(current.map((record) => [record.module, record])) };
    });
    const holdings = new Map<string, Holding>();
    for (const [id, { result, error }] of outcomes) {
      if (result) holdings.set(id, result);
      else printError(`${loaders.label(id)}${error.message}`);
    }
    const modules = shownModules([...holdings.values()], moduleId);
    for (const id of ids) {
      const holding = holdings.get(id);
      if (!holding) {
        const { message, code } = outcomes.get(id)!.error!;
        if (json) printJson({ server: id, error: message, code }, { oneLine: true });
        continue;
      }
      const versions = modules.map((module) => versionOf(module, holding, [...holdings.values()]));
      if (json) printJson({ server: id, result: versions }, { oneLine: true });
      else for (const version of versions) printLine(loaders.label(id) + format(version));
    }
    if (modules.length === 0) printNotice("... nothing was loaded since they started");
    for (const module of modules) noteDrift(module, [...holdings.values()]);
    await noteLocks(loaders, entries);
    const failed = ids.length - holdings.size;
    if (failed > 0) throw new EnsembleError(`failed in ${failed} of ${ids.length} servers`);
  });
}

/** The modules to show: entries of loads, and those in which servers differ, without what only imports these. */
function shownModules(holdings: readonly Holding[], moduleId: string | undefined): string[] {
  if (moduleId !== undefined) {
    const path = resolve(moduleId);
    const records = holdings.flatMap(({ current }) => [...current.values()]);
    const found = records.find((each) => each.path === path || each.module === moduleId);
    return [found?.module ?? moduleId];
  }
  const modules = new Set(holdings.flatMap(({ loads }) => loads.map(({ module }) => module)));
  for (const { current } of holdings) {
    for (const { module, hash } of current.values()) {
      if (holdings.some((other) => (other.current.get(module)?.hash ?? hash) !== hash)) {
        modules.add(module);
      }
    }
  }
  return [...modules].sort();
}

function versionOf(module: string, holding: Holding, all: readonly Holding[]): Version {
  const record = holding.current.get(module);
  const kept = holding.loads.some((load) => load.kept && load.module === module && load.current);
  const drift = record?.hash !== mostCommon(module, all);
  if (!record) return { module, kept, drift };
  const { hash, time, by } = record;
  return { module, hash, time: new Date(time).toISOString(), by, kept, drift };
}

/** The hash that most servers have of a module; of several the newest. Undefined if most have none. */
function mostCommon(module: string, holdings: readonly Holding[]): string | undefined {
  const [most] = versions(module, holdings);
  return most?.hash;
}

/** The versions that servers have of a module, with their numbers of servers: the most first. */
function versions(
  module: string,
  holdings: readonly Holding[],
): { hash: string | undefined; count: number; time: number }[] {
  const counts = new Map<string | undefined, { count: number; time: number }>();
  for (const { current } of holdings) {
    const { hash, time = 0 } = current.get(module) ?? {};
    const { count, time: newest } = counts.get(hash) ?? { count: 0, time: 0 };
    counts.set(hash, { count: count + 1, time: Math.max(newest, time) });
  }
  return [...counts].map(([hash, rest]) => ({ hash, ...rest }))
    .sort((a, b) => b.count - a.count || b.time - a.time);
}

function format({ module, hash, time, by, kept, drift }: Version): string {
  const marks = [...kept ? [symbol("kept")] : [], ...drift ? [symbol("drift")] : []];
  if (hash === undefined) return formatNotation([symbol(module), symbol("absent"), ...marks]);
  return formatNotation([symbol(module), hash, time!, by!, ...marks]);
}

/** Says which versions of a module there are, if there are several. */
function noteDrift(module: string, holdings: readonly Holding[]): void {
  const found = versions(module, holdings);
  if (found.length < 2) return;
  const counts = found.map(({ hash, count }) =>
    `${count} ${count === 1 ? "has" : "have"} ${hash ?? "none"}`
  );
  printNotice(`... ${module} differs: ${counts.join(", ")}`);
}

/** Says which roll-outs to the servers are under way. */
async function noteLocks(loaders: LoaderSet, entries: readonly SetEntry[]): Promise<void> {
  const registry = registryClient(loaders.actors);
  const holders = new Set<string>();
  for (const name of lockNames(entries)) {
    const holder = await registry.lockHolder({ name });
    if (holder) holders.add(describeHolder(holder));
  }
  for (const holder of holders) printNotice(`... a roll-out is under way: ${holder}`);
}
