/**
 * Merges files of a bundle that a command loads one after the other.
 *
 * `deno bundle` makes a file for each set of modules that different `import()` expressions load, so
 * that a short command reads some fifty. Deno takes longer to read many files than to read one with
 * the same code (docs/performance.md has the figures).
 *
 * @module
 */
import MagicString from "npm:magic-string@^1.4.5";
import { basename, join, parse as parsePath } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { findImports } from "../modules/syntax.ts";
import { denoReason, runDeno } from "../kit/deno_command.ts";
import { filesBelow } from "./work_directory.ts";

/**
 * Modules to merge, by the name of the file that they become part of, with all that they import
 * statically. Each is a path; what loads it is an `import()`. Modules of an earlier file are not
 * part of a later one.
 */
export type MergedModules = Readonly<Record<string, readonly string[]>>;

/** A file of the bundle. */
interface BundleFile {
  /** Its name. */
  readonly name: string;
  /** The names of what it exports. */
  readonly exports: readonly string[];
}

/**
 * Merges files of the bundle in a directory. A file that was merged then only exports what the new
 * file does, for those that import it.
 *
 * The modules of a new file are evaluated when the first of them is loaded, in their order.
 *
 * @throws {EnsembleError} if a module has no file of its own, or with Deno's message.
 */
export async function mergeFiles(
  merged: MergedModules,
  { deno, signal, directory }: { deno: string; signal: AbortSignal; directory: string },
): Promise<void> {
  const done = new Set<string>();
  const places = new Map<string, Place>();
  for (const [name, modules] of Object.entries(merged)) {
    const files: BundleFile[] = [];
    for (const module of modules) {
      const first = await fileOf(module, directory);
      for await (const file of loadedWith(first, { directory, done })) files.push(file);
    }
    const entry = join(directory, `${name}.entry.js`);
    const statements = files.map(({ name, exports }, index) =>
      exporting(exports.map((each) => `${each} as ${exportName(each, index)}`), name)
    );
    await Deno.writeTextFile(entry, statements.join(""));
    const { success, said } = await runDeno(deno, [
      "bundle",
      "--quiet",
      "--no-config",
      "--platform=deno",
      ...Object.keys(merged).map((other) => `--external=./${other}.js`),
      `--output=${join(directory, name)}.js`,
      entry,
    ], { cwd: directory, signal });
    if (!success) throw new EnsembleError(`cannot merge ${name}.js: ${denoReason(said)}`);
    await Deno.remove(entry);
    for (const [index, file] of files.entries()) {
      const names = file.exports.map((each) => `${exportName(each, index)} as ${each}`);
      await Deno.writeTextFile(join(directory, file.name), exporting(names, `${name}.js`));
      places.set(file.name, { name, index });
    }
  }
  for (const path of await filesBelow(directory)) {
    if (!path.endsWith(".js") || places.has(basename(path))) continue;
    await Deno.writeTextFile(path, await importingMerged(path, places));
  }
}

/** Where the exports of a file are that was merged. */
interface Place {
  /** The name of the new file, without its extension. */
  readonly name: string;
  /** The position of the file in it. */
  readonly index: number;
}

/** The text of a file, in which imports of merged files lead to the new ones. */
async function importingMerged(path: string, places: ReadonlyMap<string, Place>): Promise<string> {
  const text = await Deno.readTextFile(path);
  const file = new MagicString(text);
  const { imports } = await findImports(text, path);
  for (const { specifier, start, end, keyword } of imports) {
    const place = places.get(basename(specifier));
    if (place === undefined || keyword !== undefined || !specifier.startsWith(".")) continue;
    const names = /\bimport \{([^}]*)\} from $/.exec(text.slice(0, start));
    if (names) {
      const renamed = names[1]!.replace(
        /([\w$]+)( as [\w$]+)?/g,
        (_, name, alias = ` as ${name}`) => `${exportName(name, place.index)}${alias}`,
      );
      file.overwrite(names.index, start, `import {${renamed}} from `);
    }
    const name = `${place.name}.js`;
    file.overwrite(
      start,
      end,
      JSON.stringify(specifier.slice(0, -basename(specifier).length) + name),
    );
  }
  return file.toString();
}

/** The name under which a new file exports what a merged one did. */
function exportName(name: string, index: number): string {
  return `${name}$${index}`;
}

/** The name of the file that an `import()` of a module loads: with a hash. */
async function fileOf(module: string, directory: string): Promise<string> {
  const { name } = parsePath(module);
  for await (const file of Deno.readDir(directory)) {
    if (
      file.name.startsWith(`${name}-`) && /^[A-Z0-9]{8}\.js$/.test(file.name.slice(name.length + 1))
    ) {
      return file.name;
    }
  }
  throw new EnsembleError(`cannot merge ${module}: the bundle loads it with no import()`);
}

/** A file and those that it imports statically, in the order of evaluation, unless done before. */
async function* loadedWith(
  name: string,
  { directory, done }: { directory: string; done: Set<string> },
): AsyncGenerator<BundleFile> {
  if (done.has(name)) return;
  done.add(name);
  const { init, parse } = await import("npm:es-module-lexer@^3.0.5");
  await init;
  const [imports, exports] = parse(await Deno.readTextFile(join(directory, name)));
  for (const { type, specifier } of imports) {
    if (type === "static" && specifier?.startsWith("./")) {
      yield* loadedWith(basename(specifier), { directory, done });
    }
  }
  yield { name, exports: exports.flatMap((each) => "name" in each ? each.name : []) };
}

/** A statement that exports names of another file. */
function exporting(names: readonly string[], file: string): string {
  const specifier = JSON.stringify(`./${file}`);
  if (names.length === 0) return `import ${specifier};\n`;
  return `export { ${names.join(", ")} } from ${specifier};\n`;
}
