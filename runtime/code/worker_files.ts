/**
 * The files by which workers run units. A worker shares nothing with the server that starts it: its
 * modules are instances of its own, which link to each other and to libraries by themselves.
 *
 * @module
 */
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { applyEdits, decodeMappings, editMappings, type TextEdit } from "./source_map.ts";
import { linkedUnit, type Unit } from "./unit.ts";
import { fileStem, type UnitFiles } from "./unit_files.ts";
import { unusedName } from "./unit_surroundings.ts";
import { type Units, unitTree } from "./unit_tree.ts";

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
