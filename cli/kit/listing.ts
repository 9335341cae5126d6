/**
 * Formats servers and actors for lists.
 *
 * @module
 */
import type { ActorInfo, Backtrace, GroupInfo } from "../../runtime/actor/introspection.ts";
import { escapeControls } from "../../runtime/safe_text.ts";
import { formatNotation, symbol } from "../../runtime/notation.ts";
import type { RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { type Address, addressToDatum, formatAddressUrl } from "../../runtime/wire/address.ts";

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
 * Converts a registry entry for `--json`; `sockets` are the files of its UNIX sockets, if known.
 */
export function entryToJson({ id, roles, addresses, instance, pid, host }: RegistryEntry): object {
  return {
    server: id,
    roles,
    addresses: addresses.map(formatAddressUrl),
    sockets: addresses.flatMap((address) =>
      address.kind === "unix" && address.file ? [{ path: address.path, ...address.file }] : []
    ),
    instance: instance.toHex(),
    pid: pid ?? null,
    host: host ?? null,
  };
}

const HEADINGS = ["sn", "actor", "state", "mailbox", "handled", "age"];

/** Numeric columns, which are right-aligned. */
const NUMBERS = new Set(["sn", "mailbox", "handled", "age"]);

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
  const rows = actors.map(({ serial, name, state, mailbox, handled, age }) =>
    [
      `${serial}`,
      name ?? "",
      state,
      `${mailbox}`,
      `${handled}`,
      formatAge(age),
    ].map((cell) => escapeControls(cell))
  );
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]!.length))
  );
  return [HEADINGS, ...rows].map((row) =>
    `  ${
      row.map((cell, column) =>
        NUMBERS.has(HEADINGS[column]!)
          ? cell.padStart(widths[column]!)
          : cell.padEnd(widths[column]!)
      ).join("  ")
    }`.trimEnd()
  );
}

function countActors(group: GroupInfo): number {
  return group.groups.reduce((sum, below) => sum + countActors(below), group.actors.length);
}

/** Formats a duration in ms with its two largest units: `1d 2h`, `3m 4s`, `56ms`. */
function formatAge(age: number): string {
  if (age < 1000) return `${age}ms`;
  const seconds = Math.floor(age / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts.slice(first, first + 2).map(([count, unit]) => `${count}${unit}`).join(" ");
}
