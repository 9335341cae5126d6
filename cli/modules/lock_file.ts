/**
 * `deno.lock`: which versions of packages a project uses.
 *
 * @see https://docs.deno.com/runtime/fundamentals/modules/#integrity-checking-and-lock-files
 * @module
 */
import { join, resolve } from "node:path";
import { ModuleError } from "../../runtime/code/module_error.ts";
import type { Configuration } from "./configuration.ts";

/** The part of a lock file that is used here. */
interface LockFileText {
  /** Versions by specifiers with ranges: `"npm:ms@^2.1.0": "2.1.3"`. */
  specifiers?: Record<string, string>;
}

/** A package of a registry: `npm:` or `jsr:`, its name, a range, and the path of a module. */
const PACKAGE = /^((?:npm|jsr):)\/?((?:@[^/]+\/)?[^/@]+)@([^/]+)(\/.*)?$/;

/** A version that a lock file gives. */
interface LockedVersion {
  /** The range, as semver writes it out. */
  range: string;
  version: string;
}

/** The versions that a project has locked. */
export class LockFile {
  readonly #versions: ReadonlyMap<string, LockedVersion[]>;
  readonly #writeOut: (range: string) => string;

  private constructor(
    versions: ReadonlyMap<string, LockedVersion[]>,
    writeOut: (range: string) => string,
  ) {
    this.#versions = versions;
    this.#writeOut = writeOut;
  }

  /**
   * Reads the lock file of a project in a directory, unless it has none or its configuration turns that off.
   *
   * @throws {ModuleError} when it cannot be read.
   */
  static async read(
    directory: string,
    configuration: Configuration | undefined,
  ): Promise<LockFile | undefined> {
    const { lock } = configuration ?? {};
    if (lock === false) return undefined;
    const named = typeof lock === "string"
      ? lock
      : typeof lock === "object"
      ? lock.path
      : undefined;
    const path = named === undefined ? join(directory, "deno.lock") : resolve(directory, named);
    const { specifiers = {} } = await readText(path);
    const locked = Object.entries(specifiers);
    if (locked.length === 0) return undefined;
    const { default: Range } = await import("npm:semver@^7.8.6/classes/range.js");
    // Deno writes ^0.3.1 as ~0.3.1, and ^2.0.0 as 2.
    const writeOut = (range: string): string => {
      try {
        return new Range(range).range;
      } catch {
        return range; // A tag, such as "latest".
      }
    };
    const versions = new Map<string, LockedVersion[]>();
    for (const [specifier, version] of locked) {
      const [, registry, name, range] = PACKAGE.exec(specifier) ?? [];
      if (range === undefined) continue;
      const key = `${registry}${name}`;
      // What follows "_" are the versions of its peers.
      const entry = { range: writeOut(range), version: version.replace(/_.*$/, "") };
      versions.set(key, [...versions.get(key) ?? [], entry]);
    }
    return new LockFile(versions, writeOut);
  }

  /** A specifier with the version that is locked for its range; any other as it is. */
  locked(specifier: string): string {
    const [, registry, name, range, path = ""] = PACKAGE.exec(specifier) ?? [];
    const versions = this.#versions.get(`${registry}${name}`);
    if (range === undefined || versions === undefined) return specifier;
    const wanted = this.#writeOut(range);
    const found = versions.find((each) => each.range === wanted);
    return found ? `${registry}${name}@${found.version}${path}` : specifier;
  }
}

async function readText(path: string): Promise<LockFileText> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw new ModuleError(`cannot be read: ${(error as Error).message}`, { path }, {
      cause: error,
    });
  }
  try {
    return JSON.parse(text) ?? {};
  } catch (error) {
    throw new ModuleError(`not JSON: ${(error as Error).message}`, { path }, { cause: error });
  }
}
