/**
 * Checks of a configuration that concern several fields: names that refer to others, the order of
 * starts, and fields that exclude or need each other.
 *
 * @module
 */
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { DEFAULT_GRACE } from "../../runtime/ensemble/start_options.ts";
import { formatDuration } from "../../runtime/measures.ts";
import { didYouMean, nearest } from "../../runtime/near_names.ts";
import { quoted } from "../../runtime/safe_text.ts";
import {
  formatAddressUrl,
  formatEndpoint,
  isLoopback,
  parseAddresses,
} from "../../runtime/wire/address.ts";
import { parseHttpAddress } from "../../runtime/wire/http_address.ts";
import { InvalidInputError } from "../../runtime/errors.ts";
import { EVERY_HOST, NO_HOST } from "./configuration.ts";
import { RESTART } from "./defaults.ts";
import { type ConfigurationDocument, type FieldPath, formatPath } from "./document.ts";
import { type FileValue, ROLE_MARK, type RoleValue } from "./fields.ts";
import { mergeRole, type NamedServer, restartObject } from "./inheritance.ts";
import { registryFields, type ServerTable } from "./resolution.ts";

/** What the checks look at. */
export interface CheckedFile {
  /** The file as it was read. */
  readonly file: FileValue;
  /** Its servers. */
  readonly servers: readonly NamedServer[];
  /** Those that run where the file is read. */
  readonly here: readonly NamedServer[];
  /** Their ids. */
  readonly table: ServerTable;
  /** The first label of this host's name, or what stands in its place. */
  readonly host: string;
  /** Takes the problems. */
  readonly document: ConfigurationDocument;
}

/** A place where a field of a server is: in its own fields, or in those of its role. */
export function placeOf({ own, path, role }: NamedServer, field: FieldPath): FieldPath {
  let value: unknown = own;
  for (const part of field) value = (value as Record<string, unknown> | undefined)?.[part];
  return value !== undefined || role === undefined
    ? [...path, ...field]
    : ["roles", role, ...field];
}

/** Checks everything that needs no look at the host's files. */
export function checkReferences(checked: CheckedFile): void {
  const { file, servers } = checked;
  checkRoles(checked);
  checkIds(checked);
  checkAfter(checked);
  checkCycles(checked);
  checkCapabilities(checked);
  checkHosts(checked);
  for (const server of servers) {
    if (server.role === undefined || !Object.hasOwn(file.roles ?? {}, server.role)) continue;
    checkProgram(checked, server);
    checkFields(checked.document, {
      merged: server.merged,
      place: (field) => placeOf(server, field),
    });
  }
  const used = new Set(servers.map(({ role }) => role));
  for (const [name, role] of Object.entries(file.roles ?? {})) {
    if (used.has(name)) continue;
    const path = ["roles", name];
    const merged = mergeRole(role, {});
    checkProgram(checked, { id: name, own: role, merged, role: undefined, hosts: undefined, path });
    checkFields(checked.document, { merged, place: (field) => [...path, ...field] });
  }
  const registry = registryFields(file.registry);
  if (registry) {
    checkFields(checked.document, { merged: registry, place: (field) => ["registry", ...field] });
  }
  checkHttp(checked.document, {
    merged: file.supervisor ?? {},
    place: (field) => ["supervisor", ...field],
  });
  checkEndpoints(checked);
}

function checkRoles({ file, servers, document }: CheckedFile): void {
  const names = Object.keys(file.roles ?? {});
  for (const { role, path } of servers) {
    if (role === undefined || Object.hasOwn(file.roles ?? {}, role)) continue;
    // One that is there, but wrong, is reported already.
    if (document.has(["roles", role])) continue;
    document.error([...path, "role"], () => {
      const known = names.length > 0
        ? didYouMean(nearest(role, names)) || `; the roles are ${names.slice(0, 10).join(", ")}`
        : "; the file has no roles";
      return `no role is called ${quoted(role)}${known}`;
    });
  }
}

