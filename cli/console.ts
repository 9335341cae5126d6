/**
 * The console: the transient server by which a command talks to the ensemble.
 *
 * @module
 */
import type { ActorSystem } from "../runtime/actor/actor_system.ts";
import { parseServerId } from "../runtime/actor/server_id.ts";
import { readAdminPublicKey } from "../runtime/ensemble/admin_key.ts";
import { readCookie } from "../runtime/ensemble/cookie.ts";
import { serverTlsPaths } from "../runtime/ensemble/paths.ts";
import { registryAddresses } from "../runtime/ensemble/registry_addresses.ts";
import { ActorServer } from "../runtime/server/actor_server.ts";
import { CONSOLE_ID, type TlsCredentials } from "../runtime/server/certified.ts";
import { startLogging } from "../runtime/ensemble/logging.ts";
import type { Address } from "../runtime/wire/address.ts";
import type { ClientOptions } from "./options.ts";

/**
 * Does something in the ensemble as a server that listens nowhere and is in no registry. Its id is its
 * own, so that any number of commands can run at once.
 */
export async function withConsole<Result>(
  options: ClientOptions,
  work: (actors: ActorSystem, console: ActorServer) => Promise<Result>,
): Promise<Result> {
  await startLogging(options);
  const console = await startConsole(options.registry);
  try {
    return await work(console.actors, console);
  } finally {
    await console.stop();
  }
}

/** Starts a console that its user stops. Registries are reached at the addresses given, too. */
export async function startConsole(registries: readonly Address[]): Promise<ActorServer> {
  return await ActorServer.start({
    id: parseServerId(`${CONSOLE_ID}-${crypto.randomUUID().slice(0, 13)}`),
    cookie: await readCookie(),
    tls: await readTls(),
    adminKey: await readAdminPublicKey(),
    listen: [],
    registry: registryAddresses(registries),
    roles: [],
    register: false,
  });
}

/** The certificate of consoles, where this host has one. Few have, and TLS costs time to load. */
async function readTls(): Promise<TlsCredentials | undefined> {
  const id = parseServerId(CONSOLE_ID);
  try {
    await Deno.lstat(serverTlsPaths(id).certificate);
  } catch {
    return undefined;
  }
  const { TlsFiles } = await import("../runtime/ensemble/tls_credentials.ts");
  return await TlsFiles.read(id);
}
