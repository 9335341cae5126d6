/**
 * Loads modules into a running server, for the `load` command and the REPL.
 *
 * @module
 */
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { Client } from "../../runtime/actor/service.ts";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import { ModuleError } from "../../runtime/code/source_map.ts";
import { linkedUnits, type Unit } from "../../runtime/code/unit.ts";
import { evaluatedTogether } from "../../runtime/code/unit_graph.ts";
import type { LoadOutcome } from "../../runtime/code/unit_store.ts";
import type { LoaderHandlers } from "../../runtime/ensemble/loader_protocol.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { MAX_MESSAGE } from "../../runtime/wire/limits.ts";
import { operatorName } from "../kit/administrator.ts";
import { printNotice } from "../kit/output.ts";
import { NO_TERMINAL, ProgressLine } from "../kit/progress.ts";
import type { AnalysisCache } from "./analysis_cache.ts";
import type { UnitTree } from "./unit_building.ts";

/** Options of {@linkcode loadLibrary} and {@linkcode loadModule}. */
export interface PatienceOptions {
  /** Timeout for each answer, in ms. By default there is none, since loaded code may run long. */
  timeout?: number | undefined;
}

/** Options of {@linkcode loadModule}. */
export interface LoadingOptions extends PatienceOptions {
  /** Whether to ship only this module, linked to what the server has loaded. */
  force: boolean;
  /** The prefixes of library modules, which the server resolves itself. */
  libraryPrefix: string[];
  /** Whether to run the module again if it has been loaded before. */
  rerun?: boolean;
  /** Whether to only report what a load would do. */
  dryRun?: boolean;
  /** Whether to print errors only. */
  quiet?: boolean;
  /** Whether nothing is printed at all, as for a program. */
  silent?: boolean;
}

/** The result of a load. */
export interface LoadReport {
  /** Whether this was a dry run. */
  dryRun?: boolean;
  /** The specifiers of the library modules, in the order of loading. */
  libraries: string[];
  /** The modules. Except in cycles, each comes after those that it imports. */
  modules: LoadOutcome[];
  /** Notices about the load for the user. */
  notices: string[];
}

/** Delay before a notice explains what a load waits for, in ms. */
const PATIENCE = 5_000;

/**
 * Loads the module in `file`, a path or `file:` URL, with all that it imports. Shows the progress
 * if standard error is a terminal.
 *
 * @throws {EnsembleError} naming the file, line and column that cannot be read, shipped or loaded.
 */
export async function loadModule(
  loader: Client<LoaderHandlers>,
  file: string,
  options: LoadingOptions,
): Promise<LoadReport> {
  const { ModuleReader, openAnalyses } = await import("./module_reader.ts");
  const { buildUnits } = await import("./unit_building.ts");
  using progress = options.silent ? new ProgressLine(NO_TERMINAL) : new ProgressLine();
  const cache = options.silent ? undefined : await openAnalyses(file);
  const reader = await ModuleReader.open(file, {
    libraryPrefixes: options.libraryPrefix,
    libraryModules: await loader.libraries(),
    cache,
  });
  const tree = await buildUnits(reader, {
    onRead: (count) => progress.showBar("reading modules:", count),
    ...options.force && { running: (modules) => loader.running({ modules }) },
  });
  const moved = options.quiet ? new Map() : await movedModules(loader, tree);
  const modules = options.dryRun
    ? await foreseen(loader, tree, options)
    // A forced load has read only one module of the program.
    : await ship(loader, tree, { ...options, progress, cache: options.force ? undefined : cache });
  return {
    ...options.dryRun && { dryRun: true },
    libraries: tree.request.libraries.map(({ specifier }) => specifier),
    modules,
    notices: [
      ...noticesOfFailures(tree),
      ...noticesOfMoved(tree, modules, moved),
      ...options.dryRun ? [] : noticesOfRestored(modules),
    ],
  };
}

/** Ships the units that a server lacks, and loads them there. */
async function ship(
  loader: Client<LoaderHandlers>,
  tree: UnitTree,
  { rerun = false, timeout = Infinity, silent = false, progress, cache }: LoadingOptions & {
    progress: ProgressLine;
    cache: AnalysisCache | undefined;
  },
): Promise<LoadOutcome[]> {
  using _notice = silent
    ? undefined
    : noticeAfter(PATIENCE, "still waiting for the modules' top level to finish");
  const hashes = tree.units.map(({ hash }) => hash);
  const missing = await loader.missing({ hashes }, { timeout });
  const onShipped = (count: number) => progress.showBar("shipping modules:", count, missing.length);
  await shipUnits(loader, tree, { missing, timeout, onShipped });
  const by = operatorName();
  const loading = loader.load({ ...tree.request, by, ...rerun && { rerun } }, { timeout });
  // The cache is written while the server works.
  const saving = cache && new Promise((resolve) => setTimeout(resolve)).then(() => cache.save());
  const [outcomes] = await Promise.all([loading, saving]);
  return outcomes;
}