function checkIds({ servers, document }: CheckedFile): void {
  const places = new Map<string, FieldPath>();
  const reported = new Set<unknown>();
  for (const { id, path } of servers) {
    const earlier = places.get(id);
    if (earlier === undefined) {
      places.set(id, path);
      continue;
    }
    const [kind, index] = path;
    // Once for all ids of a group.
    if (kind !== "workers" || reported.has(index)) continue;
    reported.add(index);
    const whose = earlier[0] === "servers" ? "a server" : `one of ${formatPath(earlier)}`;
    document.error([...path, "prefix"], `the id ${id} is already that of ${whose}`);
  }
}

function checkAfter({ file, servers, table, document }: CheckedFile): void {
  const roles = Object.keys(file.roles ?? {});
  const isKnown = (name: string) =>
    name === REGISTRY_ID || table.ids.has(name) || Object.hasOwn(file.roles ?? {}, name);
  const check = (names: readonly string[], place: FieldPath) => {
    for (const [index, name] of names.entries()) {
      if (isKnown(name)) continue;
      document.error([...place, index], () => {
        const suggestion = didYouMean(nearest(name, [...table.ids, ...roles]));
        return `no server or role is called ${quoted(name)}${suggestion}`;
      });
    }
  };
  for (const [name, { after = [] }] of Object.entries(file.roles ?? {})) {
    check(after, ["roles", name, "after"]);
  }
  const disabled = new Set(
    servers.filter(({ own }) => own.enabled === false).map(({ id }) => id),
  );
  for (const server of servers) {
    check(server.own.after ?? [], [...server.path, "after"]);
    if (disabled.size === 0 || server.own.enabled === false) continue;
    const waits = table.resolve(server.merged.after).find((id) => disabled.has(id));
    if (waits === undefined) continue;
    document.warn(
      placeOf(server, ["after"]),
      `${waits} is not enabled, so ${server.id} waits until an operator starts ${waits}`,
    );
  }
}

/** The most cycles that are looked at. A role that waits for itself has as many as pairs of servers. */
const MOST_CYCLES = 1_000;

/** Reports cycles, one for each place where a server is told to wait. */
function checkCycles({ servers, table, document }: CheckedFile): void {
  const byId = new Map(servers.map((server) => [server.id, server]));
  const after = new Map(servers.map(({ id, merged }) => [id, table.resolve(merged.after)]));
  const done = new Set<string>();
  const reported = new Set<string>();
  let cycles = 0;
  for (const { id: start } of servers) {
    // Not recursive, since a chain may be as long as the file.
    const path: string[] = [];
    const onPath = new Set<string>();
    const left: { readonly id: string; readonly next: Iterator<string> }[] = [];
    const enter = (id: string) => {
      path.push(id);
      onPath.add(id);
      left.push({ id, next: after.get(id)![Symbol.iterator]() });
    };
    if (!done.has(start)) enter(start);
    while (left.length > 0) {
      const { id, next } = left.at(-1)!;
      const { value, done: isOver } = next.next();
      if (isOver) {
        done.add(id);
        onPath.delete(id);
        path.pop();
        left.pop();
      } else if (onPath.has(value)) {
        const cycle = path.slice(path.indexOf(value));
        const place = placeOf(byId.get(value)!, ["after"]);
        if (!reported.has(formatPath(place))) {
          const message = cycle.length === 1
            ? `${value} would wait for itself`
            : `these servers would wait for each other: ${shortCycle([...cycle, value])}`;
          document.error(place, message);
        }
        reported.add(formatPath(place));
        if (++cycles >= MOST_CYCLES) return;
      } else if (!done.has(value)) enter(value);
    }
  }
}

function shortCycle(ids: readonly string[]): string {
  const shown = ids.length <= 6 ? ids : [...ids.slice(0, 3), "...", ...ids.slice(-2)];
  return shown.join(" after ");
}

function checkCapabilities({ file, servers, table, document }: CheckedFile): void {
  const roles = Object.keys(file.roles ?? {});
  const check = (fields: RoleValue, path: FieldPath) => {
    for (const kind of ["given", "granted"] as const) {
      for (const key of Object.keys(fields.capabilities?.[kind] ?? {})) {
        const place = [...path, "capabilities", kind, key];
        if (key.startsWith(ROLE_MARK)) {
          const role = key.slice(ROLE_MARK.length);
          if (roles.includes(role)) continue;
          document.error(
            place,
            `no role is called ${quoted(role)}${didYouMean(nearest(role, roles))}`,
            { atName: true },
          );
        } else if (kind === "granted" && !table.ids.has(key)) {
          document.error(
            place,
            `no server in this file is called ${
              quoted(key)
            }: capabilities can be granted only in ` +
              `those of the file${didYouMean(nearest(key, [...table.ids]))}`,
            { atName: true },
          );
        }
      }
    }
  };
  for (const [name, role] of Object.entries(file.roles ?? {})) check(role, ["roles", name]);
  for (const { own, path } of servers) check(own, path);
}

