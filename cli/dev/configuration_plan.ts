/**
 * The development ensemble of a configuration: all its servers, whatever host they are for.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { isThere } from "../../runtime/home/files.ts";
import {
  EVERY_HOST,
  type ServerConfiguration,
} from "../../supervisor/configuration/configuration.ts";
import {
  readConfiguration,
  wrongConfiguration,
} from "../../supervisor/configuration/configuration_reading.ts";
import { runOptions } from "../../supervisor/configuration/process_command.ts";
import { processEnvironment } from "../../supervisor/configuration/process_environment.ts";
import type { DevelopmentPlan } from "./development.ts";
import { formatIds } from "./formats.ts";
import { DEVELOPMENT_GRACE, KILL_AFTER, type PlannedServer } from "./planned_server.ts";

/** The name of the file in a directory. */
const FILE = "ensemble.jsonc";

/** The path of the configuration that is meant by a file or directory; undefined if it is a module. */
export function configurationPath(target: string): string | undefined {
  const path = resolve(target);
  if (isDirectory(path)) return resolve(path, FILE);
  return /\.jsonc?$/.test(path) ? path : undefined;
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/**
 * Plans the servers of a configuration. Where they listen and log for others is left out, since they have a
 * registry of their own, and their output is on the terminal.
 *
 * @param path the absolute path of the file.
 * @param ids the servers to run; all that are enabled if empty.
 * @returns a plan that says what is wrong, if the configuration is.
 * @throws {EnsembleError} if there is no configuration, or it has no such servers.
 */
export async function planConfiguration(
  path: string,
  ids: readonly string[],
): Promise<DevelopmentPlan> {
  if (!await isThere(path)) {
    throw new EnsembleError(
      `there is no ${path}: name a module to run, or make a configuration with gxensemble config init`,
    );
  }
  const { configuration, problems, files: named } = await readConfiguration(path, {
    directory: dirname(path),
    host: EVERY_HOST,
    servers: ids,
  });
  if (!configuration) {
    const error = wrongConfiguration(path, problems).message;
    return { servers: [], files: [path, ...named], error };
  }
  const { servers } = configuration;
  const known = new Set(servers.map(({ id }) => id));
  const unknown = ids.filter((id) => !known.has(id));
  if (unknown.length > 0) {
    throw new EnsembleError(
      `${path} has no server ${unknown.join(", ")}; it has ${formatIds([...known])}`,
    );
  }
  const chosen = servers.filter(({ id, enabled }) => ids.length > 0 ? ids.includes(id) : enabled);
  if (chosen.length === 0) {
    throw new EnsembleError(`${path} has no servers that are enabled: add one, or name some`);
  }
  const files = [...new Set([path, ...chosen.flatMap(filesOf)])];
  try {
    return { servers: await Promise.all(chosen.map(planServer)), files };
  } catch (error) {
    // A file of variables may have become wrong since it was checked.
    if (error instanceof EnsembleError) return { servers: [], files, error: error.message };
    throw error;
  }
}

async function planServer(server: ServerConfiguration): Promise<PlannedServer> {
  const { id, program, args, workingDirectory, after, stop, log } = server;
  const options = runOptions({
    ...server,
    listen: [],
    announce: undefined,
    registry: [],
    capabilities: {},
    grace: Math.min(server.grace, DEVELOPMENT_GRACE),
    log: { level: log.level, format: "text", file: undefined },
  });
  const env = await processEnvironment(server);
  return {
    id,
    program,
    options,
    args,
    env,
    workingDirectory,
    after,
    stop: { ...stop, killAfter: Math.min(stop.killAfter, KILL_AFTER) },
  };
}

/** The files from which a server gets its environment. */
function filesOf({ env, envFiles }: ServerConfiguration): string[] {
  const secrets = Object.values(env).flatMap((value) =>
    typeof value === "string" ? [] : [value.file]
  );
  return [...envFiles, ...secrets];
}
