/**
 * Makes a configuration from the values of a file without errors: fills in defaults, resolves paths,
 * numbers workers, and finds who has which capabilities where.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { DEFAULT_LEASE } from "../../registry/store.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { DEFAULT_GRACE } from "../../runtime/ensemble/start_options.ts";
import type {
  Configuration,
  EnvironmentValue,
  HealthConfiguration,
  LogConfiguration,
  ProcessConfiguration,
  ProgramConfiguration,
  RegistryConfiguration,
  RestartConfiguration,
  RoleConfiguration,
  ServerConfiguration,
  SupervisorConfiguration,
} from "./configuration.ts";
import {
  HEALTH,
  KILL_AFTER_GRACE,
  OUTPUT,
  RESTART,
  START,
  STOP_SIGNAL,
  UPLOAD_LIMIT,
} from "./defaults.ts";
import {
  type FileValue,
  readLevel,
  type RegistryValue,
  ROLE_MARK,
  type RoleValue,
  type SupervisorValue,
} from "./fields.ts";
import { mergeRole, type NamedServer, namedServers, restartObject } from "./inheritance.ts";

/** What paths in a file are relative to. */
export interface ResolutionOptions {
  /** The absolute path of the file. */
  readonly path: string;
  /** The directory of the ensemble's state. */
  readonly directory: string;
}

/** Makes the configuration that a file without errors describes. */
export function resolveConfiguration(file: FileValue, options: ResolutionOptions): Configuration {
  const { path, directory } = options;
  const base = dirname(path);
  const named = namedServers(file);
  const table = new ServerTable(named);
  const grants = grantsIn(named, table);
  const registry = registryFields(file.registry);
  const roles = Object.entries(file.roles ?? {}).map(([name, role]) => {
    const merged = mergeRole(role, {});
    return [name, {
      ...resolveProcess(merged, base),
      ...resolveServer(merged, name),
      program: programOf(merged, base),
      after: table.resolve(merged.after),
      capabilities: capabilitiesOf(merged, { granted: grants.get(`${ROLE_MARK}${name}`), table }),
    }] as const satisfies [string, RoleConfiguration];
  });
  return {
    path,
    ...registry && { registry: resolveRegistry(registry, base) },
    roles: Object.fromEntries(roles),
    servers: named.map(({ id, own, merged, role, hosts }): ServerConfiguration => ({
      id,
      hosts,
      enabled: own.enabled ?? true,
      ...resolveProcess(merged, base),
      ...resolveServer(merged, role!),
      program: programOf(merged, base)!,
      after: table.resolve(merged.after),
      capabilities: capabilitiesOf(merged, { granted: grants.get(id), table }),
    })),
    workers: (file.workers ?? []).map(({ role, prefix, count, host }) => ({
      role: role!,
      prefix: prefix!,
      count: count!,
      hosts: host === undefined ? undefined : [host],
    })),
    supervisor: resolveSupervisor(file.supervisor ?? {}, { base, directory }),
  };
}

/** The fields of the registry; undefined if there is none. */
export function registryFields(registry: FileValue["registry"]): RegistryValue | undefined {
  return registry === true ? {} : registry || undefined;
}

/** The ids of servers, and those of each role. */
export class ServerTable {
  /** All ids. */
  readonly ids: ReadonlySet<string>;
  readonly #byRole: ReadonlyMap<string | undefined, readonly string[]>;
  /** Servers of a role wait for the same ones, of which there may be many. */
  readonly #resolved = new Map<string, readonly string[]>();

