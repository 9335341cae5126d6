/**
 * The files through which a server imports shipped code, and mapping their names back to the
 * author's.
 *
 * Deno itself shows the author's files and lines in stack traces, with the source maps in the
 * files. What remains are file names in error messages.
 *
 * @module
 */
import { decode } from "npm:@jridgewell/sourcemap-codec@^1.6.0";
import { stripVTControlCharacters } from "node:util";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describeThrown, explainParts } from "../error_report.ts";
import { EnsembleError } from "../errors.ts";
import {
  ModuleError,
  type SourceLocation,
  sourceMapComment,
  sourcePosition,
  type TextPosition,
} from "./source_map.ts";

/** A file of the directory and the author's file for it. */
interface Authored {
  path: string;
  /** Maps a position in the file to the author's file. */
  locate?: (place: TextPosition) => TextPosition | undefined;
}

/**
 * All file names used in this process. Deno's module cache belongs to the process and remembers the
 * result of a URL, even a failure, forever. So a name is used once.
 */
const usedUrls = new Set<string>();

/** The maximum number of bytes that are written to see whether there is room. */
const MOST_TRIED = 64 * 1024 * 1024;

/** A position in a stack trace or message. */
const PLACE = /(file:\/\/[^\n]+?):(\d+):(\d+)/g;

/** The directory of one server's shipped code, `loader.d`. */
export class UnitFiles {
  readonly #directory: string;
  readonly #directoryUrl: string;
  readonly #authors = new Map<string, Authored>();
  /** The authors' paths, by the names in stack traces. */
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
   * Opens the directory and empties it, since an ended process's code is useless to the next.
   *
   * @throws if the directory cannot be created or emptied.
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
   * Reserves a file name made of `stem` that this process has never used; `path` is its name in
   * messages.
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

  /** Writes a reserved file. With encoded mappings, stack traces show the author's positions. */
  async write(file: string, text: string, mappings?: string): Promise<void> {
    const author = this.#authors.get(file)!;
    let written = text;
    if (mappings !== undefined) {
      const { href } = pathToFileURL(author.path);
      // Decoded they take far more memory, and few modules fail.
      author.locate = (place) => sourcePosition(decode(mappings), place);
      // Deno shows URLs unescaped.
      this.#authorPaths.set(href, author.path).set(`file://${author.path}`, author.path);
      written += `\n${sourceMapComment(href, mappings)}\n`;
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

  /**
   * Checks that so many bytes can be written, up to 64 MiB, by writing them.
   *
   * @throws {EnsembleError} if they cannot.
   */
  async requireRoom(bytes: number): Promise<void> {
    const path = join(this.#directory, `room-${crypto.randomUUID()}`);
    try {
      await this.#writeFile(path, "\0".repeat(Math.min(bytes, MOST_TRIED)));
    } catch (error) {
      throw new EnsembleError(`cannot write to ${this.#directory}: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      await Deno.remove(path).catch(() => {});
    }
  }

  /** Removes the directory. If that fails, the rest is removed when it is next opened. */
  async close(): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true }).catch(() => {});
  }

  /** Removes a file that is no longer needed after its import. */
  async remove(file: string): Promise<void> {
    this.#authors.delete(file);
    // If it cannot be removed, that happens when the directory is next opened.
    await Deno.remove(join(this.#directory, file)).catch(() => {});
  }

  /** The URL under which a file is imported. */
  url(file: string): string {
    return this.#directoryUrl + file;
  }

  /** Replaces this directory's files by the author's in a stack trace or message. */
  restoreSources(text: string): string {
    return text.replace(this.#reference, (written, file, line, column) => {
      const author = this.#authors.get(file);
      if (author === undefined) return written;
      if (line === undefined) return author.path;
      const place = this.#locate(file, line, column);
      return place?.line ? `${place.path}:${place.line}:${place.column}` : author.path;
    });
  }

  /**
   * Converts an error thrown by the import of a unit of the author's file `path` to one at its file
   * and line.
   */
  explainFailure(thrown: unknown, path: string): ModuleError {
    try {
      if (!(thrown instanceof Error)) throw thrown;
      const location = this.#firstLocation(thrown.stack ?? "") ?? { path };
      const parts = explainParts(thrown).map((line) => this.restoreSources(line));
      const reason = [this.#reason(thrown), ...parts].join("\n");
      return new ModuleError(reason, location, { cause: thrown });
    } catch {
      // Not an error, or one with throwing properties.
      return new ModuleError(`threw ${describeThrown(thrown)}`, { path }, { cause: thrown });
    }
  }

  #reason(error: Error): string {
    // The position is part of the message: after " at", or below an excerpt of the line.
    const plain = stripVTControlCharacters(error.message)
      .replace(/\s+at file:\/\/[^\n]+:\d+:\d+$/, "");
    if (plain.startsWith("SyntaxError: ")) return plain.slice(0, plain.search(/\n|$/));
    const message = `${error.name}: ${this.restoreSources(plain)}`;
    return plain.includes("does not provide an export named")
      ? `${message} (if it is a type, import it with "import type")`
      : message;
  }

  /** The first position in a stack trace that is in an author's file. */
  #firstLocation(stack: string): SourceLocation | undefined {
    for (const [, url, line, column] of stripVTControlCharacters(stack).matchAll(PLACE)) {
      const path = this.#authorPaths.get(url!);
      if (path) return { path, line: Number(line), column: Number(column) };
      if (!url!.startsWith(this.#directoryUrl)) continue;
      // Deno's parser reports syntax errors before there is a source map.
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

/** The descriptive part of a file name: the module's base name, made safe. */
export function fileStem(path: string): string {
  return basename(path).replace(/\.[^.]*$/, "").replace(/[^\w-]/g, "_").slice(0, 64) || "module";
}
