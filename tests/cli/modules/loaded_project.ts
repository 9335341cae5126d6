/**
 * Loading the modules of temporary projects into stores.
 *
 * @module
 */
import { buildProgram, loadRequest } from "../../../cli/modules/program.ts";
import { type LoadResult, UnitStore } from "../../../runtime/code/unit_store.ts";
import type { TemporaryProject } from "./temporary_project.ts";

/** Opens an empty store inside the project's directory. */
export async function openStore(project: TemporaryProject): Promise<UnitStore> {
  return await UnitStore.open(project.path("loader.d"));
}

/** Does what the `load` command does, as `tester@host`; tells how many units had to be shipped. */
export async function load(
  store: UnitStore,
  file: string,
  libraryPrefixes: string[] = [],
): Promise<LoadResult & { shipped: number }> {
  const program = await buildProgram(file, { libraryPrefixes });
  const missing = store.missing(program.units.map(({ hash }) => hash));
  await store.add(program.units.filter(({ hash }) => missing.includes(hash)));
  return { shipped: missing.length, ...await store.load(loadRequest(program, "tester@host")) };
}