/** What has no host runs everywhere, which is wrong as soon as there are several hosts. */
function checkHosts({ file, servers, document }: CheckedFile): void {
  const registry = registryFields(file.registry);
  const registryHosts = registry?.host === undefined ? [] : [registry.host].flat();
  const isShared = registry?.store?.startsWith("etcd://") ?? false;
  if (registryHosts.length > 1 && !isShared) {
    document.error(
      ["registry", "host"],
      "registries on several hosts share their entries only in etcd: write store, or name one host",
    );
  }
  const hosts = new Set([...servers.flatMap(({ hosts = [] }) => hosts), ...registryHosts]);
  if (hosts.size === 0) return;
  if (registry && registryHosts.length === 0 && !isShared) {
    document.warn(
      ["registry"],
      "every host with this file would run a registry with entries of its own: write host, as for " +
        "the servers, or a store in etcd",
      { atName: true },
    );
  }
  for (const { id, hosts, path } of servers) {
    if (hosts) continue;
    document.warn(
      path,
      `${id} has no host, so every host with this file would run it, but an id can run only once: ` +
        "write host, as for the other servers",
      { atName: path[0] === "servers" },
    );
  }
}

/** Fields that a program which is no server of the ensemble does not have. */
const ONLY_SERVERS = [
  ...["roles", "registry", "listen", "announce", "log", "http", "httpToken", "loader", "grace"],
  ...["deny", "capabilities", "health"],
] as const;

/** Checks that a server, or an unused role, has one program. */
function checkProgram({ document }: CheckedFile, server: NamedServer): void {
  const { merged, own, path, role } = server;
  const { module, executable, plain } = merged;
  const where = (field: string) => placeOf(server, [field]);
  if (module !== undefined && executable !== undefined) {
    document.error(
      where(own.module !== undefined ? "module" : "executable"),
      "a server has either a module or an executable: remove one of them",
    );
  } else if (module === undefined && executable === undefined && !isGiven(server, document)) {
    const whose = role === undefined
      ? "the role has no"
      : `neither the server nor its role ${role} has a`;
    document.error(path, `${whose} program: write module or executable`, { atName: true });
  }
  if (!plain) return;
  if (module !== undefined) {
    document.error(
      where("plain"),
      "a module is a server of the ensemble: plain needs an executable",
    );
    return;
  }
  for (const field of ONLY_SERVERS) {
    const value = merged[field];
    if (value === undefined || value === false || isEmpty(value)) continue;
    document.error(
      where(field),
      `a plain program does not have ${field}: it gets only args and its environment`,
    );
  }
}

/** Whether the text has a program, but a wrong one, which is reported already. */
function isGiven({ path, role }: NamedServer, document: ConfigurationDocument): boolean {
  const places = [path, ...role === undefined ? [] : [["roles", role]]];
  return places.some((place) =>
    document.has([...place, "module"]) || document.has([...place, "executable"])
  );
}

/** Whether a value is an object without values, at any depth. */
function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((each) => each === undefined || isEmpty(each));
}

/** Fields to check, and where they are in the file. */
interface PlacedFields {
  readonly merged: RoleValue;
  place(field: FieldPath): FieldPath;
}

