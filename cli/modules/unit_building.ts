/**
 * Programs: a module and all it imports, made ready to be loaded into a server.
 *
 * @module
 */
import {
  applyEdits,
  editMappings,
  encodeMappings,
  ModuleError,
  type TextEdit,
} from "../../runtime/code/source_map.ts";
import {
  cycleSpecifier,
  hashCycle,
  hashUnit,
  type Link,
  type ModuleName,
  type NamedParts,
  type Unit,
  unitSpecifier,
} from "../../runtime/code/unit.ts";
import { eagerImports, strongComponents, unitTree } from "../../runtime/code/unit_graph.ts";
import type { LibraryImport, LoadRequest } from "../../runtime/code/unit_store.ts";
import { readModuleGraph } from "./module_graph.ts";
import { type GraphOptions, ModuleReader, type SourceModule } from "./module_reader.ts";

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
async function buildUnit(source: SourceModule, nameUnit: UnitNaming): Promise<Unit> {
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
function libraryImports(modules: Iterable<SourceModule>): LibraryImport[] {
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

/** A module that is to be loaded without what it imports. */
export class ForcedModule {
  /** The ids of the local modules that it imports, each once. */
  readonly imports: string[];
  readonly #source: SourceModule;

  private constructor(source: SourceModule) {
    this.#source = source;
    const modules = source.imports.flatMap(({ target }) =>
      target.kind === "local" ? [target.module] : []
    );
    const candidates = source.candidates.map(({ target }) => target.module);
    this.imports = [...new Set([...modules, ...candidates])];
  }

  /**
   * Reads the module in `file`, a path or `file:` URL.
   *
   * @throws {ModuleError} when it cannot be read, parsed or resolved.
   */
  static async read(file: string, options?: GraphOptions): Promise<ForcedModule> {
    const reader = await ModuleReader.open(file, options);
    return new ForcedModule(await reader.readEntry());
  }

  /**
   * Builds the program of this one module for a server that runs these hashes under module ids.
   *
   * @throws {ModuleError} at the import of a module that the server does not run.
   */
  async build(running: Map<string, string>): Promise<Program> {
    // What a computed import may lead to is what is there.
    const candidates = this.#source.candidates.filter(({ target }) => running.has(target.module));
    const unit = await buildUnit({ ...this.#source, candidates }, (module) => {
      const hash = running.get(module);
      if (hash !== undefined) return unitSpecifier(hash);
      const { location } = this.#source.imports.find(({ target }) =>
        target.kind === "local" && target.module === module
      )!;
      throw new ModuleError(`the server does not run ${module}: load without -f`, location);
    });
    return {
      entry: unit.hash,
      units: [unit],
      libraries: libraryImports([this.#source]),
      failures: this.#source.failures,
    };
  }
}

/** A canonical text, and the places in it that concern a server. */
interface CanonicalText
  extends
    Pick<Unit, "text" | "links" | "metaProperties" | "computedImports" | "workers" | "candidates"> {
  /** What was replaced in the module's own text. */
  edits: TextEdit[];
}

/** The specifier by which a local module is imported, given its module id. */
type UnitNaming = (module: string) => string;

/** Writes the canonical text of a module whose local imports are named by `nameUnit`. */
function canonicalText(source: SourceModule, nameUnit: UnitNaming): CanonicalText {
  const edits: TextEdit[] = [];
  const links: Link[] = [];
  // How much longer the text has become at each edit, for the places behind it.
  const shifts: { from: number; by: number }[] = [];
  const shifted = (position: number) =>
    position + (shifts.findLast(({ from }) => from <= position)?.by ?? 0);

  const replace = (start: number, end: number, specifier: string): number => {
    const from = shifted(start) + 1;
    edits.push({ start, end, replacement: `"${specifier}"` });
    shifts.push({ from: end, by: from + specifier.length + 1 - end });
    return from;
  };
  const places = [...source.imports, ...source.resolved].sort((a, b) => a.start - b.start);
  for (const place of places) {
    if (place.target === undefined) {
      replace(place.start, place.end, place.specifier);
      continue;
    }
    const { start, end, keyword, deferred, target, clauseEnd } = place;
    const local = target.kind === "local";
    const specifier = local ? nameUnit(target.module) : target.specifier;
    const from = replace(start, end, specifier);
    // An absolute library specifier means the same in every process and needs no link.
    if (local || !URL.canParse(specifier)) {
      links.push({
        start: from,
        end: from + specifier.length,
        target: specifier,
        ...keyword !== undefined && { keyword: shifted(keyword) },
        ...deferred && { deferred },
      });
    }
    // A unit that exports data is JavaScript.
    if (local && clauseEnd !== undefined) edits.push(blank(source.text, end, clauseEnd));
  }
  return {
    text: applyEdits(source.text, edits),
    links,
    metaProperties: source.metaProperties.map(([start, end]) => [shifted(start), shifted(end)]),
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
    edits,
  };
}

function blank(text: string, start: number, end: number): TextEdit {
  return { start, end, replacement: text.slice(start, end).replace(/\S/g, " ") };
}

/**
 * The modules of a graph in the order of their naming, what a module imports before it: each by itself,
 * or with the others of its cycle.
 */
function importComponents(graph: Map<string, SourceModule>): SourceModule[][] {
  return strongComponents(
    graph.values(),
    (source) => localImports(source).map((module) => graph.get(module)!),
  );
}

/** Whether a component is an import cycle; a module may also import itself. */
function isCycle(component: SourceModule[]): boolean {
  const [first, ...others] = component;
  return others.length > 0 || localImports(first!).includes(first!.module);
}

/** The modules of a cycle in the order that names them, wherever the cycle is entered. */
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

/** The ids of the author's modules that a module imports, in any way: its name covers them all. */
function localImports({ imports, candidates }: SourceModule): string[] {
  return [
    ...imports.flatMap(({ target }) => target.kind === "local" ? [target.module] : []),
    ...candidates.map(({ target }) => target.module),
  ];
}
