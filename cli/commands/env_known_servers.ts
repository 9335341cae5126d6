/**
 * `gxensemble env known-servers`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { KnownServersFile } from "../../runtime/ensemble/known_servers.ts";
import { socketPath } from "../../runtime/ensemble/paths.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { type Address, formatAddressUrl, localUnixAddress } from "../../runtime/wire/address.ts";
import { formatServer } from "../listing.ts";
import type { OutputOptions } from "../options.ts";
import { printJson, printLine, printNotice } from "../output.ts";

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
  if (serverId !== undefined && !known.has(serverId)) throw notKnown(serverId, file);
  const listed = [...known].filter(([id]) => serverId === undefined || id === serverId);
  if (json) printJson(listed.map(([id, addresses]) => toJson(id, addresses)));
  else for (const [id, addresses] of listed) printLine(formatServer(id, addresses));
}

/** Changes the addresses of a server. */
export async function changeKnown(serverId: ServerId, options: ChangeOptions): Promise<void> {
  const file = new KnownServersFile();
  const addresses = await file.change(
    serverId,
    (old) => apply(old, { ...options, serverId, file }),
  );
  if (options.json) return printJson(toJson(serverId, addresses));
  printNotice(
    addresses.length > 0
      ? `... ${formatServer(serverId, addresses)} in ${file.path}`
      : `... ${serverId} is no more in ${file.path}`,
  );
}

function apply(
  old: readonly Address[],
  { change, addresses, serverId, file }: ChangeOptions & {
    serverId: ServerId;
    file: KnownServersFile;
  },
): readonly Address[] {
  switch (change) {
    case "set":
      return distinct(addresses);
    case "add":
      return distinct([
        ...old,
        ...(addresses.length > 0 ? addresses : [localUnixAddress(socketPath(serverId))]),
      ]);
    case "remove": {
      if (old.length === 0) throw notKnown(serverId, file);
      const urls = new Set(old.map(formatAddressUrl));
      const missing = addresses.find((address) => !urls.has(formatAddressUrl(address)));
      if (missing) {
        throw new EnsembleError(
          `${formatAddressUrl(missing)} is no address of ${serverId} in ${file.path}`,
        );
      }
      const removed = new Set((addresses.length > 0 ? addresses : old).map(formatAddressUrl));
      return old.filter((address) => !removed.has(formatAddressUrl(address)));
    }
  }
}

function distinct(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map((address) => [formatAddressUrl(address), address])).values()];
}

function notKnown(id: ServerId, file: KnownServersFile): EnsembleError {
  return new EnsembleError(`${id} is not in ${file.path}`);
}

function toJson(id: ServerId, addresses: readonly Address[]): object {
  return { server: id, addresses: addresses.map(formatAddressUrl) };
}
