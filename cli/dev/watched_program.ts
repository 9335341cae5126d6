/**
 * A program under development: its modules as they are on disk, and what has become of them.
 *
 * @module
 */
import { ModuleError } from "../../runtime/code/source_map.ts";
import { findEntryPoint, ownServerId } from "../modules/entry_point.ts";
import { type ModuleGraph, readModuleGraph } from "../modules/module_graph.ts";
import { ModuleReader, openAnalyses } from "../modules/module_reader.ts";
import { buildUnits, type UnitTree } from "../modules/unit_building.ts";
import { ProgramNames } from "./live_changes.ts";

/** The modules of a program at one time. */
export interface ProgramVersion {
  /** The modules. */
  readonly graph: ModuleGraph;
  /** Their units. */
  readonly tree: UnitTree;
  /** The hash of each module with all that it imports, by module id. */
  readonly hashes: ReadonlyMap<string, string>;
  /** What their names are bound to. */
  readonly names: ProgramNames;
  /** Whether the top level is the program, rather than an exported `main`. */
  readonly isProgram: boolean;
  /** The id of the server that the program starts by itself, if it is written there. */
  readonly ownId: string | undefined;
}

/** What was read: a version, or why there is none. */
export type ProgramReading =
  | { readonly version: ProgramVersion; readonly error?: undefined }
  | { readonly version?: undefined; readonly error: ModuleError };

/** The modules of one entry module. */
export class WatchedProgram {
  /** The absolute path of the entry module. */
  readonly path: string;
  /** The files that it consists of, and those that it lacks. */
  files: ReadonlySet<string>;
  /** What was read last. */
  reading: ProgramReading | undefined;

  readonly #isCached: boolean;

  /**
   * Reads nothing yet.
   *
   * @param options.isCached whether to keep what was compiled in the state directory.
   */
  constructor(path: string, { isCached = true }: { isCached?: boolean } = {}) {
    this.path = path;
    this.#isCached = isCached;
    this.files = new Set([path]);
  }

  /** Reads it anew. */
  async read(): Promise<ProgramReading> {
    const files = new Set([this.path]);
    let reader: ModuleReader | undefined;
    try {
      const cache = this.#isCached ? await openAnalyses(this.path) : undefined;
      reader = await ModuleReader.open(this.path, { cache });
      const graph = await readModuleGraph(reader);
      const tree = await buildUnits(reader);
      const { exportsMain, usesRunProgram } = await findEntryPoint(reader);
      const version = {
        graph,
        tree,
        hashes: new Map(tree.units.map(({ module, hash }) => [module, hash])),
        names: await ProgramNames.of(graph),
        isProgram: !exportsMain || usesRunProgram,
        ownId: await ownServerId(reader),
      };
      await cache?.save();
      this.reading = { version };
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      files.add(error.location.path);
      // What it consisted of before may bring it back.
      for (const path of this.files) files.add(path);
      this.reading = { error };
    }
    for (const path of [...reader?.paths ?? [], ...reader?.project.files ?? []]) files.add(path);
    this.files = files;
    return this.reading;
  }
}

/** The paths of the files whose own text differs between two versions; of added and removed ones, too. */
export function changedFiles(before: ProgramVersion, after: ProgramVersion): string[] {
  const changed = new Set<string>();
  for (const [module, { text, path }] of after.graph) {
    if (before.graph.get(module)?.text !== text) changed.add(path);
  }
  for (const [module, { path }] of before.graph) if (!after.graph.has(module)) changed.add(path);
  return [...changed];
}

/** The ids of the modules that differ between two versions, by themselves or by what they import. */
export function replacedModules(before: ProgramVersion, after: ProgramVersion): Set<string> {
  const replaced = new Set<string>();
  for (const [module, hash] of after.hashes) {
    if (before.hashes.get(module) !== hash) replaced.add(module);
  }
  return replaced;
}

/** Whether two versions are the same to a server. */
export function isSameProgram(before: ProgramVersion, after: ProgramVersion): boolean {
  return before.tree.request.entry === after.tree.request.entry &&
    specifiers(before) === specifiers(after);
}

function specifiers({ tree }: ProgramVersion): string {
  return JSON.stringify(tree.request.libraries.map(({ specifier }) => specifier).sort());
}
