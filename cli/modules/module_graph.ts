/**
 * The module graph of a program: the author's modules, and what they import.
 *
 * @module
 */
import { ModuleError, type SourceLocation } from "../../runtime/code/source_map.ts";
import type { ModuleReader, ModuleTarget, ResolvedImport, SourceModule } from "./module_reader.ts";

/**
 * Reads all modules of a program, by module id, the entry first. `onRead` is told how many they are so
 * far, after each.
 *
 * What only `import()` and workers lead to may turn out to be unusable: it fails when it is imported, not
 * before.
 *
 * @throws {ModuleError} as {@linkcode ModuleReader.read} does.
 */
export async function readModuleGraph(
  reader: ModuleReader,
  onRead?: (count: number) => void,
): Promise<Map<string, SourceModule>> {
  const graph = new Map<string, SourceModule>();
  const pending: Pick<ResolvedImport, "target" | "location">[] = [];
  const candidates: Pick<ResolvedImport, "target" | "location">[] = [];
  const add = (source: SourceModule): void => {
    graph.set(source.module, source);
    onRead?.(graph.size);
    // Reversed, for the stack to give them back in the order of the text.
    const late = (each: ResolvedImport) => each.keyword !== undefined;
    pending.push(...source.imports.filter((each) => !late(each)).toReversed());
    candidates.push(...source.imports.filter(late), ...source.candidates);
  };
  const readPending = async (
    read: (target: ModuleTarget, location: SourceLocation) => Promise<SourceModule>,
  ): Promise<void> => {
    for (let next = pending.pop(); next; next = pending.pop()) {
      const { target, location } = next;
      if (target.kind === "library" || graph.has(target.module)) continue;
      add(await read(target, location));
    }
  };
  add(await reader.readEntry());
  await readPending((target, location) => reader.read(target, location));
  for (let next = candidates.pop(); next; next = candidates.pop()) {
    pending.push(next);
    await readPending(async (target, location) => {
      try {
        return await reader.read(target, location);
      } catch (error) {
        if (error instanceof ModuleError) return failingModule(target, error);
        throw error;
      }
    });
  }
  return graph;
}

/**
 * The specifiers by which a program imports late what is not there, as optional modules are, and nothing that is;
 * none where the program cannot be read.
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

/** A module that fails with the reason why it could not be shipped, as in Deno. */
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
