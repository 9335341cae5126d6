/**
 * The first module of an executable whose program is a module with `main`: it does what `gxensemble run` does for it.
 *
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import { evaluationOrder } from "../../runtime/code/unit_tree.ts";
import type { Unit } from "../../runtime/code/unit.ts";
import { buildProgram } from "../modules/program.ts";

/** What an executable says of itself. */
export interface ServerModuleOptions {
  /** The directory to write to, which exists. */
  readonly directory: string;
  /** What the program is called. */
  readonly name: string;
  /** Its version, where its project says. */
  readonly version: string | undefined;
}

/**
 * Writes the module; gives its path.
 *
 * The modules of the program are named as `run` names them. So a server that is an executable shares them with code that
 * is loaded later, as one that was started by `run` does.
 *
 * @throws {ModuleError} at the file and line that cannot be read, parsed or resolved.
 */
export async function writeServerModule(
  file: string,
  { directory, name, version }: ServerModuleOptions,
): Promise<string> {
  const { entry, units } = await buildProgram(file);
  const order = evaluationOrder(entry, new Map(units.map((unit) => [unit.hash, unit]))).flat();
  const [first, ...others] = order.toSorted((unit) => unit.hash === entry ? -1 : 0)
    .filter(isPlainModule);
  const modules = [first!, ...others];
  await Deno.writeTextFile(
    join(directory, "modules.js"),
    [
      ...modules.map(({ path }, index) =>
        `import * as module${index} from ${JSON.stringify(pathToFileURL(path).href)};`
      ),
      "export const modules = [",
      ...modules.map(({ module, path, hash }, index) =>
        `  { ...${JSON.stringify({ module, path, hash })}, namespace: module${index} },`
      ),
      "];",
      "",
    ].join("\n"),
  );
  const path = join(directory, "server.js");
  await Deno.writeTextFile(
    path,
    `import { currentServer, runServer } from ${JSON.stringify(RUNTIME_MODULE)};
async function main(...args) {
  const { modules } = await import("./modules.js");
  currentServer().adopt(modules, ${JSON.stringify(name)});
  return await modules[0].namespace.main(...args);
}
Deno.exit(await runServer(main, ${JSON.stringify({ name, version })}));
`,
  );
  return path;
}

/** Whether a unit is a file as it is imported by itself, and not the data in one. */
function isPlainModule({ module, path }: Unit): boolean {
  return path.endsWith(module) && !path.endsWith(".wasm");
}
