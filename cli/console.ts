/**
 * The console: the transient server by which a command talks to the ensemble.
 *
 * @module
 */
import type { ActorSystem } from "../runtime/actor/actor_system.ts";
import { parseServerId } from "../runtime/actor/server_id.ts";
import { readCookie } from "../runtime/ensemble/cookie.ts";
import { registryAddresses } from "../runtime/ensemble/ensemble_server.ts";
import { ActorServer } from "../runtime/server/actor_server.ts";
import { startLogging } from "../runtime/ensemble/logging.ts";
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
  const console = await ActorServer.start({
    id: parseServerId(`console-${crypto.randomUUID().slice(0, 13)}`),
    cookie: await readCookie(),
    listen: [],
    registry: registryAddresses(options.registry),
    roles: [],
    register: false,
  });
  try {
    return await work(console.actors, console);
  } finally {
    await console.stop();
  }
}
