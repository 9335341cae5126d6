/**
 * The development ensemble of a single module.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { isServerId, REGISTRY_ID } from "../../runtime/actor/references.ts";
import { ModuleError } from "../../runtime/code/source_map.ts";
import { ownServerId } from "../modules/entry_point.ts";
import { absolutePath, ModuleReader } from "../modules/module_reader.ts";
import { findProject } from "../modules/project.ts";
import type { DevelopmentPlan } from "./development.ts";
import { STATE_DIRECTORY } from "./development_state.ts";
import { DEVELOPMENT_GRACE, KILL_AFTER } from "./planned_server.ts";

/** The id of a server whose module has no name that could be one. */
const FALLBACK_ID = "server1";

/** The directory for the state of a module's ensemble: in its project, or else beside the module. */
export async function stateDirectoryOf(file: string): Promise<string> {
  const path = absolutePath(file);
  let directory: string | undefined;
  try {
    ({ directory } = await findProject(path));
  } catch (error) {
    // A wrong configuration is reported when the program is read.
    if (!(error instanceof ModuleError)) throw error;
  }
  return join(directory ?? dirname(path), STATE_DIRECTORY);
}

/**
 * Plans one server that runs a module. Without a given id, it has the one that the program gives to its
 * server, or else the name of the file.
 *
 * @throws {ModuleError} if there is no such file.
 */
export async function planModule(
  file: string,
  { id, args, options }: {
    id: string | undefined;
    args: readonly string[];
    options: readonly string[];
  },
): Promise<DevelopmentPlan> {
  const path = absolutePath(file);
  const server = {
    id: id ?? await writtenId(file) ?? idFrom(path),
    program: { kind: "module" as const, path },
    options: [...options, "--grace", `${DEVELOPMENT_GRACE / 1000}`],
    args,
    env: {},
    workingDirectory: Deno.cwd(),
    after: [],
    stop: { signal: "SIGTERM" as const, killAfter: KILL_AFTER },
  };
  return { servers: [server], files: [] };
}

async function writtenId(file: string): Promise<string | undefined> {
  const reader = await ModuleReader.open(file);
  try {
    const id = await ownServerId(reader);
    return id !== undefined && isServerId(id) && id !== REGISTRY_ID ? id : undefined;
  } catch (error) {
    if (error instanceof ModuleError) return undefined;
    throw error;
  }
}

/** Makes an id of the name of a file. */
function idFrom(path: string): string {
  const name = basename(path).replace(/\.[^.]*$/, "").replaceAll(/[^\w-]+/g, "-");
  return isServerId(name) && name !== REGISTRY_ID ? name : FALLBACK_ID;
}
