/**
 * The part of a configuration that one host needs: a server with its role, or all servers of a
 * supervisor's host.
 *
 * @module
 */
import { parse } from "npm:jsonc-parser@^3.3.1";
import { EnsembleError } from "../../runtime/errors.ts";
import {
  type Configuration,
  hostLabel,
  NO_HOST,
  type RegistryConfiguration,
  runsOn,
  type ServerConfiguration,
} from "../../supervisor/configuration/configuration.ts";
import {
  readConfiguration,
  wrongConfiguration,
} from "../../supervisor/configuration/configuration_reading.ts";
import { ROLE_MARK, SUPERVISOR_PREFIX } from "../../supervisor/configuration/fields.ts";
import { workerIds } from "../../supervisor/configuration/inheritance.ts";

/** Fields as they stand in the file. */
type Fields = Record<string, unknown>;

/** The file as it stands. */
interface RawFile {
  readonly registry?: unknown;
  readonly roles?: Record<string, Fields>;
  readonly servers?: Record<string, Fields>;
  readonly workers?: readonly (Fields & { readonly prefix: string; readonly count: number })[];
  readonly supervisor?: Fields;
}

/** A part of a configuration. */
export interface ConfigurationPart {
  /** Its text. */
  readonly text: string;
  /** The servers in it. */
  readonly servers: readonly string[];
  /** Files that it names, which are not in the package: programs, and secrets. */
  readonly files: readonly string[];
  /** Whether the registry of the ensemble runs on its host. */
  readonly hasRegistry: boolean;
  /** The addresses of the registry for other hosts. */
  readonly registryAddresses: readonly string[];
}

/**
 * The part of a server, or of a supervisor `supervisor-<host>` with all servers of that host.
 *
 * Names of servers and roles that are not in it are left out. What others in the file may do in a
 * server is written to the server, since they are not there.
 *
 * @returns undefined if the configuration says nothing about the server.
 * @throws {EnsembleError} if the configuration is wrong.
 */
export async function configurationPart(
  path: string,
  { id, directory }: { readonly id: string; readonly directory: string },
): Promise<ConfigurationPart | undefined> {
  const host = id.startsWith(SUPERVISOR_PREFIX) ? id.slice(SUPERVISOR_PREFIX.length) : undefined;
  // The files of its hosts are not here.
  const reading = await readConfiguration(path, { directory, host: NO_HOST });
  const { configuration, text } = reading;
  if (!configuration) throw wrongConfiguration(path, reading.problems);
  const servers = configuration.servers.filter((server) =>
    host === undefined ? server.id === id : runsOn(server, hostLabel(host))
  );
  const registry = registryOn(configuration, host ?? servers[0]?.hosts?.[0]);
  if (servers.length === 0 && host === undefined) return undefined;
  const raw = parse(text.replace(/^\ufeff/, "")) as RawFile;
  const part = partOf(raw, { servers, hasRegistry: host !== undefined && registry.isHere });
  const about = host === undefined ? id : `the host ${host}`;
  return {
    text: `// The part of ${about} in the ensemble's configuration.\n${
      JSON.stringify(part, undefined, 2)
    }\n`,
    servers: servers.map(({ id }) => id),
    files: namedFiles({
      servers,
      registry: host !== undefined && registry.isHere ? configuration.registry : undefined,
      supervisor: configuration.supervisor,
    }),
    hasRegistry: registry.isHere,
    registryAddresses: registry.addresses,
  };
}

function registryOn(
  { registry }: Configuration,
  host: string | undefined,
): { readonly isHere: boolean; readonly addresses: readonly string[] } {
  if (!registry) return { isHere: false, addresses: [] };
  return {
    isHere: host !== undefined && runsOn(registry, hostLabel(host)),
    addresses: registry.announce ?? registry.listen,
  };
}

function partOf(
  raw: RawFile,
  { servers, hasRegistry }: {
    readonly servers: readonly ServerConfiguration[];
    readonly hasRegistry: boolean;
  },
): object {
  const ids = new Set(servers.map(({ id }) => id));
  const roles = new Set(servers.map(({ role }) => role));
  const known = (name: string) => ids.has(name) || roles.has(name) || name === "registry";
  const own = servers.map((server) => {
    const { prefix: _prefix, count: _count, ...fields } = fieldsOf(raw, server.id);
    return [server.id, withRights(reduced(fields, known), server)] as const;
  });
  return {
    ...hasRegistry && raw.registry !== undefined && { registry: raw.registry },
    roles: Object.fromEntries(
      [...roles].map((role) => [role, reduced(raw.roles?.[role] ?? {}, known)]),
    ),
    servers: Object.fromEntries(own),
    ...raw.supervisor && { supervisor: raw.supervisor },
  };
}

/** The own fields of a server, or of the group of workers that it belongs to. */
function fieldsOf(raw: RawFile, id: string): Fields {
  if (raw.servers && Object.hasOwn(raw.servers, id)) return raw.servers[id]!;
  const group = raw.workers?.find((workers) => workerIds(workers).includes(id));
  if (!group) throw new EnsembleError(`${id} has no place in the configuration`);
  return group;
}

/** Leaves out names of servers and roles that are not in the part, and rights in others. */
function reduced(fields: Fields, known: (name: string) => boolean): Fields {
  const { after, capabilities, ...rest } = fields;
  const given = (capabilities as Record<string, Fields> | undefined)?.given;
  const ofOthers = Object.entries(given ?? {}).filter(([key]) =>
    !key.startsWith(ROLE_MARK) || known(key.slice(ROLE_MARK.length))
  );
  return {
    ...rest,
    ...Array.isArray(after) && { after: after.filter((name) => known(String(name))) },
    ...ofOthers.length > 0 && { capabilities: { given: Object.fromEntries(ofOthers) } },
  };
}

/** Writes what others may do in a server to its own fields. */
function withRights(fields: Fields, { capabilities }: ServerConfiguration): Fields {
  return Object.keys(capabilities).length > 0
    ? { ...fields, capabilities: { given: capabilities } }
    : fields;
}

function namedFiles({ servers, registry, supervisor }: {
  readonly servers: readonly ServerConfiguration[];
  readonly registry: RegistryConfiguration | undefined;
  readonly supervisor: Configuration["supervisor"];
}): string[] {
  const files = [...registry ? [registry] : [], ...servers].flatMap(
    ({ env, envFiles, httpToken }) => [
      ...envFiles,
      httpToken,
      ...Object.values(env).flatMap((value) => typeof value === "string" ? [] : value.file),
    ],
  );
  const { storePasswordFile, storeCa, storeCert, storeKey } = registry ?? {};
  const all = [
    ...servers.map(({ program }) => program.path),
    ...files,
    ...[storePasswordFile, storeCa, storeCert, storeKey, supervisor.httpToken],
  ];
  return [...new Set(all.filter((path) => path !== undefined))].sort();
}
