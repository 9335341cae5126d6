/**
 * The module graph of a program: the author's modules, and what they import.
 *
 * @module
 */
import { ModuleError } from "../../runtime/code/source_map.ts";
import { strongComponents } from "../../runtime/code/unit_graph.ts";
import type {
  Locate,
  ModuleReader,
  ModuleTarget,
  ResolvedImport,
  SourceModule,
} from "./module_reader.ts";

/** The modules of a program by module id, the entry first. */
export type ModuleGraph = ReadonlyMap<string, SourceModule>;

/**
 * Reads all modules of a program, by module id, the entry first. Calls `onRead` with their number
 * after each.
 *
 * A module that only `import()` or a worker refers to may be unusable: it then fails when it is
 * imported.
 *
 * @throws {ModuleError} as {@linkcode ModuleReader.read} does.
 */
export async function readModuleGraph(
  reader: ModuleReader,
  onRead?: (count: number) => void,
): Promise<ModuleGraph> {
  const graph = new Map<string, SourceModule>();
  const pending: Pick<ResolvedImport, "target" | "locate">[] = [];
  const candidates: Pick<ResolvedImport, "target" | "locate">[] = [];
  const add = (source: SourceModule): void => {
    graph.set(source.module, source);
    onRead?.(graph.size);
    // Reversed, so that the stack yields them in the order of the text.
    const late = (each: ResolvedImport) => each.keyword !== undefined;
    pending.push(...source.imports.filter((each) => !late(each)).toReversed());
    candidates.push(...source.imports.filter(late), ...source.candidates);
  };
  const readPending = async (
    read: (target: ModuleTarget, locate: Locate) => Promise<SourceModule>,
  ): Promise<void> => {
    for (let next = pending.pop(); next; next = pending.pop()) {
      const { target, locate } = next;
      if (target.kind === "library" || graph.has(target.module)) continue;
      add(await read(target, locate));
    }
  };
  add(await reader.readEntry());
  await readPending((target, locate) => reader.read(target, locate));
  for (let next = candidates.pop(); next; next = candidates.pop()) {
    pending.push(next);
    await readPending(async (target, locate) => {
      try {
        return await reader.read(target, locate);
      } catch (error) {
        if (error instanceof ModuleError) return failingModule(target, error);
        throw error;
      }
    });
  }
  return graph;
}

/**
 * The strongly connected components of a graph, each after those that it imports: single modules,
 * or cycles.
 */
export function importComponents(graph: ModuleGraph): SourceModule[][] {
  return strongComponents(
    graph.values(),
    (source) => localImports(source).map((module) => graph.get(module)!),
  );
}

/**
 * Components by level, from {@linkcode importComponents}: those of a level import only those of the
 * levels before it.
 */
export function importLevels(components: readonly SourceModule[][]): SourceModule[][][] {
  const levels: SourceModule[][][] = [];
  const levelOf = new Map<string, number>();
  for (const component of components) {
    const imported = component.flatMap(localImports).map((module) => levelOf.get(module) ?? -1);
    const level = imported.reduce((most, each) => Math.max(most, each), -1) + 1;
    (levels[level] ??= []).push(component);
    for (const { module } of component) levelOf.set(module, level);
  }
  return levels;
}

/** Whether a component is an import cycle; a module may also import itself. */
export function isCycle(component: SourceModule[]): boolean {
  const [first, ...others] = component;
  return others.length > 0 || localImports(first!).includes(first!.module);
}

/** The modules of a graph that its entry needs without `import()` and workers. */
export function requiredModules(graph: ModuleGraph): Set<SourceModule> {
  const [entry] = graph.values();
  const required = new Set([entry!]);
  // A set's iteration includes elements that are added during it.
  for (const { imports } of required) {
    for (const { target, keyword } of imports) {
      if (target.kind === "local" && keyword === undefined) required.add(graph.get(target.module)!);
    }
  }
  return required;
}

/** The ids of all local modules that a module imports in any way. Its hash covers them. */
export function localImports({ imports, candidates }: SourceModule): string[] {
  return [
    ...imports.flatMap(({ target }) => target.kind === "local" ? [target.module] : []),
    ...candidates.map(({ target }) => target.module),
  ];
}

/**
 * The specifiers of optional modules that are missing, as far as the program imports them
 * dynamically. Empty if the program cannot be read.
 */
export async function findDanglingImports(reader: ModuleReader): Promise<string[]> {
  try {
    const sources = [...(await readModuleGraph(reader)).values()];
    const leading = new Set(
      sources.flatMap(({ imports }) => imports.map(({ specifier }) => specifier)),
    );
    const dangling = new Set(sources.flatMap((source) => source.dangling));
    return [...dangling.difference(leading)];
  } catch (error) {
    if (error instanceof ModuleError) return [];
    throw error;
  }
}

/** A module that throws the reason why it could not be shipped, as in Deno. */
function failingModule({ module, path, type }: ModuleTarget, error: ModuleError): SourceModule {
  const message = JSON.stringify(error.message);
  const thrown = type === "json"
    ? `new SyntaxError(${message})`
    : `Object.assign(new TypeError(${message}), { code: "ERR_MODULE_NOT_FOUND" })`;
  return {
    text: `throw ${thrown};\n`,
    module,
    path,
    imports: [],
    metaProperties: [],
    computedImports: [],
    workers: [],
    candidates: [],
    resolved: [],
    failures: [error],
    dangling: [],
    pauses: false,
  };
}
