/**
 * Programs: a module and all it imports, made ready to be loaded into a server.
 *
 * @module
 */
import {
  hashCycle,
  hashUnit,
  type ModuleName,
  type NamedParts,
  type Unit,
  unitSpecifier,
} from "../../runtime/code/unit.ts";
import { eagerImports, unitTree } from "../../runtime/code/unit_tree.ts";
import { editMappings, encodeMappings } from "../../runtime/code/source_map.ts";
import type { ModuleError } from "../../runtime/code/module_error.ts";
import type { LibraryImport, LoadRequest } from "../../runtime/code/unit_store.ts";
import { type CanonicalText, canonicalText, type UnitNaming } from "./canonical_text.ts";
import {
  cycleNaming,
  type GraphOptions,
  importComponents,
  isCycle,
  ModuleReader,
  orderCycle,
  readModuleGraph,
  type SourceModule,
} from "./module_graph.ts";

/** A program in the form that servers load. */
export interface Program {
  /** The hash of the module asked for. */
  entry: string;
  /** The author's modules; what a module imports stands before it, outside cycles. */
  units: Unit[];
  /** The library modules that they import, each once. */
  libraries: LibraryImport[];
  /** What is wrong with modules that an `import()` leads to: it fails when it runs. */
  failures: ModuleError[];
}

/** Options of {@linkcode buildProgram}. */
export interface ProgramOptions extends GraphOptions {
  /** Told how many modules have been read, after each. */
  onRead?: (count: number) => void;
}

/**
 * Builds the program of the module in `file`, a path or `file:` URL.
 *
 * @throws {ModuleError} at the file and line that cannot be read, parsed, resolved or shipped.
 */
export async function buildProgram(file: string, options: ProgramOptions = {}): Promise<Program> {
  return await assembleProgram(
    await readModuleGraph(await ModuleReader.open(file, options), options.onRead),
  );
}

/** Builds the program of the modules that were read, by module id, the one asked for first. */
export async function assembleProgram(graph: Map<string, SourceModule>): Promise<Program> {
  const [entry] = graph.keys();
  const units = new Map<string, Unit>();
  const nameUnit: UnitNaming = (module) => unitSpecifier(units.get(module)!.hash);
  for (const component of importComponents(graph)) {
    const built = isCycle(component)
      ? await buildCycle(component, nameUnit)
      : [await buildUnit(component[0]!, nameUnit)];
    for (const unit of built) units.set(unit.module, unit);
  }
  return {
    entry: units.get(entry!)!.hash,
    units: [...units.values()],
    libraries: libraryImports(requiredModules(graph)),
    failures: [...graph.values()].flatMap(({ failures }) => failures),
  };
}

/** The request of `by`, a `user@host`, that loads a program into a server that has its units. */
export function loadRequest({ entry, units, libraries }: Program, by: string): LoadRequest {
  const modules = units.map(({ module, path, hash }): ModuleName => ({ module, path, hash }));
  return { entry, modules, libraries, by };
}

/** The programs that the first module of a program imports by statements, in the order of its text. */
export function programsBelow(program: Program): Program[] {
  const { entry, units } = program;
  const byHash = new Map(units.map((unit) => [unit.hash, unit]));
  const first = byHash.get(entry)!;
  const own = first.cycle?.members ?? [];
  return eagerImports(first).filter((hash) => !own.includes(hash)).map((hash) => {
    const tree = unitTree(hash, byHash);
    return { ...program, entry: hash, units: units.filter((unit) => tree.has(unit.hash)) };
  });
}

/** Builds the unit of a module that is in no cycle. */
export async function buildUnit(source: SourceModule, nameUnit: UnitNaming): Promise<Unit> {
  const canonical = canonicalText(source, nameUnit);
  return makeUnit(source, canonical, await hashUnit(namedParts(source, canonical)));
}

/**
 * The modules of a graph that its first one needs in any case: what `import()` and workers may need is found
 * when they do.
 */
function requiredModules(graph: Map<string, SourceModule>): Set<SourceModule> {
  const [entry] = graph.values();
  const required = new Set([entry!]);
  // A set gives what is added while it is gone through.
  for (const { imports } of required) {
    for (const { target, keyword } of imports) {
      if (target.kind === "local" && keyword === undefined) required.add(graph.get(target.module)!);
    }
  }
  return required;
}

/** The library modules that these modules import, each once, at its first import. */
export function libraryImports(modules: Iterable<SourceModule>): LibraryImport[] {
  const libraries = new Map<string, LibraryImport>();
  for (const { imports } of modules) {
    for (const { target, keyword, deferred, attributes, location } of imports) {
      if (target.kind === "local" || libraries.has(target.specifier)) continue;
      // The module decides when, and whether, to import an absolute specifier dynamically.
      if ((keyword !== undefined || deferred) && URL.canParse(target.specifier)) continue;
      const { specifier } = target;
      libraries.set(specifier, {
        specifier,
        importer: location,
        ...(attributes && { attributes }),
      });
    }
  }
  return [...libraries.values()];
}

async function buildCycle(component: SourceModule[], nameUnit: UnitNaming): Promise<Unit[]> {
  const order = orderCycle(component);
  const naming = cycleNaming(order, nameUnit);
  const texts = order.map((source) => canonicalText(source, naming));
  const parts = order.map((source, index) => namedParts(source, texts[index]!));
  const members = await hashCycle(parts);
  return order.map((source, index) => ({
    ...makeUnit(source, texts[index]!, members[index]!),
    cycle: { members, index },
  }));
}

function namedParts({ module, path }: SourceModule, canonical: CanonicalText): NamedParts {
  return { module, path, ...canonical };
}

function makeUnit(source: SourceModule, canonical: CanonicalText, hash: string): Unit {
  const { edits, ...text } = canonical;
  const { module, path, mappings, pauses } = source;
  return {
    hash,
    module,
    path,
    ...text,
    pauses,
    ...mappings && { mappings: encodeMappings(editMappings(mappings, source.text, edits)) },
  };
}
