/**
 * What stands around a unit where it runs: its `import.meta`, and its `import()` of other modules.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { processTable, tableExpression } from "./library_table.ts";
import { applyEdits, decodeMappings, editMappings, type TextEdit } from "./source_map.ts";
import { type Candidate, linkedUnit, type ModuleName, type Unit } from "./unit.ts";
import { fileStem, type UnitFiles } from "./unit_files.ts";
import { type Units, unitTree } from "./unit_graph.ts";

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

/** Writes the modules of workers; each once. */
export class WorkerFiles {
  readonly #units: Units;
  readonly #files: UnitFiles;
  readonly #written = new Map<string, Promise<void>>();
  readonly #names = new Map<string, string>();

  /** Nothing is written yet, of these `units`; the map may grow. */
  constructor(units: Units, files: UnitFiles) {
    this.#units = units;
    this.#files = files;
  }

  /** Writes a unit and all below it; gives the URL by which a worker starts with it. */
  async write(hash: string): Promise<string> {
    const tree = [...unitTree(hash, this.#units)].map((each) => this.#units.get(each)!);
    // All names first: the units may import each other in a cycle.
    const fresh = tree.filter((unit) => !this.#names.has(unit.hash));
    for (const unit of fresh) {
      const stem = `worker-${fileStem(unit.module)}-${unit.hash}`;
      this.#names.set(unit.hash, this.#files.reserve(stem, unit.path));
    }
    for (const unit of fresh) this.#written.set(unit.hash, this.#writeUnit(unit));
    await Promise.all(tree.map((unit) => this.#written.get(unit.hash)));
    return this.url(hash);
  }

  /** The URL of a unit that has been written. */
  url(hash: string): string {
    return this.#files.url(this.#names.get(hash)!);
  }

  async #writeUnit(unit: Unit): Promise<void> {
    const edits: TextEdit[] = unit.links.flatMap(({ start, end, target }) => {
      const hash = linkedUnit(unit, target);
      return hash === undefined ? [] : [{ start, end, replacement: `./${this.#names.get(hash)}` }];
    });
    const { edits: own, declarations } = this.#ownSurroundings(unit);
    edits.push(...own);
    edits.sort((a, b) => a.start - b.start);
    await this.#files.write(
      this.#names.get(unit.hash)!,
      `${applyEdits(unit.text, edits)}\n${declarations}`,
      unit.mappings === undefined
        ? undefined
        : editMappings(decodeMappings(unit.mappings), unit.text, edits),
    );
  }

  /** What stands around a unit in a worker, as in {@linkcode accessSurroundings}, but in the file itself. */
  #ownSurroundings(unit: Unit): { edits: TextEdit[]; declarations: string } {
    const { text, path, metaProperties, computedImports = [], workers = [] } = unit;
    const [describe, find, start] = ["unit$meta", "find$$", "work$$"]
      .map((name) => unusedName(name, text)) as [string, string, string];
    const { href } = pathToFileURL(path);
    const meta = { url: href, filename: path, dirname: dirname(path) };
    const files = Object.fromEntries(
      (unit.candidates ?? []).map(({ specifier, type = "", target }) => [
        `${type} ${new URL(specifier, href).href}`,
        `./${this.#names.get(linkedUnit(unit, target)!)}`,
      ]),
    );
    const lookUp = `const url = /^\\.{0,2}\\//.test(String(specifier)) ` +
      `? new URL(specifier, ${JSON.stringify(href)}).href : String(specifier); ` +
      `const file = ${JSON.stringify(files)}`;
    return {
      edits: [
        ...metaProperties.map(([from, end]) => ({
          start: from,
          end,
          replacement: `${describe}()${text.slice(from, end).replace(/[^\r\n\u2028\u2029]/g, "")}`,
        })),
        ...computedImports.map((at) => edit(at, "import", find)),
        ...workers.map((at) => edit(at, "Worker", start)),
      ],
      declarations: [
        ...metaProperties.length > 0
          ? [
            `function ${describe}() { return ${describe}.made ??= Object.assign(` +
            `Object.create(null), import.meta, ${
              JSON.stringify(meta)
            }, { resolve: (specifier) => ` +
            `/^\\.{0,2}\\//.test(specifier) ? new URL(specifier, ${JSON.stringify(href)}).href ` +
            `: import.meta.resolve(specifier) }); }`,
          ]
          : [],
        ...computedImports.length > 0
          ? [
            `function ${find}(specifier, options) { ${lookUp}` +
            `[(options?.with?.type ?? "") + " " + url]; ` +
            `return file ? import(file) : import(url, options); }`,
          ]
          : [],
        ...workers.length > 0
          ? [
            `function ${start}(specifier, options) { ${lookUp}["worker " + url]; ` +
            `return new Worker(file ? new URL(file, import.meta.url) : specifier, options); }`,
          ]
          : [],
      ].join(" "),
    };
  }
}

function edit(start: number, written: string, replacement: string): TextEdit {
  return { start, end: start + written.length, replacement };
}
