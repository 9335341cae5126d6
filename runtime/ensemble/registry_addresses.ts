/**
 * Where the registry is.
 *
 * @module
 */
import { REGISTRY_ID } from "../actor/server_id.ts";
import { type Address, localUnixAddress } from "../wire/address.ts";
import { socketPath } from "./paths.ts";

/** Where the registry is reached: its UNIX socket on this host, then the addresses given. */
export function registryAddresses(additional: readonly Address[] = []): Address[] {
  return [localUnixAddress(socketPath(REGISTRY_ID)), ...additional];
}
