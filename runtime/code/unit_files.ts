/**
 * The files through which a server imports shipped code, and the way back from their names to the
 * author's.
 *
 * The runtime itself shows the author's files and lines in stack traces, by the source maps that the
 * files end with. What is left are the names of files in the messages of errors.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describeThrown, explainParts } from "../error_report.ts";
import {
  type Mappings,
  ModuleError,
  type SourceLocation,
  sourceMapComment,
  sourcePosition,
  type TextPosition,
} from "./source_map.ts";

/** A file of the directory and the author's behind it. */
interface Authored {
  path: string;
  /** Where its author wrote what is at a place in it. */
  locate?: (place: TextPosition) => TextPosition | undefined;
}

/**
 * Every file name given out in this process. The module cache of the runtime belongs to the process
 * and remembers a URL's module, failed ones too, for good: a name is used once.
 */
const usedUrls = new Set<string>();

/** A place that a stack trace or message names. */
const PLACE = /(file:\/\/[^\n]+?):(\d+):(\d+)/g;

/** The directory of one server's shipped code, `loader.d`. */
export class UnitFiles {
  readonly #directory: string;
  readonly #directoryUrl: string;
  readonly #authors = new Map<string, Authored>();
  /** The authors' paths, by what stack traces call them. */
  readonly #authorPaths = new Map<string, string>();
  readonly #reference: RegExp;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#directoryUrl = `${pathToFileURL(directory).href}/`;
    const url = RegExp.escape(this.#directoryUrl);
    this.#reference = new RegExp(
      String.raw`(?:${url}|(?<=['"])\./)([\w.-]+\.mjs)(?::(\d+):(\d+))?`,
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

  /**
   * Gives out a file name made of `stem` that this process never used; `path` is what messages call
   * the file.
   */
  reserve(stem: string, path: string): string {
    for (let attempt = 0;; attempt++) {
      const file = attempt === 0 ? `${stem}.mjs` : `${stem}.${attempt}.mjs`;
      const url = this.url(file);
      if (usedUrls.has(url)) continue;
      usedUrls.add(url);
      this.#authors.set(file, { path });
      return file;
    }
  }

  /** Writes a reserved file; with mappings, stack traces show the author's places in it. */
  async write(file: string, text: string, mappings?: Mappings): Promise<void> {
    const author = this.#authors.get(file)!;
    let written = text;
    if (mappings) {
      const { href } = pathToFileURL(author.path);
      const { decode, encode } = await import("npm:@jridgewell/sourcemap-codec@^1.6.0");
      const encoded = encode(mappings);
      // Decoded they take far more memory, and few modules fail.
      author.locate = (place) => sourcePosition(decode(encoded), place);
      // The runtime shows URLs with their escapes read.
      this.#authorPaths.set(href, author.path).set(`file://${author.path}`, author.path);
      written += `\n${sourceMapComment(href, encoded)}\n`;
    }
    await this.#writeFile(join(this.#directory, file), written);
  }

  async #writeFile(path: string, text: string): Promise<void> {
    try {
      await Deno.writeTextFile(path, text, { mode: 0o600 });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      // The directory was removed.
      await Deno.mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await Deno.writeTextFile(path, text, { mode: 0o600 });
    }
  }

  /** Removes the directory. What is left of it when that fails goes when it is next opened. */
  async close(): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true }).catch(() => {});
  }

  /** Removes a file that is not needed once it has been imported. */
  async remove(file: string): Promise<void> {
    this.#authors.delete(file);
    // One that cannot be removed is in nobody's way, and goes when the directory is next opened.
    await Deno.remove(join(this.#directory, file)).catch(() => {});
  }

  /** The URL under which a file is imported. */
  url(file: string): string {
    return this.#directoryUrl + file;
  }

  /** Puts the author's files in place of this directory's, in a stack trace or message. */
  restoreSources(text: string): string {
    return text.replace(this.#reference, (written, file, line, column) => {
      const author = this.#authors.get(file);
      if (author === undefined) return written;
      if (line === undefined) return author.path;
      const place = this.#locate(file, line, column);
      return place?.line ? `${place.path}:${place.line}:${place.column}` : author.path;
    });
  }

  /** What the import of a unit of the author's file `path` threw, as an error at its file and line. */
  explainFailure(thrown: unknown, path: string): ModuleError {
    try {
      if (!(thrown instanceof Error)) throw thrown;
      const location = this.#firstLocation(thrown.stack ?? "") ?? { path };
      const parts = explainParts(thrown).map((line) => this.restoreSources(line));
      const reason = [this.#reason(thrown), ...parts].join("\n");
      return new ModuleError(reason, location, { cause: thrown });
    } catch {
      // Not an error, or one that throws when it is looked at.
      return new ModuleError(`threw ${describeThrown(thrown)}`, { path }, { cause: thrown });
    }
  }

  #reason(error: Error): string {
    // The place is part of the message: behind " at", or below a drawing of the line.
    const plain = stripVTControlCharacters(error.message)
      .replace(/\s+at file:\/\/[^\n]+:\d+:\d+$/, "");
    if (plain.startsWith("SyntaxError: ")) return plain.slice(0, plain.search(/\n|$/));
    const message = `${error.name}: ${this.restoreSources(plain)}`;
    return plain.includes("does not provide an export named")
      ? `${message} (if it is a type, import it with "import type")`
      : message;
  }

  /** The first place in a stack trace that is an author's. */
  #firstLocation(stack: string): SourceLocation | undefined {
    for (const [, url, line, column] of stripVTControlCharacters(stack).matchAll(PLACE)) {
      const path = this.#authorPaths.get(url!);
      if (path) return { path, line: Number(line), column: Number(column) };
      if (!url!.startsWith(this.#directoryUrl)) continue;
      // The runtime's parser tells of syntax errors before there is a source map.
      const location = this.#locate(url!.slice(this.#directoryUrl.length), line!, column!);
      if (location) return location;
    }
  }

  #locate(file: string, line: string, column: string): SourceLocation | undefined {
    const author = this.#authors.get(file);
    if (author === undefined) return undefined;
    const place = { line: Number(line), column: Number(column) };
    return { path: author.path, ...author.locate?.(place) };
  }
}

/** The part of a file name that tells people what is in it: the module's base name, made safe. */
export function fileStem(path: string): string {
  return basename(path).replace(/\.[^.]*$/, "").replace(/[^\w-]/g, "_").slice(0, 64) || "module";
}
