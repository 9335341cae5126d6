/**
 * Entries as rows of the database of the `sqlite:` store.
 *
 * @module
 */
import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import { checkServerId } from "../runtime/actor/references.ts";
import {
  type ChangeKind,
  type RegistryEntry,
  registryEntry,
} from "../runtime/server/registry_protocol.ts";
import { checked } from "../runtime/server/request_checks.ts";
import { type Address, formatAddress, parseAddresses } from "../runtime/wire/address.ts";
import type { StoredChange } from "./store.ts";

/** The columns of a row of `server`, in order. */
export const COLUMNS = [
  "id",
  "instance",
  "addresses",
  "roles",
  "pid",
  "host",
  "sockets",
  "kernel",
  "version",
  "started_at",
  "state",
  "revision",
  "groups",
] as const;

/** A row of `server`. */
export type Row = Record<typeof COLUMNS[number], SQLOutputValue>;

/** The values of the row of an entry, in the order of {@linkcode COLUMNS}. */
export function entryToRow(entry: RegistryEntry): SQLInputValue[] {
  const { kernel, addresses } = entry;
  const row: Record<keyof Row, SQLInputValue> = {
    id: entry.id,
    instance: entry.instance,
    addresses: addresses.map(formatAddress).join(" "),
    roles: JSON.stringify(entry.roles),
    pid: entry.pid ?? null,
    host: entry.host ?? null,
    sockets: JSON.stringify(addresses.map(fileNumbers)),
    kernel: kernel ? JSON.stringify(kernel) : null,
    version: entry.version ?? null,
    started_at: entry.startedAt ?? null,
    state: entry.state,
    revision: entry.revision,
    groups: entry.groups ? JSON.stringify(entry.groups) : null,
  };
  return COLUMNS.map((column) => row[column]);
}

/** What was read from a file that others can write. */
const storedEntry = checked(registryEntry, "an entry of the registry");

/**
 * Reads an entry.
 *
 * @throws {EnsembleError} if it is not valid.
 */
export function rowToEntry(row: Row): RegistryEntry {
  const sockets: FileNumbers[] = JSON.parse(row.sockets as string ?? "[]");
  const addresses = parseAddresses(row.addresses as string)
    .map((address, index) => withFile(address, sockets[index] ?? null));
  const entry = storedEntry({
    id: row.id,
    instance: row.instance,
    // They were just parsed, which takes the most time of it.
    addresses: [],
    roles: JSON.parse(row.roles as string),
    ...(row.pid !== null && { pid: row.pid }),
    ...(row.host !== null && { host: row.host }),
    ...(row.kernel !== null && { kernel: JSON.parse(row.kernel as string) }),
    ...(row.version !== null && { version: row.version }),
    ...(row.started_at !== null && { startedAt: row.started_at }),
    state: row.state,
    revision: row.revision,
    // A change from a database of version 4 does not have it.
    ...(row.groups && { groups: JSON.parse(row.groups as string) }),
  });
  return { ...entry, addresses };
}

/** The values of the row of a change. The entry in it is its row as JSON, with bytes as hex. */
export function changeToRow(
  { change, id, revision, roles, lostRoles, lostGroups, entry }: StoredChange,
): SQLInputValue[] {
  const toText = (_key: string, value: unknown) =>
    value instanceof Uint8Array ? value.toHex() : value;
  const server = entry ? JSON.stringify(entryToRow(entry), toText) : null;
  const list = (names: readonly string[]) => JSON.stringify(names);
  return [revision, change, id, list(roles), list(lostRoles), server, list(lostGroups)];
}

/**
 * Reads a change.
 *
 * @throws {EnsembleError} if it is not valid.
 */
export function rowToChange(row: Record<string, SQLOutputValue>): StoredChange {
  const { server } = row;
  return {
    change: row.change as ChangeKind,
    id: checkServerId(row.id as string),
    revision: row.revision as number,
    roles: JSON.parse(row.roles as string),
    lostRoles: JSON.parse(row.lost_roles as string),
    lostGroups: JSON.parse(row.lost_groups as string),
    ...(server !== null && { entry: textToEntry(server as string) }),
  };
}

/** Reads the entry in a change. */
function textToEntry(text: string): RegistryEntry {
  const values: SQLOutputValue[] = JSON.parse(text);
  const row = Object.fromEntries(COLUMNS.map((column, at) => [column, values[at]])) as Row;
  return rowToEntry({ ...row, instance: Uint8Array.fromHex(row.instance as string) });
}

/** Device and inode. */
type FileNumbers = readonly [number, number] | null;

function fileNumbers(address: Address): FileNumbers {
  if (address.kind !== "unix" || !address.file) return null;
  return [address.file.device, address.file.inode];
}

function withFile(address: Address, numbers: FileNumbers): Address {
  if (address.kind !== "unix" || !numbers) return address;
  const [device, inode] = numbers;
  return { ...address, file: { device, inode } };
}
