/**
 * Makes `import.meta`, `import()` and `new Worker()` mean the same in the file of a unit as in its
 * author's file.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { EditedText } from "./edited_text.ts";
import { processTable, tableExpression } from "./library_table.ts";
import { type Candidate, linkedUnit, type ModuleName, RELATIVE, type Unit } from "./unit.ts";
import { fileStem, type UnitFiles } from "./unit_files.ts";
import { hashesBelow, type Units } from "./unit_graph.ts";

/** The functions that a unit calls in this process while it runs. */
export interface ImportContext {
  /** Makes the `import.meta` of the unit from that of its file. */
  meta(own: ImportMeta): ImportMeta;
  /** Imports the unit that a link of this unit leads to. */
  import(target: string): Promise<unknown>;
  /** Imports the target of a computed specifier. */
  importComputed(specifier: unknown, options?: ImportCallOptions): Promise<unknown>;
  /** Returns the URL to start a worker with, for the worker's original URL. */
  worker(url: unknown): unknown;
}

const contexts = processTable<ImportContext>("units");
const CONTEXT = tableExpression("units");

/**
 * The parameters and bodies of the functions that replace expressions in a unit's text, given their
 * names.
 */
interface StandIns {
  meta(name: string): string;
  /** For the `import` of another unit; if absent, that unit's file is imported. */
  import?(): string;
  importComputed(): string;
  worker(): string;
}

/** Names as long as the text that they replace, so that columns stay the same. */
const NAMES = { meta: "unit$meta", import: "load$$", importComputed: "find$$", worker: "work$$" };

const ASKING_CONTEXT: StandIns = {
  meta: (name) => `() { return ${name}.made ??= ${CONTEXT}.meta(import.meta); }`,
  import: () => `(target) { return ${CONTEXT}.import(target); }`,
  importComputed: () => `(...all) { return ${CONTEXT}.importComputed(...all); }`,
  worker: () => `(url, options) { return new Worker(${CONTEXT}.worker(url), options); }`,
};

/** A specifier in a unit's text, and the file that it leads to. */
export interface FileLink {
  start: number;
  end: number;
  file: string;
}

/** Options for the file of a unit. */
export interface UnitFileOptions {
  files: UnitFiles;
  /** The reserved name of the file. */
  file: string;
  /** The specifiers to link. */
  links: readonly FileLink[];
}

/** Writes the file of a unit that calls `context` while it runs. */
export async function writeUnit(
  unit: Unit,
  { context, ...options }: UnitFileOptions & { context: ImportContext },
): Promise<void> {
  const { metaProperties, computedImports = [], workers = [] } = unit;
  const asking = [metaProperties, computedImports, workers, lateUnits(unit)].flat();
  if (asking.length > 0) contexts.set(options.files.url(options.file), context);
  await writeFile(unit, { ...options, standIns: ASKING_CONTEXT });
}

async function writeFile(
  unit: Unit,
  { files, file, links, standIns }: UnitFileOptions & { standIns: StandIns },
): Promise<void> {
  const { text, mappings, metaProperties, computedImports = [], workers = [] } = unit;
  const code = new EditedText(text);
  for (const { start, end, file } of links) code.replace(start, end, `./${file}`);
  const declarations: string[] = [];
  const replace = (kind: keyof StandIns, places: [start: number, end: number][]): void => {
    if (places.length === 0) return;
    const name = unusedName(NAMES[kind], text);
    for (const [start, end] of places) {
      // A replacement spans as many lines as the original.
      const breaks = text.slice(start, end).replace(/[^\r\n\u2028\u2029]/g, "");
      code.replace(start, end, (kind === "meta" ? `${name}()` : name) + breaks);
    }
    declarations.push(`function ${name}${standIns[kind]!(name)}`);
  };
  const word = (written: string) => (start: number): [number, number] => [
    start,
    start + written.length,
  ];
  replace("meta", metaProperties);
  if (standIns.import) replace("import", lateUnits(unit).map(word("import")));
  replace("importComputed", computedImports.map(word("import")));
  replace("worker", workers.map(word("Worker")));
  // After the text, so that lines stay the same. Functions are hoisted, so they exist before
  // anything runs, also in a cycle.
  if (declarations.length > 0) code.append(`\n${declarations.join(" ")}`);
  await files.write(file, code.toString(), mappings && code.mappings(mappings));
}

/** The positions of the keywords of a unit's `import()`s with literal specifiers. */
function lateUnits(unit: Unit): number[] {
  return unit.links.flatMap(({ keyword, target }) =>
    keyword === undefined || linkedUnit(unit, target) === undefined ? [] : keyword
  );
}

/** A name as long as `name` that does not occur in the text. */
function unusedName(name: string, text: string): string {
  let unused = name;
  for (let number = 0; text.includes(unused); number++) {
    unused = name.slice(0, -String(number).length) + number;
  }
  return unused;
}

