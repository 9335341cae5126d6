/**
 * The analyses of the modules of one program, kept in a file between loads, so that a load compiles
 * only the modules that have changed.
 *
 * An analysis is used only for the same source text, which the file contains. So a changed module
 * is never mistaken for an earlier one, whatever the times and sizes of files say.
 *
 * @module
 */
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { hashText } from "../../runtime/code/unit.ts";
import type { Analysis } from "./analysis.ts";

/** The maximum size of a file, in bytes. Larger programs are compiled each time. */
const MAX_SIZE = 64 * 1024 * 1024;

/** The maximum size of all files, in bytes, and their maximum number. */
const MAX_TOTAL = 256 * 1024 * 1024;
const MAX_FILES = 64;

/** What the analysis of a module was made from. */
export interface AnalyzedSource {
  /** The text of its file. */
  source: string;
  /** Everything else that its analysis depends on. */
  options: string;
}

interface Entry extends AnalyzedSource {
  analysis: Analysis;
}

/** The analyses of a program's modules, by module id. */
export class AnalysisCache {
  readonly #path: string;
  readonly #known: ReadonlyMap<string, Entry>;
  readonly #used = new Map<string, Entry>();
  #isChanged = false;

  private constructor(path: string, known: ReadonlyMap<string, Entry>) {
    this.#path = path;
    this.#known = known;
  }

  /**
   * Reads the file of the program whose entry is the file at `entry`, in a directory that only this
   * user can read. Each version of the compiler has files of its own. A file that is damaged counts
   * as empty.
   *
   * @param options.compiler the URL of a module that imports all that analyses depend on.
   * @returns undefined if the version of the compiler is unknown, or this process may not read it or
   * write there.
   */
  static async open(
    directory: string,
    { entry, compiler }: { entry: string; compiler: string },
  ): Promise<AnalysisCache | undefined> {
    if (!isGranted({ name: "read" }) || !isGranted({ name: "write", path: directory })) return;
    const version = await compilerVersion(compiler);
    if (version === undefined) return undefined;
    const path = join(directory, await hashText(`${version}\n${entry}`));
    return new AnalysisCache(path, await readEntries(path));
  }

  /** The analysis of a module; undefined if it has to be made. */
  find(module: string, { source, options }: AnalyzedSource): Analysis | undefined {
    const entry = this.#known.get(module);
    if (entry === undefined || entry.source !== source || entry.options !== options) return;
    this.#used.set(module, entry);
    return entry.analysis;
  }

  /** Adds the analysis of a module. */
  add(module: string, source: AnalyzedSource, analysis: Analysis): void {
    this.#used.set(module, { ...source, analysis });
    this.#isChanged = true;
  }

  /**
   * Writes the file, with the modules that were found or added, if that changes it. A failure is
   * ignored: the next load then compiles more.
   */
  async save(): Promise<void> {
    if (!this.#isChanged && this.#used.size === this.#known.size) return;
    const content = JSON.stringify([...this.#used]);
    const bytes = new TextEncoder().encode(`${await hashText(content)}\n${content}`);
    if (bytes.length > MAX_SIZE) return;
    const directory = join(this.#path, "..");
    const draft = `${this.#path}.${crypto.randomUUID()}`;
    try {
      await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
      await Deno.writeFile(draft, bytes, { createNew: true, mode: 0o600 });
      await Deno.rename(draft, this.#path);
      await prune(directory);
    } catch {
      await Deno.remove(draft).catch(() => {});
    }
  }
}

/** Whether a permission was granted, without asking for it. */
function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

/** Reads a file: the hash of what follows, and the entries as JSON. */
async function readEntries(path: string): Promise<Map<string, Entry>> {
  try {
    const { isFile, size, mode, uid } = Deno.lstatSync(path);
    const isOwn = isFile && (mode! & 0o077) === 0 && uid === Deno.uid();
    if (!isOwn || size > MAX_SIZE) return new Map();
    const text = Deno.readTextFileSync(path);
    const end = text.indexOf("\n");
    const content = text.slice(end + 1);
    if (text.slice(0, end) !== await hashText(content)) return new Map();
    const now = Date.now() / 1000;
    // The files that were used last are kept.
    Deno.utimeSync(path, now, now);
    return new Map(JSON.parse(content));
  } catch {
    return new Map(); // There is no file, or it cannot be read.
  }
}

/** Removes the files that were not used for longest, down to the limits. */
async function prune(directory: string): Promise<void> {
  const files: { path: string; size: number; time: number }[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    const path = join(directory, name);
    const { size, mtime } = await Deno.lstat(path);
    files.push({ path, size, time: mtime?.getTime() ?? 0 });
  }
  files.sort((a, b) => b.time - a.time);
  let total = 0;
  for (const [index, { path, size }] of files.entries()) {
    total += size;
    if (index >= MAX_FILES || total > MAX_TOTAL) await Deno.remove(path);
  }
}

/**
 * A text that differs between versions of the compiler. The sources are identified by their texts
 * and the versions of the packages. A file of a bundle is identified by its name, which contains a
 * hash of it and of all files that it imports, also dynamically.
 */
async function compilerVersion(url: string): Promise<string | undefined> {
  const name = basename(url);
  if (/-[0-9A-Z]{8}\.js$/.test(name)) return `${name} ${Deno.version.deno}`;
  try {
    const directory = fileURLToPath(new URL(".", url));
    const files = [...Deno.readDirSync(directory)].map(({ name }) => join(directory, name)).sort();
    for (const path of ["../../runtime/code/source_map.ts", "../../deno.lock"]) {
      files.push(join(directory, path));
    }
    const texts = files.map((path) => Deno.readTextFileSync(path));
    return await hashText(JSON.stringify([...texts, Deno.version.deno]));
  } catch {
    return undefined; // The sources are not files.
  }
}
