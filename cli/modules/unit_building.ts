/**
 * Builds module units: the canonical text of each, which is its JavaScript with imports named as
 * for a server, and its hash.
 *
 * @module
 */
import { EditedText } from "../../runtime/code/edited_text.ts";
import { ModuleError } from "../../runtime/code/source_map.ts";
import {
  cycleSpecifier,
  hashCycle,
  hashUnit,
  type Link,
  type ModuleName,
  type Unit,
  unitSpecifier,
} from "../../runtime/code/unit.ts";
import { eagerImports, hashesBelow } from "../../runtime/code/unit_graph.ts";
import type { LibraryImport, LoadRequest } from "../../runtime/code/unit_store.ts";
import {
  importComponents,
  importLevels,
  isCycle,
  localImports,
  readModuleGraph,
  requiredModules,
} from "./module_graph.ts";
import type { ModuleReader, SourceModule } from "./module_reader.ts";

/** A module and all that it imports, in the form that servers load. */
export interface UnitTree {
  /**
   * The local modules, without source maps. Except in cycles, each comes after those that it
   * imports.
   */
  units: Unit[];
  /** Adds the source map to a unit. It takes time, and only servers that lack the unit need it. */
  mapped(unit: Unit): Unit;
  /** The request that loads the units in a server that has them. */
  request: Omit<LoadRequest, "by">;
  /** Errors of dynamically imported modules; the `import()` fails with them when it runs. */
  failures: ModuleError[];
}

/** Options of {@linkcode buildUnits}. */
export interface BuildOptions {
  /** Called with the number of modules read so far, after each. */
  onRead?: (count: number) => void;
  /**
   * Returns the hashes that are current in a server for module ids. If given, only the entry is
   * built, linked to those.
   */
  running?: (modules: string[]) => Promise<ReadonlyMap<string, string>>;
}

/**
 * Builds the units of a reader's entry module and of all that it imports.
 *
 * @throws {ModuleError} at the file and line that cannot be read, parsed, resolved or shipped; with
 * `running`, also at the import of a module that the server has not loaded.
 */
export async function buildUnits(
  reader: ModuleReader,
  { onRead, running }: BuildOptions = {},
): Promise<UnitTree> {
  if (running) return await buildAlone(await reader.readEntry(), running);
  const graph = await readModuleGraph(reader, onRead);
  const built = new Map<string, BuiltUnit>();
  const nameUnit: UnitNaming = (module) => unitSpecifier(built.get(module)!.unit.hash);
  const components = importComponents(graph);
  // Hashing them one after the other would take longer, since each hash waits for a thread.
  for (const level of importLevels(components)) {
    const together = await Promise.all(
      level.map(async (component) =>
        isCycle(component)
          ? await buildCycle(component, nameUnit)
          : [await buildUnit(component[0]!, nameUnit)]
      ),
    );
    for (const each of together.flat()) built.set(each.unit.module, each);
  }
  const [entry] = graph.keys();
  const all = components.flatMap(orderCycle).map(({ module }) => built.get(module)!.unit);
  return {
    units: all,
    mapped: (unit) => withMap(built.get(unit.module)!),
    request: {
      entry: built.get(entry!)!.unit.hash,
      modules: all.map(nameOf),
      libraries: libraryImports(requiredModules(graph)),
    },
    failures: [...graph.values()].flatMap(({ failures }) => failures),
  };
}

function nameOf({ module, path, hash }: Unit): ModuleName {
  return { module, path, hash };
}

/** The subtrees of the modules that a tree's entry imports statically, in the order of its text. */
export function treesBelow(tree: UnitTree): UnitTree[] {
  const byHash = new Map(tree.units.map((unit) => [unit.hash, unit]));
  const first = byHash.get(tree.request.entry)!;
  const own = first.cycle?.members ?? [];
  return eagerImports(first).filter((hash) => !own.includes(hash)).map((hash) => {
    const below = hashesBelow(hash, byHash);
    const units = tree.units.filter((unit) => below.has(unit.hash));
    const request = { ...tree.request, entry: hash, modules: units.map(nameOf) };
    return { ...tree, units, request };
  });
}

/** Returns the specifier that imports a local module, by its module id. */
type UnitNaming = (module: string) => string;

/** A unit without its source map, and what that map is made of. */
interface BuiltUnit {
  unit: Unit;
  source: SourceModule;
  code: EditedText;
}

function withMap({ unit, source: { mappings }, code }: BuiltUnit): Unit {
  return mappings === undefined ? unit : { ...unit, mappings: code.mappings(mappings) };
}

/** Builds the unit of a module that is in no cycle. */
async function buildUnit(source: SourceModule, nameUnit: UnitNaming): Promise<BuiltUnit> {
  const { parts, code } = canonicalUnit(source, nameUnit);
  return { unit: { ...parts, hash: await hashUnit(parts) }, source, code };
}

