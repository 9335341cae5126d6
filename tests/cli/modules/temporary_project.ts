/**
 * Projects on disk for tests.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { ModuleReader, type ReaderOptions } from "../../../cli/modules/module_reader.ts";
import {
  type BuildOptions,
  buildUnits,
  type UnitTree,
} from "../../../cli/modules/unit_building.ts";
import type { ModuleNamespace } from "../../../runtime/code/library_table.ts";
import { type LoadOutcome, UnitStore } from "../../../runtime/code/unit_store.ts";

/** A directory of source files that is removed when disposed. */
export class TemporaryProject implements AsyncDisposable {
  /** Its absolute path. */
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Makes a project of these files, by relative path; objects are written as JSON. */
  static async make(files: Record<string, string | object>): Promise<TemporaryProject> {
    const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "gxensemble-test-" }));
    const project = new TemporaryProject(directory);
    for (const [path, content] of Object.entries(files)) await project.write(path, content);
    return project;
  }

  /** The absolute path of a file in it. */
  path(path: string): string {
    return join(this.directory, path);
  }

  /** Writes a file, and makes its directories. */
  async write(path: string, content: string | object): Promise<void> {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await Deno.mkdir(dirname(this.path(path)), { recursive: true });
    await Deno.writeTextFile(this.path(path), text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Opens an empty store inside the project's directory. */
export async function openStore(project: TemporaryProject): Promise<UnitStore> {
  return await UnitStore.open(project.path("loader.d"));
}

/** Builds the units of the module in `file` and of everything it imports. */
export async function build(
  file: string,
  options: ReaderOptions & BuildOptions = {},
): Promise<UnitTree> {
  return await buildUnits(await ModuleReader.open(file, options), options);
}

/** Does what the `load` command does, as `tester@host`, and returns the number of shipped units. */
export async function load(
  store: UnitStore,
  file: string,
  libraryPrefixes: string[] = [],
): Promise<SortedOutcomes & { namespace: ModuleNamespace; shipped: number }> {
  const { units, request, mapped } = await build(file, { libraryPrefixes });
  const missing = store.missing(units.map(({ hash }) => hash));
  await store.add(units.filter(({ hash }) => missing.includes(hash)).map(mapped));
  const { namespace, outcomes } = await store.load({ ...request, by: "tester@host" });
  return { namespace, shipped: missing.length, ...sorted(outcomes) };
}

/** The modules of a load, by what the load did with them. */
export type SortedOutcomes = Record<
  "loaded" | "restored" | "installed" | "rerun" | "already",
  LoadOutcome[]
>;

/** Groups modules by what a load did with them. */
export function sorted(outcomes: LoadOutcome[]): SortedOutcomes {
  return {
    loaded: outcomes.filter(({ loaded }) => loaded),
    restored: outcomes.filter(({ restored }) => restored),
    installed: outcomes.filter(({ installed }) => installed),
    rerun: outcomes.filter(({ rerun }) => rerun),
    already: outcomes.filter(({ loaded, restored, rerun }) => !loaded && !restored && !rerun),
  };
}

/** Splits a text into files, each after a line `== its/path`. */
export function filesOf(text: string): Record<string, string> {
  const [, ...parts] = text.split(/^== (.+)\n/m);
  const files: Record<string, string> = {};
  for (let index = 0; index < parts.length; index += 2) files[parts[index]!] = parts[index + 1]!;
  return files;
}