  /** Makes the table of all servers of a file. */
  constructor(servers: readonly NamedServer[]) {
    this.ids = new Set(servers.map(({ id }) => id));
    const groups = Map.groupBy(servers, ({ role }) => role);
    this.#byRole = new Map(
      groups.entries().map(([role, group]) => [role, group.map(({ id }) => id).sort()]),
    );
  }

  /** The ids of the servers of a role, sorted. */
  ofRole(role: string): readonly string[] {
    return this.#byRole.get(role) ?? [];
  }

  /** The ids that names mean, each of which is an id, a role, or both. Sorted. */
  resolve(names: readonly string[] = []): readonly string[] {
    const key = JSON.stringify(names);
    let ids = this.#resolved.get(key);
    if (!ids) this.#resolved.set(key, ids = this.#idsOf(names));
    return ids;
  }

  #idsOf(names: readonly string[]): string[] {
    const ids = names.flatMap((name) => [
      ...this.ids.has(name) ? [name] : [],
      ...this.ofRole(name),
    ]);
    return [...new Set(ids)].sort();
  }

  /** The ids that a key of capabilities means: an id, or the role in `role:<role>`. */
  holders(key: string): readonly string[] {
    return key.startsWith(ROLE_MARK) ? this.ofRole(key.slice(ROLE_MARK.length)) : [key];
  }
}

/** An absolute path from a path or a `file:` URL. */
export function absoluteFrom(base: string, path: string): string {
  return path.startsWith("file:") ? fileURLToPath(path) : resolve(base, path);
}

/** The directory in which a process runs. */
export function workingDirectoryOf(
  { workingDirectory }: { readonly workingDirectory?: string },
  base: string,
): string {
  return workingDirectory === undefined ? base : absoluteFrom(base, workingDirectory);
}

/** By the id of a server, or `role:<role>`: the capabilities of others there, by id. */
type Grants = Map<string, Map<string, readonly string[]>>;

function grantsIn(servers: readonly NamedServer[], table: ServerTable): Grants {
  const grants: Grants = new Map();
  for (const { id, merged } of servers) {
    for (const [key, capabilities] of Object.entries(merged.capabilities?.granted ?? {})) {
      for (const place of new Set([key, ...table.holders(key)])) {
        let holders = grants.get(place);
        if (!holders) grants.set(place, holders = new Map());
        holders.set(id, [...holders.get(id) ?? [], ...capabilities]);
      }
    }
  }
  return grants;
}

function capabilitiesOf(
  { capabilities }: RoleValue,
  { granted = new Map(), table }: {
    readonly granted: ReadonlyMap<string, readonly string[]> | undefined;
    readonly table: ServerTable;
  },
): Record<string, readonly string[]> {
  const all = new Map<string, Set<string>>();
  const add = (id: string, names: readonly string[]) =>
    all.set(id, new Set([...all.get(id) ?? [], ...names]));
  for (const [key, names] of Object.entries(capabilities?.given ?? {})) {
    for (const id of table.holders(key)) add(id, names);
  }
  for (const [id, names] of granted) add(id, names);
  return Object.fromEntries([...all].sort().map(([id, names]) => [id, [...names].sort()]));
}

/** What all processes have; `merged` are the fields of a server or of the registry. */
function resolveProcess(
  merged: RoleValue | RegistryValue,
  base: string,
): Omit<ProcessConfiguration, "id" | "hosts" | "enabled" | "after"> {
  const workingDirectory = workingDirectoryOf(merged, base);
  const from = (path: string) => absoluteFrom(workingDirectory, path);
  const grace = "grace" in merged ? merged.grace : undefined;
  return {
    env: Object.fromEntries(
      Object.entries(merged.env ?? {}).map(([name, value]): [string, EnvironmentValue] => [
        name,
        typeof value === "string" ? value : { file: from(value.file!) },
      ]),
    ),
    envFiles: (merged.envFiles ?? []).map(from),
    listen: merged.listen ?? [],
    announce: merged.announce,
    log: resolveLog(merged.log, workingDirectory),
    http: merged.http === undefined ? undefined : String(merged.http),
    httpToken: merged.httpToken === undefined ? undefined : from(merged.httpToken),
    loader: merged.loader ?? true,
    restart: resolveRestart(merged.restart),
    start: { timeout: merged.start?.timeout ?? START.timeout },
    stop: {
      signal: merged.stop?.signal ?? STOP_SIGNAL,
      killAfter: merged.stop?.killAfter ?? (grace ?? DEFAULT_GRACE) + KILL_AFTER_GRACE,
    },
    health: resolveHealth(merged.health),
    memoryLimit: merged.memoryLimit,
    workingDirectory,
    user: merged.user,
    output: { size: merged.output?.size ?? OUTPUT.size, keep: merged.output?.keep ?? OUTPUT.keep },
  };
}

