/**
 * Servers as lists show them.
 *
 * @module
 */
import type { ServerId } from "../runtime/actor/server_id.ts";
import type { RegistryEntry } from "../runtime/server/registry_entry.ts";
import { type Address, addressToDatum, formatAddressUrl } from "../runtime/wire/address.ts";
import { formatNotation, symbol } from "../runtime/wire/notation.ts";

/** `(httpd1 (unix: "host" "/path"))`, with roles `(httpd1 (httpd) (unix: "host" "/path"))`. */
export function formatServer(
  id: ServerId,
  addresses: readonly Address[],
  roles?: readonly string[],
): string {
  return formatNotation([
    symbol(id),
    ...(roles ? [roles.map(symbol)] : []),
    ...addresses.map(addressToDatum),
  ]);
}

/** A registry entry as `--json` shows it; `sockets` are the files of its UNIX sockets, as far as they are known. */
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
