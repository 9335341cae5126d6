/**
 * A configuration as it is shown: in the notation of the file, with all defaults. A secret is shown
 * as the file that has it.
 *
 * @module
 */
import { formatLogLevel } from "../../runtime/home/log_options.ts";
import { formatDuration, formatSize } from "../../runtime/measures.ts";
import type {
  Configuration,
  LogConfiguration,
  ProcessConfiguration,
  RegistryConfiguration,
  RoleConfiguration,
  ServerConfiguration,
  SupervisorConfiguration,
} from "./configuration.ts";

type KeptProcess = Omit<ProcessConfiguration, "id" | "hosts" | "enabled" | "after">;

/** A value of JSON with names. */
export type ShownFields = Readonly<Record<string, unknown>>;

/**
 * Shows a configuration. It reads as a file that means the same, in which workers are servers, and
 * what a server has from its role is its own.
 */
export function shownConfiguration(
  { registry, roles, servers, supervisor }: Omit<Configuration, "path" | "workers">,
): ShownFields {
  const shownRoles = Object.entries(roles).map(([name, role]) => [name, escaped(shownRole(role))]);
  return {
    registry: registry ? shownProcess(registry) : false,
    roles: Object.fromEntries(shownRoles),
    servers: Object.fromEntries(servers.map((server) => [server.id, shownProcess(server)])),
    supervisor: escaped(shownSupervisor(supervisor)),
  };
}

/** Shows a process, as its field in the file would be. */
export function shownProcess(process: ServerConfiguration | RegistryConfiguration): ShownFields {
  return escaped("program" in process ? shownServer(process) : shownRegistry(process));
}

function shownServer(server: ServerConfiguration): ShownFields {
  const { role, hosts, enabled } = server;
  return { role, ...hosts && { host: hosts[0] }, enabled, ...shownRole(server) };
}

function shownRole(role: RoleConfiguration): ShownFields {
  const { program, args, roles, registry, grace, deny, after } = role;
  const own = {
    ...program && { [program.kind === "module" ? "module" : "executable"]: program.path },
    args,
    after,
  };
  if (program?.kind === "plain") return { ...own, plain: true, ...shownKeeping(role) };
  return {
    ...own,
    roles,
    ...registry.length > 0 && { registry },
    grace: formatDuration(grace),
    deny,
    capabilities: { given: role.capabilities },
    ...shownServing(role),
    ...shownKeeping(role),
  };
}

function shownRegistry(registry: RegistryConfiguration): ShownFields {
  const { hosts, store, storeUser, storePasswordFile, storeCa, storeCert, storeKey } = registry;
  const host = hosts?.length === 1 ? hosts[0] : hosts;
  return {
    ...host && { host },
    store,
    ...present({ storeUser, storePasswordFile, storeCa, storeCert, storeKey }),
    lease: formatDuration(registry.lease),
    ...shownServing(registry),
    ...shownKeeping(registry),
  };
}

function shownSupervisor(supervisor: SupervisorConfiguration): ShownFields {
  const { listen, announce, registry, http, httpToken, executor, filesystem } = supervisor;
  const { directory, limit } = supervisor.uploads;
  return {
    listen,
    ...present({ announce }),
    ...registry.length > 0 && { registry },
    log: shownLog(supervisor.log),
    ...present({ http, httpToken }),
    executor,
    filesystem,
    uploads: { directory, limit: formatSize(limit) },
  };
}

/** What a server of the ensemble has. */
function shownServing(
  { listen, announce, log, http, httpToken, loader, health }: KeptProcess,
): ShownFields {
  return {
    listen,
    ...present({ announce }),
    log: shownLog(log),
    ...present({ http, httpToken }),
    loader,
    health: health
      ? {
        ...health.expression === undefined ? { ping: true } : { expression: health.expression },
        interval: formatDuration(health.interval),
        timeout: formatDuration(health.timeout),
        failures: health.failures,
        startAfter: formatDuration(health.startAfter),
      }
      : false,
  };
}

/** How any process is kept running. */
function shownKeeping(process: KeptProcess): ShownFields {
  const { env, envFiles, restart, start, stop, memoryLimit, workingDirectory, user, output } =
    process;
  const { policy, backoff, intensity } = restart;
  return {
    env,
    envFiles,
    workingDirectory,
    ...present({ user }),
    restart: {
      policy,
      backoff: {
        min: formatDuration(backoff.min),
        max: formatDuration(backoff.max),
        factor: backoff.factor,
      },
      intensity: { restarts: intensity.restarts, within: formatDuration(intensity.within) },
      resetAfter: formatDuration(restart.resetAfter),
    },
    start: { timeout: formatDuration(start.timeout) },
    stop: { signal: stop.signal, killAfter: formatDuration(stop.killAfter) },
    ...memoryLimit !== undefined && { memoryLimit: formatSize(memoryLimit) },
    output: { size: formatSize(output.size), keep: output.keep },
  };
}

function shownLog({ level, format, file }: LogConfiguration) {
  return { level: formatLogLevel(level), format, ...present({ file }) };
}

/** The values that there are. */
function present(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** Escapes what would be variables in the texts of a value. */
function escaped(value: ShownFields): ShownFields {
  return JSON.parse(
    JSON.stringify(
      value,
      (_, part) => typeof part === "string" ? part.replaceAll("${", () => "$${") : part,
    ),
  );
}
