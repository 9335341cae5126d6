/**
 * Type checks, as `deno check` does them.
 *
 * @module
 */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { denoReason, findDeno, runDeno } from "../kit/deno_program.ts";
import { findProject } from "./project.ts";
import { runtimeModule } from "./runtime_module.ts";

/**
 * Checks the types of the module in `file`, a path or `file:` URL, and of what it imports. A project that
 * does not say where the runtime is gets this one.
 *
 * @throws {EnsembleError} with what Deno says when they are wrong, or there is no Deno to ask.
 */
export async function checkTypes(file: string): Promise<void> {
  const path = file.startsWith("file:") ? fileURLToPath(file) : resolve(file);
  const { importMap, directory = dirname(path) } = await findProject(path);
  const work = await Deno.makeTempDir({ prefix: "gxensemble-" });
  try {
    const args = ["check", "--quiet"];
    if (importMap.resolve(RUNTIME_MODULE, pathToFileURL(path).href) === undefined) {
      const map = importMap.toJSON({
        [RUNTIME_MODULE]: await runtimeModule(join(work, "runtime")),
      });
      await Deno.writeTextFile(join(work, "import_map.json"), JSON.stringify(map));
      args.push(`--import-map=${join(work, "import_map.json")}`);
    }
    const { success, said } = await runDeno(await findDeno(), [...args, path], {
      cwd: directory,
      signal: new AbortController().signal,
    });
    if (!success) throw new EnsembleError(`the types of ${path} are wrong:\n${denoReason(said)}`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
