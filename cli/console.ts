/**
 * The console: the transient server by which a command talks to the ensemble.
 *
 * @module
 */
import type { ActorSystem } from "../runtime/actor/actor_system.ts";
import { parseServerId } from "../runtime/actor/server_id.ts";
import { readAdminPublicKey } from "../runtime/ensemble/admin_key.ts";
import { readCookie } from "../runtime/ensemble/cookie.ts";
import { locateServers } from "../runtime/ensemble/server_locations.ts";
import { DisconnectedError, UnknownServerError } from "../runtime/errors.ts";
import { readOwnTls } from "../runtime/ensemble/own_tls.ts";
import { ActorServer } from "../runtime/server/actor_server.ts";
import { CONSOLE_ID } from "../runtime/server/certified.ts";
import { startLogging } from "../runtime/ensemble/logging.ts";
import type { Address } from "../runtime/wire/address.ts";
import type { ClientOptions } from "./options.ts";
import { explainSilence } from "./silent_server.ts";

/**
 * Does something in the ensemble as a server that listens nowhere and is in no registry. Its id is its
 * own, so that any number of commands can run at once.
 */
export async function withConsole<Result>(
  options: ClientOptions,
  work: (actors: ActorSystem, console: ActorServer) => Promise<Result>,
): Promise<Result> {
  startLogging({ level: options.log });
  using stray = new StrayErrors();
  const console = await startConsole(options);
  try {
    return await Promise.race([work(console.actors, console), stray.first]);
  } catch (error) {
    throw await explainFailure(error, console.actors);
  } finally {
    await console.stop();
  }
}

/**
 * A failure with what helps to mend it: which servers may have been meant, where the registry does not know the one
 * that was named; which process does not answer. Any other is given back as it is.
 */
export async function explainFailure(error: unknown, actors: ActorSystem): Promise<unknown> {
  if (!(error instanceof DisconnectedError && error.cause instanceof UnknownServerError)) {
    return await explainSilence(error, actors);
  }
  const { suggestServers } = await import("./suggestions.ts");
  const message = error.message + await suggestServers(actors, error.cause.server);
  return new DisconnectedError(message, { cause: error });
}

/**
 * Errors that nobody handles, which Deno would print as they are: they may quote a server, and fail the
 * command like any other.
 */
class StrayErrors implements Disposable {
  readonly #first = Promise.withResolvers<never>();
  readonly #fail = (event: PromiseRejectionEvent | ErrorEvent): void => {
    event.preventDefault();
    this.#first.reject("reason" in event ? event.reason : event.error);
  };

  constructor() {
    addEventListener("unhandledrejection", this.#fail);
    addEventListener("error", this.#fail);
    this.first.catch(() => {}); // There is none, or it comes after the work is done.
  }

  /** Rejects with the first of them. */
  get first(): Promise<never> {
    return this.#first.promise;
  }

  [Symbol.dispose](): void {
    removeEventListener("unhandledrejection", this.#fail);
    removeEventListener("error", this.#fail);
  }
}

/** Starts a console that its user stops. The registry is at the addresses given, or where {@linkcode locateServers} finds it. */
export async function startConsole(
  { registry, timeout }: { registry: readonly Address[]; timeout?: number | undefined },
): Promise<ActorServer> {
  return await ActorServer.start({
    id: parseServerId(`${CONSOLE_ID}-${crypto.randomUUID().slice(0, 13)}`),
    cookie: await readCookie(),
    tls: await readOwnTls(parseServerId(CONSOLE_ID)),
    adminKey: await readAdminPublicKey(),
    listen: [],
    ...await locateServers(registry),
    roles: [],
    askTimeout: timeout,
    register: false,
  });
}
