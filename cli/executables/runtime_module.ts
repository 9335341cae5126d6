/**
 * Where programs that are compiled find the runtime, when their project does not say.
 *
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { forBundler } from "./bundle.ts";

const SOURCE = new URL("../../mod.ts", import.meta.url);

/**
 * The URL of the runtime that this program is a part of. A bundle has it beside the program, as
 * `mod.js`: its files are put into `directory`, where another Deno finds them too.
 */
export async function runtimeModule(directory: string): Promise<string> {
  const bundle = bundleDirectory();
  if (bundle === undefined) return SOURCE.href;
  await copyScripts(bundle, directory);
  return pathToFileURL(join(directory, "mod.js")).href;
}

/** The directory of the bundle that this module is in; undefined among the sources. */
function bundleDirectory(): string | undefined {
  return import.meta.url.endsWith(".ts") ? undefined : import.meta.dirname;
}

async function copyScripts(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) {
    if (!name.endsWith(".js")) continue;
    await Deno.writeTextFile(join(to, name), forBundler(await Deno.readTextFile(join(from, name))));
  }
}