function checkFields(document: ConfigurationDocument, { merged, place }: PlacedFields): void {
  const { backoff } = restartObject(merged.restart);
  const { min = RESTART.backoff.min, max = RESTART.backoff.max } = backoff ?? {};
  if (min > max) {
    const isMin = backoff?.max === undefined;
    document.error(
      place(["restart", "backoff", isMin ? "min" : "max"]),
      `the first delay, ${formatDuration(min)}, is longer than the longest, ${formatDuration(max)}`,
    );
  }
  const killAfter = merged.stop?.killAfter;
  const grace = merged.grace ?? DEFAULT_GRACE;
  if (killAfter !== undefined && !merged.plain && killAfter < grace) {
    document.warn(
      place(["stop", "killAfter"]),
      `it is killed after ${formatDuration(killAfter)}, before its grace of ` +
        `${formatDuration(grace)} is over`,
    );
  }
  const { health } = merged;
  if (typeof health === "object" && health.expression !== undefined) {
    if (health.ping) {
      document.error(
        place(["health", "ping"]),
        "health is checked by ping or by expression, not both",
      );
    }
    if (merged.loader === false) {
      document.error(
        place(["health", "expression"]),
        "a server without a loader evaluates no expression: remove loader, or check by ping",
      );
    }
  }
  checkHttp(document, { merged, place });
}

/** As the command line does it: other hosts must not use the endpoint without a token. */
function checkHttp(document: ConfigurationDocument, { merged, place }: PlacedFields): void {
  const { http, httpToken } = merged;
  if (http === undefined) {
    if (httpToken !== undefined && !document.has(place(["http"]))) {
      document.error(place(["httpToken"]), "httpToken needs http");
    }
    return;
  }
  const address = readable(() => parseHttpAddress(String(http)));
  if (!address || httpToken !== undefined || isLoopback(address.host)) return;
  document.error(
    place(["http"]),
    `other hosts can connect to ${formatEndpoint(address)}: name a file with a token for them in ` +
      `httpToken, or listen on this host only, ${address.port}`,
  );
}

/** Two servers of a host cannot listen at one address. */
function checkEndpoints({ file, here, host, document }: CheckedFile): void {
  const taken = new Map<string, { readonly ids: Set<string>; place: FieldPath }>();
  const claim = (id: string, { key, place }: { key: string; place: FieldPath }) => {
    const claims = taken.get(key);
    if (!claims) {
      taken.set(key, { ids: new Set([id]), place });
    } else if (!claims.ids.has(id)) {
      // It is told where it is first wrong.
      if (claims.ids.size === 1) claims.place = place;
      claims.ids.add(id);
    }
  };
  const take = (id: string, { merged, place }: PlacedFields) => {
    // For development, servers listen for others only on their sockets.
    for (const text of host === EVERY_HOST ? [] : merged.listen ?? []) {
      for (const address of readable(() => parseAddresses(text)) ?? []) {
        if (address.kind !== "unix" && address.port === 0) continue;
        const key = address.kind === "unix" ? formatAddressUrl(address) : formatEndpoint(address);
        claim(id, { key, place: place(["listen"]) });
      }
    }
    if (merged.http === undefined) return;
    const address = readable(() => parseHttpAddress(String(merged.http)));
    if (!address || address.port === 0) return;
    claim(id, { key: formatEndpoint(address), place: place(["http"]) });
  };
  const registry = registryFields(file.registry);
  if (registry && isHere(registry.host, host)) {
    take(REGISTRY_ID, { merged: registry, place: (field) => ["registry", ...field] });
  }
  if (host !== EVERY_HOST) {
    take("the supervisor", {
      merged: file.supervisor ?? {},
      place: (field) => ["supervisor", ...field],
    });
  }
  for (const server of here) {
    if (server.own.enabled === false && host !== EVERY_HOST) continue;
    take(server.id, { merged: server.merged, place: (field) => placeOf(server, field) });
  }
  const advice = host === EVERY_HOST
    ? ", where gxensemble dev runs the servers of all hosts: give each a port of its own, or name " +
      "the servers to run"
    : "";
  for (const [key, { ids, place }] of taken) {
    if (ids.size === 1) continue;
    const [first, second, ...others] = ids;
    const who = others.length === 0
      ? `${first} and ${second} would both`
      : `${[...ids].join(", ")} would all`;
    document.error(place, `${who} listen at ${key} on this host${advice}`);
  }
}

/** Whether hosts include this one; undefined is every host. */
export function isHere(hosts: string | readonly string[] | undefined, host: string): boolean {
  if (host === NO_HOST || host === EVERY_HOST) return false;
  return hosts === undefined || [hosts].flat().includes(host);
}

/** The result of a parser; undefined for a text that it refuses, which is reported already. */
function readable<Value>(parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof InvalidInputError) return undefined;
    throw error;
  }
}