/** Ships those units of a program that a server lacks. */
export async function shipUnits(
  loader: Client<LoaderHandlers>,
  { units, mapped }: UnitTree,
  { missing, timeout, onShipped }: {
    missing: readonly string[];
    timeout: number;
    onShipped?: (count: number) => void;
  },
): Promise<void> {
  const hashes = new Set(missing);
  const lacking = units.filter(({ hash }) => hashes.has(hash));
  let shipped = 0;
  for (const batch of batches(lacking.values().map(mapped))) {
    onShipped?.(shipped);
    await loader.ship({ units: batch }, { timeout });
    shipped += batch.length;
  }
  onShipped?.(shipped);
}

/** Says which dynamic imports of a program will fail. */
export function noticesOfFailures({ failures }: UnitTree): string[] {
  return failures.map(({ message }) => `an import() will fail when it runs: ${message}`);
}

/** Determines what a load would do. */
async function foreseen(
  loader: Client<LoaderHandlers>,
  { units, request: { entry, modules } }: UnitTree,
  { rerun = false }: LoadingOptions,
): Promise<LoadOutcome[]> {
  const history = await loader.history();
  const known = new Map(history.map(({ hash, current }) => [hash, current]));
  // Modules behind an import() do not become current before it runs.
  for (const { hash, current } of history) if (current) known.set(hash, true);
  const together = rerun && known.has(entry)
    ? evaluatedTogether(entry, new Map(units.map((unit) => [unit.hash, unit])))
    : [];
  const anew = new Set(together.map(({ hash }) => hash));
  return modules.map((name) => ({
    ...name,
    loaded: !known.has(name.hash),
    restored: !anew.has(name.hash) && known.get(name.hash) === false,
    installed: false,
    rerun: anew.has(name.hash),
  }));
}

/**
 * Finds the modules that read `import.meta` and that the server has loaded from other files, by
 * hash.
 */
async function movedModules(
  loader: Client<LoaderHandlers>,
  { units }: UnitTree,
): Promise<Map<string, string>> {
  const placed = units.filter(({ metaProperties }) => metaProperties.length > 0);
  if (placed.length === 0) return new Map();
  const current = (await loader.history()).filter((load) => load.current);
  const paths = new Map(current.map(({ module, path }) => [module, path]));
  return new Map(placed.flatMap(({ module, path, hash }): [string, string][] => {
    const before = paths.get(module);
    return before === undefined || before === path ? [] : [[hash, before]];
  }));
}

/** Reports which modules are new only because their files have moved. */
function noticesOfMoved(
  { units }: UnitTree,
  modules: LoadOutcome[],
  moved: ReadonlyMap<string, string>,
): string[] {
  const notices: string[] = [];
  const fresh = new Set(modules.filter(({ loaded }) => loaded).map(({ hash }) => hash));
  const above = new Set<string>();
  for (const { module, hash } of units) {
    const before = fresh.has(hash) ? moved.get(hash) : undefined;
    if (before === undefined) continue;
    above.add(hash);
    notices.push(`${module} reads import.meta and was loaded from ${before}, so it is new here`);
  }
  const places = above.size;
  for (const unit of units) {
    if (linkedUnits(unit).some((hash) => above.has(hash))) above.add(unit.hash);
  }
  if (above.size > places) {
    const which = above.size - places === 1
      ? "module that imports it is"
      : "modules that import it are";
    notices.push(`so ${above.size - places} ${which} new, too`);
  }
  return notices;
}

/** Reports which modules became current again, and whether their `install()` was called. */
function noticesOfRestored(modules: LoadOutcome[]): string[] {
  const restored = modules.filter((each) => each.restored);
  const installed = restored.filter((each) => each.installed);
  const notices = installed.map(({ module }) => `called install() of ${module}`);
  // The module that the user loads comes after all that it imports.
  const last = restored.at(-1);
  if (last === undefined || last.installed) return notices;
  const { module } = last;
  notices.push(
    `${module} did not run again and exports no install(): to run it again, use load --rerun`,
  );
  return notices;
}