function resolveServer(
  merged: RoleValue,
  role: string,
): Pick<ServerConfiguration, "role" | "args" | "roles" | "registry" | "grace" | "deny"> {
  return {
    role,
    args: merged.args ?? [],
    roles: merged.roles ?? [role],
    registry: merged.registry ?? [],
    grace: merged.grace ?? DEFAULT_GRACE,
    deny: merged.deny ?? [],
  };
}

function programOf(merged: RoleValue, base: string): ProgramConfiguration | undefined {
  const from = (path: string) => absoluteFrom(workingDirectoryOf(merged, base), path);
  if (merged.module !== undefined) return { kind: "module", path: from(merged.module) };
  if (merged.executable === undefined) return undefined;
  return { kind: merged.plain ? "plain" : "executable", path: from(merged.executable) };
}

function resolveRegistry(merged: RegistryValue, base: string): RegistryConfiguration {
  const process = resolveProcess(merged, base);
  const from = (path: string | undefined) =>
    path === undefined ? undefined : absoluteFrom(process.workingDirectory, path);
  const { host } = merged;
  return {
    id: REGISTRY_ID,
    hosts: typeof host === "string" ? [host] : host,
    enabled: true,
    ...process,
    after: [],
    store: merged.store ?? "sqlite:",
    storeUser: merged.storeUser,
    storePasswordFile: from(merged.storePasswordFile),
    storeCa: from(merged.storeCa),
    storeCert: from(merged.storeCert),
    storeKey: from(merged.storeKey),
    lease: merged.lease ?? DEFAULT_LEASE,
  };
}

function resolveSupervisor(
  fields: SupervisorValue,
  { base, directory }: { readonly base: string; readonly directory: string },
): SupervisorConfiguration {
  const { listen = [], announce, registry = [], log, http, httpToken, uploads } = fields;
  return {
    listen,
    announce,
    registry,
    log: resolveLog(log, base),
    http: http === undefined ? undefined : String(http),
    httpToken: httpToken === undefined ? undefined : absoluteFrom(base, httpToken),
    executor: fields.executor ?? false,
    filesystem: fields.filesystem ?? false,
    uploads: {
      directory: uploads?.directory === undefined
        ? `${directory}/uploads`
        : absoluteFrom(base, uploads.directory),
      limit: uploads?.limit ?? UPLOAD_LIMIT,
    },
  };
}

function resolveLog(log: RoleValue["log"] = {}, base: string): LogConfiguration {
  const { level = "INFO", format = "text", file } = log;
  const path = file === undefined || file === "-" ? file : absoluteFrom(base, file);
  return { level: readLevel(level), format, file: path };
}

function resolveRestart(restart: RoleValue["restart"]): RestartConfiguration {
  const { policy, backoff, intensity, resetAfter } = restartObject(restart);
  return {
    policy: policy ?? RESTART.policy,
    backoff: { ...RESTART.backoff, ...backoff },
    intensity: { ...RESTART.intensity, ...intensity },
    resetAfter: resetAfter ?? RESTART.resetAfter,
  };
}

function resolveHealth(health: RoleValue["health"]): HealthConfiguration | undefined {
  if (!health) return undefined;
  const { expression, interval = HEALTH.interval, timeout, failures, startAfter } = health === true
    ? {} as Exclude<typeof health, boolean>
    : health;
  return {
    expression,
    interval,
    timeout: timeout ?? HEALTH.timeout,
    failures: failures ?? HEALTH.failures,
    startAfter: startAfter ?? interval,
  };
}