async function buildCycle(component: SourceModule[], nameUnit: UnitNaming): Promise<BuiltUnit[]> {
  const order = orderCycle(component);
  const naming = cycleNaming(order, nameUnit);
  const built = order.map((source) => ({ source, ...canonicalUnit(source, naming) }));
  const members = await hashCycle(built.map(({ parts }) => parts));
  return built.map(({ source, parts, code }, index) => ({
    unit: { ...parts, hash: members[index]!, cycle: { members, index } },
    source,
    code,
  }));
}

/** Builds a single module, for a forced load. */
async function buildAlone(
  source: SourceModule,
  running: NonNullable<BuildOptions["running"]>,
): Promise<UnitTree> {
  const hashes = await running([...new Set(localImports(source))]);
  // A computed import can only lead to modules that the server has.
  const candidates = source.candidates.filter(({ target }) => hashes.has(target.module));
  const built = await buildUnit({ ...source, candidates }, (module) => {
    const hash = hashes.get(module);
    if (hash !== undefined) return unitSpecifier(hash);
    const { locate } = source.imports.find(({ target }) =>
      target.kind === "local" && target.module === module
    )!;
    throw new ModuleError(`the server has not loaded ${module}: load without -f`, locate());
  });
  const { unit } = built;
  return {
    units: [unit],
    mapped: () => withMap(built),
    request: { entry: unit.hash, modules: [nameOf(unit)], libraries: libraryImports([source]) },
    failures: source.failures,
  };
}

/** The unit of a module without its hash, given the names of its local imports. */
function canonicalUnit(
  source: SourceModule,
  nameUnit: UnitNaming,
): { parts: Omit<Unit, "hash">; code: EditedText } {
  const { module, path, pauses } = source;
  const code = new EditedText(source.text);
  for (const { start, end, specifier } of source.resolved) {
    code.replace(start, end, `"${specifier}"`);
  }
  const named = source.imports.map((found) => {
    const { start, end, clauseEnd, target } = found;
    const specifier = target.kind === "local" ? nameUnit(target.module) : target.specifier;
    code.replace(start, end, `"${specifier}"`);
    // A unit that exports data is JavaScript, so it is imported without attributes.
    if (target.kind === "local" && clauseEnd !== undefined) {
      code.replace(end, clauseEnd, source.text.slice(end, clauseEnd).replace(/\S/g, " "));
    }
    return { found, specifier };
  });
  const shifted = (position: number) => code.shifted(position);
  const links: Link[] = [];
  for (const { found: { start, keyword, deferred, target }, specifier } of named) {
    // An absolute library specifier means the same in every process and needs no link.
    if (target.kind !== "local" && URL.canParse(specifier)) continue;
    const from = shifted(start) + 1;
    links.push({
      start: from,
      end: from + specifier.length,
      target: specifier,
      ...keyword !== undefined && { keyword: shifted(keyword) },
      ...deferred && { deferred },
    });
  }
  const parts = {
    module,
    path,
    text: code.toString(),
    links,
    metaProperties: source.metaProperties.map(([start, end]): [number, number] => [
      shifted(start),
      shifted(end),
    ]),
    ...source.computedImports.length > 0 && {
      computedImports: source.computedImports.map(shifted),
    },
    ...source.workers.length > 0 && { workers: source.workers.map(shifted) },
    ...source.candidates.length > 0 && {
      candidates: source.candidates.map(({ specifier, type, target }) => ({
        specifier,
        ...type !== undefined && { type },
        target: nameUnit(target.module),
      })),
    },
    pauses,
  };
  return { parts, code };
}

/** The library modules that these modules import, without duplicates, at their first import. */
function libraryImports(modules: Iterable<SourceModule>): LibraryImport[] {
  const libraries = new Map<string, LibraryImport>();
  for (const { imports } of modules) {
    for (const { target, keyword, deferred, attributes, locate } of imports) {
      if (target.kind === "local" || libraries.has(target.specifier)) continue;
      // The module decides when, and whether, to import an absolute specifier dynamically.
      if ((keyword !== undefined || deferred) && URL.canParse(target.specifier)) continue;
      const { specifier } = target;
      libraries.set(specifier, {
        specifier,
        importer: locate(),
        ...(attributes && { attributes }),
      });
    }
  }
  return [...libraries.values()];
}

/** Puts the modules of a cycle in a canonical order, independent of where the cycle is entered. */
function orderCycle(component: SourceModule[]): SourceModule[] {
  return component.toSorted((a, b) => a.module < b.module ? -1 : 1);
}

/** Names a member of an ordered cycle by its position, and any other module by `nameUnit`. */
function cycleNaming(order: SourceModule[], nameUnit: UnitNaming): UnitNaming {
  const positions = new Map(order.map(({ module }, index) => [module, index]));
  return (module) => {
    const position = positions.get(module);
    return position === undefined ? nameUnit(module) : cycleSpecifier(position);
  };
}
