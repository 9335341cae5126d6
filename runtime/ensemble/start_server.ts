/**
 * Starting servers.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { checkServerId } from "../actor/references.ts";
import { EnsembleError, InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import type { LogOptions } from "../home/log_options.ts";
import { startLogging, stopLogging } from "../home/logging.ts";
import { findPlaces, type Places } from "../home/paths.ts";
import { CLIENT_ID } from "../server/credentials.ts";
import { type Address, formatAddressUrl, isLoopback, readAddresses } from "../wire/address.ts";
import { EnsembleServer } from "./ensemble_server.ts";
import { KeptLoads } from "./kept_loads.ts";
import { readMembership, transientId } from "./membership.ts";
import { addServer, hasServers, reserveServer, takeLentServer } from "./process_servers.ts";
import { checkStartOptions, type StartServerOptions } from "./start_options.ts";

const logger = getLogger(["gxensemble", "server"]);

/**
 * Starts a server of the ensemble in this process. When this resolves, it listens on its UNIX socket and is `up` in
 * the registry. With the option `holdReady` it is `starting` until it calls `ready()`. `await using` stops it at the end of the block.
 *
 * A process can have several servers, each with its own actors, connections and loaded modules. The
 * log belongs to the process: the first server that starts determines its options.
 *
 * @throws {InvalidInputError} if the id is not a server id, or an option has no meaning.
 * @throws {EnsembleError} if there is no cookie, a server of this id is running, or the registry cannot be reached. The
 * message says what to do.
 *
 * @example A server with one actor
 * ```ts
 * import { startServer } from "@gxensemble/ensemble";
 *
 * await using server = await startServer("counter1", { roles: ["counter"] });
 * let total = 0;
 * server.serve("counter", { add: ({ amount }: { amount: number }) => total += amount });
 * await server.stopped;
 * ```
 */
export function startServer(id: string, options?: StartServerOptions): Promise<EnsembleServer>;
/**
 * Starts a transient server: a client, which sends requests or messages and leaves. Its id is
 * `client-` and random digits, so that any number of clients can run at once. It does not listen,
 * is not registered, and accepts no code from others.
 *
 * @throws {EnsembleError} if there is no cookie.
 *
 * @example Ask a server
 * ```ts
 * import { startServer } from "@gxensemble/ensemble";
 *
 * await using client = await startServer();
 * console.log(await client.lookup({ role: "counter" }));
 * ```
 */
export function startServer(options?: StartServerOptions): Promise<EnsembleServer>;
export async function startServer(
  ...given: [id: string, options?: StartServerOptions] | [options?: StartServerOptions]
): Promise<EnsembleServer> {
  const [first, second] = given;
  const isTransient = given.length === 0 ||
    given.length === 1 && typeof first === "object" && first !== null;
  const id = isTransient ? transientId(CLIENT_ID) : checkServerId(first as string);
  const options = (isTransient ? first as StartServerOptions | undefined : second) ?? {};
  if (typeof options !== "object") {
    throw new InvalidInputError(`not the options of server ${id}: ${describeValue(options)}`);
  }
  checkStartOptions(options);
  const lent = isTransient ? undefined : takeLentServer(id);
  if (lent) {
    await lent.extendWith(options);
    if (!options.holdReady) {
      lent.letReady();
      await lent.readyUnlessHeld();
    }
    return lent;
  }
  if (Deno.build.os === "windows") {
    throw new EnsembleError("Windows is not supported: use Linux or macOS, or WSL 2 on Windows");
  }
  const places = findPlaces(options);
  const isFirst = !hasServers();
  const reservation = reserveServer(id, places.server(id));
  try {
    if (isFirst) logAs(options.log, places.server(id));
    const server = await start(id, { places, isTransient, ...options });
    addServer(server, reservation);
    return server;
  } catch (error) {
    reservation[Symbol.dispose]();
    throw error;
  }
}

function logAs(options: LogOptions | false | undefined, directory: string): void {
  if (options === false) stopLogging();
  else startLogging(options, directory);
}

async function start(
  id: string,
  { places, ...given }: StartServerOptions & { places: Places; isTransient: boolean },
): Promise<EnsembleServer> {
  // The cookie is a secret, which the server does not keep.
  const { cookie: _cookie, adminKey: _adminKey, ...options } = given;
  const { denied = [] } = options;
  if (denied.length > 0) {
    logger.info("{id} runs without the permissions {permissions}", {
      id,
      permissions: denied.join(", "),
    });
  }
  const { nearby, ...membership } = await readMembership(id, places, given);
  const listen = readAddresses(options.listen);
  if (membership.tls) warnOfPlainAddresses(listen);
  const hasKept = !options.isTransient && await KeptLoads.exist(places.server(id));
  const server = await EnsembleServer.start({
    ...options,
    ...membership,
    // A server asks the registry. Only commands, and one that can be without a registry, try the
    // sockets of this host without it.
    ...options.registerLater && { nearby },
    // What it keeps is loaded before it is up.
    holdReady: options.holdReady || hasKept,
    id,
    places,
    listen,
    announce: options.announce && readAddresses(options.announce),
  });
  if (hasKept && !options.holdReady) await server.ready();
  return server;
}

function warnOfPlainAddresses(listen: readonly Address[]): void {
  for (const address of listen) {
    if (address.kind !== "tcp" || isLoopback(address.host)) continue;
    logger.warn(
      "{address} is neither encrypted nor certified, although this server has a certificate",
      {
        address: formatAddressUrl(address),
      },
    );
  }
}
