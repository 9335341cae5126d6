/**
 * What stands around a unit where it runs: its `import.meta`, and its `import()` of other units.
 *
 * @module
 */
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { processTable, tableExpression } from "./process_table.ts";
import type { TextEdit } from "./text_edits.ts";
import { linkedUnit, type Unit } from "./unit.ts";

/** What a unit asks this process for while it runs. */
export interface Surroundings {
  /** Makes the `import.meta` of the unit out of that of its file. */
  describe(own: ImportMeta): ImportMeta;
  /** Imports the unit that a link of this one leads to. */
  import(target: string): Promise<unknown>;
}

/** A unit's text needs these to reach its surroundings. */
export interface SurroundingsAccess {
  /** What is replaced in the text, in its order. */
  edits: TextEdit[];
  /** A line to stand behind the text, or undefined when it asks for nothing. */
  declarations: string | undefined;
}

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
  const own = tableExpression("units");
  const declarations = [
    ...metas.length > 0
      ? [`function ${describe}() { return ${describe}.made ??= ${own}.describe(import.meta); }`]
      : [],
    ...imports.length > 0 ? [`function ${load}(target) { return ${own}.import(target); }`] : [],
  ];
  return {
    edits: [...metas, ...imports].sort((a, b) => a.start - b.start),
    declarations: declarations.join(" ") || undefined,
  };
}

/** The `import.meta` of a module in the author's file at `path`. */
export function authorMeta(path: string, own: ImportMeta): ImportMeta {
  const url = pathToFileURL(path).href;
  return Object.assign(Object.create(null), own, {
    url,
    filename: path,
    dirname: dirname(path),
    resolve: (specifier: string) =>
      /^\.{0,2}\//.test(specifier) ? new URL(specifier, url).href : own.resolve(specifier),
  });
}

/** A name of the same length as `name` that the text does not have. */
function unusedName(name: string, text: string): string {
  let unused = name;
  for (let number = 0; text.includes(unused); number++) {
    unused = name.slice(0, -String(number).length) + number;
  }
  return unused;
}