/** Prints a notice after `delay` ms, unless disposed before. */
function noticeAfter(delay: number, notice: string): Disposable {
  const timer = setTimeout(() => printNotice(`... ${notice}`), delay);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/**
 * Loads a library module, which the server resolves itself.
 *
 * @throws {EnsembleError} if the server cannot find it, or it fails.
 */
export async function loadLibrary(
  loader: Client<LoaderHandlers>,
  specifier: string,
  { timeout = Infinity }: PatienceOptions,
): Promise<LoadReport> {
  await loader.library({ specifier }, { timeout });
  return { libraries: [specifier], modules: [], notices: [] };
}

/** Prints the notices of a load on standard error, after the server's label. */
export function printNotices({ notices }: LoadReport, label = ""): void {
  for (const notice of notices) printNotice(`${label}... ${notice}`);
}

/** Formats a load as lines of text. */
export function formatLoadReport({ libraries, modules, dryRun = false }: LoadReport): string[] {
  return [
    ...libraries.map((specifier) =>
      `... ${dryRun ? "would load" : "loading"} library module ${specifier}`
    ),
    ...modules.flatMap((module) => [
      `... ${describeOutcome(module, dryRun)} ${module.path}`,
      module.hash,
    ]),
  ];
}

function describeOutcome({ loaded, restored, rerun }: LoadOutcome, dryRun: boolean): string {
  if (rerun) return dryRun ? "would run again" : "running again";
  if (restored) return dryRun ? "would make current again" : "made current again";
  if (!loaded) return "already loaded";
  return dryRun ? "would load code object file" : "loading code object file";
}

/**
 * The size at which a batch of units is sent, in UTF-16 code units of text and source map: small
 * compared with the 64 MiB of a frame, and large enough not to slow the load down.
 */
const BATCH_LENGTH = 1024 * 1024;

/** The maximum size of a message, in UTF-16 code units. The rest of the frame is small. */
const MAX_LENGTH = MAX_MESSAGE - 4 * 1024 * 1024;

/**
 * Splits units into messages. The members of a cycle, which are adjacent, stay together.
 *
 * @throws {ModuleError} if a module, or a cycle, is too large for a message.
 */
export function* batches(units: Iterable<Unit>): Generator<Unit[]> {
  let batch: Unit[] = [];
  let length = 0;
  for (const unit of units) {
    const last = batch.at(-1);
    const isSameCycle = last?.cycle !== undefined && last.cycle.members.includes(unit.hash);
    const own = lengthOf(unit);
    if (length > 0 && !isSameCycle && (length >= BATCH_LENGTH || own >= BATCH_LENGTH)) {
      yield batch;
      batch = [];
      length = 0;
    }
    batch.push(unit);
    length += own;
    if (length > MAX_LENGTH) throw tooLarge(batch);
  }
  if (batch.length > 0) yield batch;
}

/** The size of a unit, in UTF-16 code units. Texts beyond Latin-1 take more bytes. */
function lengthOf({ text, mappings = "" }: Unit): number {
  return text.length + mappings.length;
}

function tooLarge(batch: Unit[]): ModuleError {
  const largest = batch.reduce((most, unit) => lengthOf(unit) > lengthOf(most) ? unit : most);
  const whole = batch.length > 1 ? ", with the modules that it imports in a cycle" : "";
  return new ModuleError(
    `is ${
      lengthOf(largest)
    } characters of JavaScript${whole}, and no more than ${MAX_LENGTH} can be ` +
      "shipped: read large data from a file at run time",
    { path: largest.path },
  );
}

/**
 * Checks the types of the module in `file`, a path or `file:` URL, and of its imports. A project
 * that does not map the runtime gets this one.
 *
 * @throws {EnsembleError} with Deno's message if they are wrong, or if there is no Deno to run.
 */
export async function checkTypes(file: string): Promise<void> {
  const { absolutePath } = await import("./module_reader.ts");
  const path = absolutePath(file);
  const { findProject } = await import("./project.ts");
  const { writeRuntimeMap } = await import("./runtime_module.ts");
  const { denoReason, findDeno, runDeno } = await import("../kit/deno_command.ts");
  const { importMap, directory = dirname(path) } = await findProject(path);
  const work = await Deno.makeTempDir({ prefix: "gxensemble-" });
  try {
    const args = ["check", "--quiet"];
    if (importMap.resolve(RUNTIME_MODULE, pathToFileURL(path).href) === undefined) {
      args.push(`--import-map=${await writeRuntimeMap(importMap, { directory: work })}`);
    }
    const { success, said } = await runDeno(await findDeno(), [...args, path], {
      cwd: directory,
      signal: new AbortController().signal,
    });
    if (!success) throw new EnsembleError(`type errors in ${path}:\n${denoReason(said)}`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
