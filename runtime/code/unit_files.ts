/**
 * The files through which a server imports shipped code, and the way back from their names to the
 * author's.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ModuleError, type SourceLocation } from "./module_error.ts";
import { describeThrown } from "./thrown.ts";
import type { Unit } from "./unit.ts";

/** What the files need to know of a unit to show its author's names and lines. */
export type Authored = Pick<Unit, "path" | "lines">;

/**
 * Every file name given out in this process. The module cache of the runtime belongs to the process
 * and remembers a URL's module, failed ones too, for good: a name is used once.
 */
const usedUrls = new Set<string>();

/** The directory of one server's shipped code, `loader.d`. */
export class UnitFiles {
  readonly #directory: string;
  readonly #authors = new Map<string, Authored>();
  readonly #reference: RegExp;

  private constructor(directory: string) {
    this.#directory = directory;
    const url = RegExp.escape(pathToFileURL(directory).href);
    this.#reference = new RegExp(
      String.raw`(?:${url}/|(?<=['"])\./)([\w.-]+\.mjs)(?::(\d+)(?::(\d+))?)?`,
      "g",
    );
  }

  /**
   * Opens the directory and empties it: the code of a process that ended is of no use to the next.
   *
   * @throws when the directory cannot be made or emptied.
   */
  static async open(directory: string): Promise<UnitFiles> {
    const path = resolve(directory);
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    for await (const entry of Deno.readDir(path)) {
      await Deno.remove(join(path, entry.name), { recursive: true });
    }
    return new UnitFiles(path);
  }

  /** Gives out a file name made of `stem` that this process never used, and remembers its author. */
  reserve(stem: string, author?: Authored): string {
    for (let attempt = 0;; attempt++) {
      const file = attempt === 0 ? `${stem}.mjs` : `${stem}.${attempt}.mjs`;
      const url = this.url(file);
      if (usedUrls.has(url)) continue;
      usedUrls.add(url);
      if (author) this.#authors.set(file, author);
      return file;
    }
  }

  /** Writes a reserved file; it appears whole or not at all. */
  async write(file: string, text: string): Promise<void> {
    const path = join(this.#directory, file);
    const partial = `${path}.part`;
    await Deno.writeTextFile(partial, text, { mode: 0o600 });
    await Deno.rename(partial, path);
  }

  /** The URL under which a file is imported. */
  url(file: string): string {
    return pathToFileURL(join(this.#directory, file)).href;
  }

  /** Puts the author's files and lines in place of this directory's, in a stack trace or message. */
  restoreSources(text: string): string {
    return text.replace(this.#reference, (written, file, line, column) => {
      const location = this.#locate(file, line, column);
      if (location === undefined) return written;
      return [location.path, location.line, location.column].filter((part) => part !== undefined)
        .join(":");
    });
  }

  /** What the import of `unit` threw, as an error at the author's file and line. */
  explainFailure(thrown: unknown, unit: Authored): ModuleError {
    try {
      if (!(thrown instanceof Error)) throw thrown;
      const location = this.#firstLocation(thrown.stack ?? "") ?? { path: unit.path };
      return new ModuleError(this.#reason(thrown), location, { cause: thrown });
    } catch {
      // Not an error, or one that throws when it is looked at.
      return new ModuleError(`threw ${describeThrown(thrown)}`, { path: unit.path });
    }
  }

  #reason(error: Error): string {
    // Deno reports the place inside the message: behind " at", or below a drawing of the line.
    const plain = stripVTControlCharacters(error.message).replace(/\s+at file:\/\/\S+$/, "");
    if (plain.startsWith("SyntaxError: ")) return plain.slice(0, plain.search(/\n|$/));
    const message = `${error.name}: ${this.restoreSources(plain)}`;
    return plain.includes("does not provide an export named")
      ? `${message} (if it is a type, import it with "import type")`
      : message;
  }

  #firstLocation(stack: string): SourceLocation | undefined {
    for (
      const [, file, line, column] of stripVTControlCharacters(stack).matchAll(this.#reference)
    ) {
      const location = file && line ? this.#locate(file, line, column) : undefined;
      if (location) return location;
    }
  }

  #locate(file: string, line?: string, column?: string): SourceLocation | undefined {
    const author = this.#authors.get(file);
    if (author === undefined) return undefined;
    const location: SourceLocation = { path: author.path };
    if (line === undefined) return location;
    // Where lines moved, columns mean nothing.
    if (author.lines) location.line = author.lines[Number(line) - 1] ?? Number(line);
    else Object.assign(location, { line: Number(line), column: column && Number(column) });
    return location;
  }
}

/** The part of a file name that tells people what is in it: the module's base name, made safe. */
export function fileStem(path: string): string {
  return basename(path).replace(/\.[^.]*$/, "").replace(/[^\w-]/g, "_").slice(0, 64) || "module";
}
