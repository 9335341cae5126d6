/**
 * What stands around a unit where it runs: its `import.meta`, and its `import()` of other modules.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { processTable, tableExpression } from "./library_table.ts";
import type { TextEdit } from "./source_map.ts";
import { type Candidate, linkedUnit, type ModuleName, type Unit } from "./unit.ts";

/** What a unit asks this process for while it runs. */
export interface Surroundings {
  /** Makes the `import.meta` of the unit out of that of its file. */
  describe(own: ImportMeta): ImportMeta;
  /** Imports the unit that a link of this one leads to. */
  import(target: string): Promise<unknown>;
  /** What a worker is started with that `url` leads to. */
  worker(url: unknown): unknown;
  /** Imports what a computed specifier leads to. */
  importComputed(specifier: unknown, options?: ImportCallOptions): Promise<unknown>;
}

/** A unit's text needs these to reach its surroundings. */
export interface SurroundingsAccess {
  /** What is replaced in the text, in its order. */
  edits: TextEdit[];
  /** A line to stand behind the text, or undefined when it asks for nothing. */
  declarations: string | undefined;
}

/** What relative specifiers start with, and those that are paths. */
const RELATIVE = /^\.{0,2}\//;

const surroundings = processTable<Surroundings>("units");

/** Gives the unit that is imported from `fileUrl` its surroundings. */
export function surround(fileUrl: string, own: Surroundings): void {
  surroundings.set(fileUrl, own);
}

/**
 * How a unit reaches its surroundings. The functions that stand in for `import.meta` and for the
 * keyword of `import()` are as long as these are, so columns stay, and are declared behind the text, so
 * lines do too; as function declarations they are there before anything runs, in a cycle also.
 */
export function accessSurroundings(unit: Unit): SurroundingsAccess {
  const describe = unusedName("unit$meta", unit.text);
  const load = unusedName("load$$", unit.text);
  const metas = unit.metaProperties.map(([start, end]): TextEdit => ({
    start,
    end,
    // Written over several lines it is still as many.
    replacement: `${describe}()${unit.text.slice(start, end).replace(/[^\r\n\u2028\u2029]/g, "")}`,
  }));
  const imports = unit.links.flatMap(({ keyword, target }): TextEdit[] => {
    if (keyword === undefined || linkedUnit(unit, target) === undefined) return [];
    return [{ start: keyword, end: keyword + "import".length, replacement: load }];
  });
  const find = unusedName("find$$", unit.text);
  const start = unusedName("work$$", unit.text);
  const { computedImports: computed = [], workers = [] } = unit;
  const own = tableExpression("units");
  const declarations = [
    ...metas.length > 0
      ? [`function ${describe}() { return ${describe}.made ??= ${own}.describe(import.meta); }`]
      : [],
    ...imports.length > 0 ? [`function ${load}(target) { return ${own}.import(target); }`] : [],
    ...computed.length > 0
      ? [`function ${find}(...found) { return ${own}.importComputed(...found); }`]
      : [],
    ...workers.length > 0
      ? [`function ${start}(url, options) { return new Worker(${own}.worker(url), options); }`]
      : [],
  ];
  const replaced = (length: number, replacement: string) => (start: number): TextEdit => ({
    start,
    end: start + length,
    replacement,
  });
  const others = [
    ...computed.map(replaced("import".length, find)),
    ...workers.map(replaced("Worker".length, start)),
  ];
  return {
    edits: [...metas, ...imports, ...others].sort((a, b) => a.start - b.start),
    declarations: declarations.join(" ") || undefined,
  };
}

/** The `import.meta` of a module where its author has it. */
export function authorMeta(
  { path, module }: ModuleName,
  { own, main }: { own: ImportMeta; main: boolean },
): ImportMeta {
  // A module id may go on where the path ends, with a query.
  const name = basename(path);
  const url = pathToFileURL(path).href + module.slice(module.lastIndexOf(name) + name.length);
  return Object.assign(Object.create(null), own, {
    main,
    url,
    filename: path,
    dirname: dirname(path),
    resolve: (specifier: string) =>
      RELATIVE.test(specifier) ? new URL(specifier, url).href : own.resolve(specifier),
  });
}

/**
 * What a computed specifier means in the author's file at `path`: one of the candidates, or else a
 * specifier for this process to import.
 *
 * @throws {TypeError} as Deno does for a module that is not there, when it is relative and none of the candidates.
 */
export function findComputed(
  unit: Unit,
  specifier: unknown,
  options?: ImportCallOptions,
): { candidate: Candidate } | { specifier: string } {
  const text = String(specifier);
  const base = pathToFileURL(unit.path);
  const isRelative = RELATIVE.test(text);
  const url = isRelative ? new URL(text, base) : URL.parse(text);
  const candidate = unit.candidates?.find((each) =>
    (each.specifier === text ||
      RELATIVE.test(each.specifier) && new URL(each.specifier, base).href === url?.href) &&
    each.type === options?.with?.type
  );
  if (candidate) return { candidate };
  if (!isRelative) return { specifier: text };
  const error = new TypeError(
    `${unit.path}: import(${
      JSON.stringify(text)
    }) leads to a module that is not there, or was not ` +
      "shipped: of a local module, write the specifier out, or as a template that starts with its " +
      "directory, as in import(`./pages/${name}.ts`)",
  );
  throw Object.assign(error, { code: "ERR_MODULE_NOT_FOUND" });
}

/** A name of the same length as `name` that the text does not have. */
export function unusedName(name: string, text: string): string {
  let unused = name;
  for (let number = 0; text.includes(unused); number++) {
    unused = name.slice(0, -String(number).length) + number;
  }
  return unused;
}
