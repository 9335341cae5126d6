/**
 * What the registry knows of a server.
 *
 * @module
 */
import type { ServerId } from "../actor/server_id.ts";
import type { Address } from "../wire/address.ts";
import type { Kernel } from "./kernel.ts";

/** The most addresses that a server announces. */
export const MAX_ADDRESSES = 16;

/** The longest address, in UTF-16 code units of its list form. */
export const MAX_ADDRESS = 512;

/** The most roles that a server has. */
export const MAX_ROLES = 32;

/** The longest role, in bytes of UTF-8. */
export const MAX_ROLE = 64;

/** The longest name of a host, in UTF-16 code units: that of the DNS. */
export const MAX_HOST = 255;

/** One server of the ensemble, as it announced itself. */
export interface RegistryEntry {
  /** The server's name: the key of the entry. */
  readonly id: ServerId;
  /**
   * The public key of the running instance, made anew at each start: tells a server from its
   * predecessor of the same id.
   */
  readonly instance: Uint8Array;
  /** Where the server is reached, in the order it announced. */
  readonly addresses: readonly Address[];
  /** What the server does in the ensemble, in the order it announced. */
  readonly roles: readonly string[];
  /** Its process number on {@linkcode RegistryEntry.host}; absent in entries from databases of version 1. */
  readonly pid?: number | undefined;
  /** The name of the host that its process runs on, as it was when the process started. */
  readonly host?: string | undefined;
  /** The kernel that its process runs under; absent where the system does not tell. */
  readonly kernel?: Kernel | undefined;
}

/** A registered server as messages name it: `httpd1 (pid 123 on host a)`. */
export function describeServer(
  { id, pid, host }: Pick<RegistryEntry, "id" | "pid" | "host">,
): string {
  return pid === undefined ? id : `${id} (pid ${pid} on host ${host})`;
}

/** Orders entries by server id, by code unit: the order in which every store answers. */
export function compareEntries(a: RegistryEntry, b: RegistryEntry): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