/** The `import.meta` of a module at its author's location. */
export function authorMeta(
  { path, module }: Pick<ModuleName, "path" | "module">,
  { own, main }: { own: ImportMeta; main: boolean },
): ImportMeta {
  const url = authorUrl({ path, module });
  return Object.assign(Object.create(null), own, {
    main,
    url,
    filename: path,
    dirname: dirname(path),
    resolve: (specifier: string) =>
      RELATIVE.test(specifier) ? new URL(specifier, url).href : own.resolve(specifier),
  });
}

/** The URL of a module at its author's location. Its id may contain a query after the path. */
function authorUrl({ path, module }: Pick<ModuleName, "path" | "module">): string {
  const name = basename(path);
  return pathToFileURL(path).href + module.slice(module.lastIndexOf(name) + name.length);
}

/**
 * Resolves a computed specifier in the author's file at `path`: to one of the candidates, or else
 * to a specifier for this process to import.
 *
 * @throws {TypeError} as Deno does for a missing module, if it is relative and not a candidate.
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
      "shipped: for a local module, write a literal specifier, or a template that starts with its " +
      "directory, as in import(`./pages/${name}.ts`)",
  );
  throw Object.assign(error, { code: "ERR_MODULE_NOT_FOUND" });
}

/**
 * Writes the files with which workers run units, each once. A worker shares nothing with its
 * server: it has its own modules, which link to each other and to libraries directly.
 */
export class WorkerFiles {
  readonly #units: Units;
  readonly #files: UnitFiles;
  readonly #written = new Map<string, Promise<void>>();
  readonly #names = new Map<string, string>();

  /** Creates a writer for these `units`, to which more may be added. */
  constructor(units: Units, files: UnitFiles) {
    this.#units = units;
    this.#files = files;
  }

  /** Writes a unit and all below it. Returns the URL to start a worker with. */
  async write(hash: string): Promise<string> {
    const tree = [...hashesBelow(hash, this.#units)].map((each) => this.#units.get(each)!);
    // All names first, since the units may import each other in a cycle.
    const fresh = tree.filter((unit) => !this.#names.has(unit.hash));
    for (const unit of fresh) {
      const stem = `worker-${fileStem(unit.module)}-${unit.hash}`;
      this.#names.set(unit.hash, this.#files.reserve(stem, unit.path));
    }
    for (const unit of fresh) this.#written.set(unit.hash, this.#writeUnit(unit));
    await Promise.all(tree.map((unit) => this.#written.get(unit.hash)));
    return this.url(hash);
  }

  /** The URL of a written unit. */
  url(hash: string): string {
    return this.#files.url(this.#names.get(hash)!);
  }

  async #writeUnit(unit: Unit): Promise<void> {
    const links = unit.links.flatMap(({ start, end, target }): FileLink[] => {
      const hash = linkedUnit(unit, target);
      return hash === undefined ? [] : [{ start, end, file: this.#names.get(hash)! }];
    });
    const file = this.#names.get(unit.hash)!;
    await writeFile(unit, { files: this.#files, file, links, standIns: this.#standIns(unit) });
  }

  /** A worker has no {@linkcode ImportContext}, so its logic is in the file itself. */
  #standIns(unit: Unit): StandIns {
    const { href } = pathToFileURL(unit.path);
    const url = JSON.stringify(href);
    const { path } = unit;
    const meta = JSON.stringify({ url: authorUrl(unit), filename: path, dirname: dirname(path) });
    const candidates = JSON.stringify(Object.fromEntries(
      (unit.candidates ?? []).map(({ specifier, type = "", target }) => [
        `${type} ${new URL(specifier, href).href}`,
        `./${this.#names.get(linkedUnit(unit, target)!)}`,
      ]),
    ));
    const resolve = (bare: string) =>
      `(${RELATIVE}.test(specifier) ? new URL(specifier, ${url}).href : ${bare})`;
    return {
      meta: (name) =>
        `() { return ${name}.made ??= Object.assign(Object.create(null), import.meta, ${meta}, ` +
        `{ resolve: (specifier) => ${resolve("import.meta.resolve(specifier)")} }); }`,
      importComputed: () =>
        `(specifier, options) { const url = ${resolve("String(specifier)")}; ` +
        `const file = ${candidates}[(options?.with?.type ?? "") + " " + url]; ` +
        `return file ? import(file) : import(url, options); }`,
      worker: () =>
        `(specifier, options) { const url = ${resolve("String(specifier)")}; ` +
        `const file = ${candidates}["worker " + url]; ` +
        `return new Worker(file ? new URL(file, import.meta.url) : specifier, options); }`,
    };
  }
}
