/**
 * Programs: a module and all it imports, made ready to be loaded into a server.
 *
 * @module
 */
import {
  hashCycle,
  hashText,
  type ModuleName,
  type Unit,
  unitSpecifier,
} from "../../runtime/code/unit.ts";
import type { LibraryImport, LoadRequest } from "../../runtime/code/unit_store.ts";
import { canonicalText, type UnitNaming } from "./canonical_text.ts";
import { cycleNaming, importComponents, isCycle, orderCycle } from "./cycles.ts";
import {
  type GraphOptions,
  ModuleReader,
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
}

/**
 * Builds the program of the module in `file`, a path or `file:` URL.
 *
 * @throws {ModuleError} at the file and line that cannot be read, parsed, resolved or shipped.
 */
export async function buildProgram(file: string, options?: GraphOptions): Promise<Program> {
  const reader = await ModuleReader.open(file, options);
  const graph = await readModuleGraph(reader);
  const units = new Map<string, Unit>();
  const nameUnit: UnitNaming = (path) => unitSpecifier(units.get(path)!.hash);
  for (const component of importComponents(graph)) {
    const built = isCycle(component)
      ? await buildCycle(component, nameUnit)
      : [await buildUnit(component[0]!, nameUnit)];
    for (const unit of built) units.set(unit.path, unit);
  }
  return {
    entry: units.get(reader.entry)!.hash,
    units: [...units.values()],
    libraries: libraryImports(graph.values()),
  };
}

/** The request that loads a program into a server that has all its units but the `missing` hashes. */
export function loadRequest(program: Program, missing: string[]): LoadRequest {
  const { entry, units, libraries } = program;
  const wanted = new Set(missing);
  return {
    entry,
    modules: units.map(({ module, path, hash }): ModuleName => ({ module, path, hash })),
    units: units.filter(({ hash }) => wanted.has(hash)),
    libraries,
  };
}

/** Builds the unit of a module that is in no cycle. */
export async function buildUnit(source: SourceModule, nameUnit: UnitNaming): Promise<Unit> {
  const { text, links } = canonicalText(source, nameUnit);
  const { module, path, lines } = source;
  return { hash: await hashText(text), module, path, text, links, ...(lines && { lines }) };
}

/** The library modules that these modules import, each once, at its first import. */
export function libraryImports(modules: Iterable<SourceModule>): LibraryImport[] {
  const libraries = new Map<string, LibraryImport>();
  for (const { imports } of modules) {
    for (const { target, dynamic, attributes, location } of imports) {
      if (target.kind === "local" || libraries.has(target.specifier)) continue;
      // The module decides when, and whether, to import an absolute specifier dynamically.
      if (dynamic && URL.canParse(target.specifier)) continue;
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
  const order = await orderCycle(component, nameUnit);
  const naming = cycleNaming(order, nameUnit);
  const texts = order.map((module) => canonicalText(module, naming));
  const members = await hashCycle(texts.map(({ text }) => text));
  return order.map(({ module, path, lines }, index) => ({
    hash: members[index]!,
    module,
    path,
    ...texts[index]!,
    cycle: { members, index },
    ...(lines && { lines }),
  }));
}
