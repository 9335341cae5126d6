/**
 * Formats servers and actors for lists.
 *
 * @module
 */
import type { ActorInfo, Backtrace, GroupInfo } from "../../runtime/actor/introspection.ts";
import { formatNotation, symbol } from "../../runtime/notation.ts";
import type { ConnectionInfo } from "../../runtime/server/connection.ts";
import { groupsOf, membersIn, type RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import type { WatchedChange } from "../../runtime/server/registry_view.ts";
import { type Address, addressToDatum, formatAddressUrl } from "../../runtime/wire/address.ts";
import { formatAge, formatTime } from "./quantities.ts";
import { AlignedRows, type Column } from "./table.ts";

/** `(httpd1 (unix: "host" "/path"))`, with roles `(httpd1 (httpd) (unix: "host" "/path"))`. */
export function formatServer(
  id: string,
  addresses: readonly Address[],
  roles?: readonly string[],
): string {
  return formatNotation([
    symbol(id),
    ...(roles ? [roles.map(symbol)] : []),
    ...addresses.map(addressToDatum),
  ]);
}

/**
 * Converts a registry entry for `--json`; `sockets` are the files of its UNIX sockets, if known,
 * and `leaseLeft` is in ms.
 */
export function entryToJson(entry: RegistryEntry): object {
  const { id, state, roles, addresses, instance, pid, host } = entry;
  return {
    server: id,
    state,
    roles,
    groups: entry.groups ?? {},
    addresses: addresses.map(formatAddressUrl),
    sockets: addresses.flatMap((address) =>
      address.kind === "unix" && address.file ? [{ path: address.path, ...address.file }] : []
    ),
    instance: instance.toHex(),
    pid: pid ?? null,
    host: host ?? null,
    version: entry.version ?? null,
    started: entry.startedAt === undefined ? null : new Date(entry.startedAt).toISOString(),
    leaseLeft: entry.leaseLeft ?? null,
    revision: entry.revision,
  };
}

/** The columns of registry entries. */
export const ENTRY_COLUMNS: readonly Column[] = [
  { heading: "server" },
  { heading: "state" },
  { heading: "roles" },
  { heading: "pid", isNumber: true },
  { heading: "host" },
  { heading: "uptime", isNumber: true },
  { heading: "version" },
  { heading: "lease", isNumber: true },
  { heading: "groups" },
  { heading: "addresses" },
];

/** A registry entry in {@linkcode ENTRY_COLUMNS}; its uptime is by the clocks of both hosts. */
export function entryToRow(entry: RegistryEntry): string[] {
  const { id, state, roles, addresses, pid, host, version, startedAt, leaseLeft } = entry;
  return [
    id,
    state,
    roles.join(","),
    pid === undefined ? "" : `${pid}`,
    host ?? "",
    startedAt === undefined ? "" : formatAge(Math.max(0, Date.now() - startedAt)),
    version ?? "",
    leaseLeft === undefined ? "" : `${Math.round(leaseLeft / 1000)}s`,
    groupsOf(entry).sort().map((group) => `${group}:${membersIn(entry, group)}`).join(","),
    addresses.map(formatAddressUrl).join(" "),
  ];
}

/** A group, with the servers that have members of it. */
export interface ListedGroup {
  /** Its name. */
  readonly group: string;
  /** The servers, in the order of the list. */
  readonly servers: readonly { readonly entry: RegistryEntry; readonly members: number }[];
}

/** The groups of which servers have members, sorted by name. */
export function groupsIn(entries: readonly RegistryEntry[]): ListedGroup[] {
  const groups = new Map<string, { entry: RegistryEntry; members: number }[]>();
  for (const entry of entries) {
    for (const group of groupsOf(entry)) {
      const servers = groups.get(group) ?? [];
      servers.push({ entry, members: membersIn(entry, group) });
      groups.set(group, servers);
    }
  }
  return Array.from(groups, ([group, servers]) => ({ group, servers }))
    .sort((a, b) => a.group < b.group ? -1 : 1);
}

/** `(orders (httpd1 3) (httpd2 1))`: a group with the numbers of members in each server. */
export function formatGroupLine({ group, servers }: ListedGroup): string {
  const counts = servers.map(({ entry, members }) => [symbol(entry.id), symbol(`${members}`)]);
  return formatNotation([symbol(group), ...counts]);
}

/** Converts a group for `--json`. */
export function groupToJson({ group, servers }: ListedGroup): object {
  return {
    group,
    servers: servers.map(({ entry, members }) => ({
      server: entry.id,
      state: entry.state,
      members,
    })),
  };
}

/** The columns of groups: a row for each server. */
export const GROUP_COLUMNS: readonly Column[] = [
  { heading: "group" },
  { heading: "server" },
  { heading: "state" },
  { heading: "members", isNumber: true },
];

/** A group in {@linkcode GROUP_COLUMNS}. */
export function groupToRows({ group, servers }: ListedGroup): string[][] {
  return servers.map(({ entry, members }) => [group, entry.id, entry.state, `${members}`]);
}

/** The changes that are shown without roles and addresses. */
const BARE_CHANGES: readonly WatchedChange["change"][] = ["unreachable", "left", "gone"];

/** Formats a change: `up httpd1 (httpd) (unix: "host" "/path")`, `left httpd1`. */
export function formatChange({ change, id, roles, entry }: WatchedChange): string {
  if (BARE_CHANGES.includes(change)) return `${change} ${formatNotation(symbol(id))}`;
  const addresses = entry?.addresses ?? [];
  const parts = [symbol(id), roles.map(symbol), ...addresses.map(addressToDatum)];
  return [change, ...parts.map(formatNotation)].join(" ");
}

/** Converts a change for `--json`; an entry that is removed has no state and no addresses. */
export function changeToJson({ change, id, roles, revision, entry }: WatchedChange): object {
  return {
    change,
    id,
    roles,
    groups: entry?.groups ?? {},
    addresses: entry?.addresses.map(formatAddressUrl) ?? [],
    state: entry?.state ?? null,
    revision,
  };
}

/** The columns of connections. */
export const CONNECTION_COLUMNS: readonly Column[] = [
  { heading: "peer" },
  { heading: "since" },
  { heading: "messages in", isNumber: true },
  { heading: "bytes in", isNumber: true },
  { heading: "messages out", isNumber: true },
  { heading: "bytes out", isNumber: true },
  { heading: "waiting", isNumber: true },
  { heading: "address" },
];

/** A connection in {@linkcode CONNECTION_COLUMNS}. */
export function connectionToRow(
  { peer, address, since, received, sent, waiting }: ConnectionInfo,
): string[] {
  return [
    peer,
    formatTime(since),
    `${received.messages}`,
    `${received.bytes}`,
    `${sent.messages}`,
    `${sent.bytes}`,
    `${waiting}`,
    formatAddressUrl(address),
  ];
}

/** Converts a connection for `--json`. */
export function connectionToJson(
  { peer, address, since, received, sent, waiting }: ConnectionInfo,
): object {
  return {
    server: peer,
    address: formatAddressUrl(address),
    since: new Date(since).toISOString(),
    received,
    sent,
    waiting,
  };
}

/** The columns of the actors that have names. */
export const ACTOR_COLUMNS: readonly Column[] = [
  { heading: "actor" },
  { heading: "state" },
  { heading: "mailbox", isNumber: true },
  { heading: "handled", isNumber: true },
  { heading: "types" },
];

/** An actor in {@linkcode ACTOR_COLUMNS}; the types of a part of its server are not for users. */
export function actorToRow(
  { name, state, mailbox, handled, types = [], essential = false }: ActorInfo,
): string[] {
  return [name ?? "", state, `${mailbox}`, `${handled}`, essential ? "" : types.join(",")];
}

/** Converts an actor for `--json`; an actor that is no service has no types. */
export function actorToJson(
  { name, serial, state, mailbox, handled, types }: ActorInfo,
): object {
  return { actor: name ?? null, serial, state, mailbox, handled, types: types ?? null };
}

const THREAD_COLUMNS: readonly Column[] = [
  { heading: "sn", isNumber: true },
  { heading: "actor" },
  { heading: "state" },
  { heading: "mailbox", isNumber: true },
  { heading: "handled", isNumber: true },
  { heading: "age", isNumber: true },
];

/**
 * Lists the actors of a group, one per line below headings, and its subgroups; with `recursive`,
 * also their actors.
 */
export function formatGroup(group: GroupInfo, options: { recursive: boolean }): string[] {
  const lines = [`group ${group.serial} ${group.name}`, ...formatActors(group.actors)];
  for (const below of group.groups) {
    if (options.recursive) lines.push("", ...formatGroup(below, options));
    else lines.push(`  group ${below.serial} ${below.name}: ${countActors(below)} actors`);
  }
  return lines;
}

/** Formats one actor, with the messages that it waits for. */
export function formatActor(actor: ActorInfo): string[] {
  const receives = actor.receives ? [`  receives ${actor.receives.join(" ")}`] : [];
  return [`group ${actor.group}`, ...formatActors([actor]), ...receives];
}

/** Formats the stack traces where an actor waits and where it was started. */
export function formatBacktrace({ suspended, started }: Backtrace): string[] {
  const waits = suspended === undefined
    ? ["not waiting in a receive"]
    : suspended.length === 0
    ? ["waiting for requests, as a service"]
    : ["waiting in a receive", ...suspended.map((frame) => `  ${frame}`)];
  return [...waits, "started", ...started.map((frame) => `  ${frame}`)];
}

function formatActors(actors: readonly ActorInfo[]): string[] {
  const rows = new AlignedRows(THREAD_COLUMNS);
  const lines = rows.format(actors.map(({ serial, name, state, mailbox, handled, age }) => [
    `${serial}`,
    name ?? "",
    state,
    `${mailbox}`,
    `${handled}`,
    formatAge(age),
  ]));
  return [rows.headings, ...lines].map((line) => `  ${line}`);
}

function countActors(group: GroupInfo): number {
  return group.groups.reduce((sum, below) => sum + countActors(below), group.actors.length);
}
