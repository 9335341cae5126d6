/**
 * `gxensemble env known-servers`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/references.ts";
import { KnownServersFile } from "../../runtime/home/known_servers.ts";
import { socketPath } from "../../runtime/home/paths.ts";
import { type Address, formatAddressUrl, localUnixAddress } from "../../runtime/wire/address.ts";
import { formatServer } from "../kit/listing.ts";
import type { OutputOptions } from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";

/** Options of {@linkcode changeKnown}. */
export interface ChangeOptions extends OutputOptions {
  /** What becomes of the addresses. */
  change: "add" | "set" | "remove";
  /** The addresses. */
  addresses: Address[];
}

/** Prints the servers whose addresses are known, or one of them: `(httpd1 (tcp: "10.0.0.1:4000"))`. */
export async function listKnown(
  serverId: ServerId | undefined,
  { json }: OutputOptions,
): Promise<void> {
  const file = new KnownServersFile();
  const known = await file.read();
  if (serverId !== undefined && !known.has(serverId)) throw file.unknown(serverId);
  const listed = [...known].filter(([id]) => serverId === undefined || id === serverId);
  if (json) printJson(listed.map(([id, addresses]) => toJson(id, addresses)));
  else for (const [id, addresses] of listed) printLine(formatServer(id, addresses));
}

/** Changes the addresses of a server. Without any, its UNIX socket on this host is added, and all are removed. */
export async function changeKnown(
  serverId: ServerId,
  { change, addresses, json }: ChangeOptions,
): Promise<void> {
  const file = new KnownServersFile();
  const isLocal = change === "add" && addresses.length === 0;
  const given = isLocal ? [localUnixAddress(socketPath(serverId))] : addresses;
  const left = await file[change](serverId, given);
  if (json) return printJson(toJson(serverId, left));
  printNotice(
    left.length > 0
      ? `... ${formatServer(serverId, left)} in ${file.path}`
      : `... ${serverId} is no more in ${file.path}`,
  );
}

function toJson(id: ServerId, addresses: readonly Address[]): object {
  return { server: id, addresses: addresses.map(formatAddressUrl) };
}
