/**
 * Runs the registry.
 *
 * @module
 */
import { REGISTRY_ID } from "../runtime/actor/references.ts";
import { runServer } from "../runtime/ensemble/run_server.ts";
import type { LogOptions } from "../runtime/home/log_options.ts";
import type { Address } from "../runtime/wire/address.ts";
import { openStore, type RegistryStore, type StoreLocation } from "./store.ts";
import { serveRegistry } from "./registry_actor.ts";

/** Options of {@linkcode runRegistry}. */
export interface RunRegistryOptions {
  /** Addresses to listen on besides the registry's UNIX socket. */
  readonly listen?: readonly Address[];
  /** Addresses to announce. Default: the addresses it listens on. */
  readonly announce?: readonly Address[] | undefined;
  /** Whether to accept code from clients. Default: true. */
  readonly loader?: boolean;
  /** Options of its log; see `StartServerOptions`. */
  readonly log?: LogOptions | false;
  /** The store of its entries. */
  readonly store: StoreLocation;
}

/**
 * Runs the registry of the ensemble in this process, until it is stopped.
 *
 * @throws {EnsembleError} if it cannot start, for example because one is running already.
 */
export async function runRegistry(options: RunRegistryOptions): Promise<void> {
  let store: RegistryStore | undefined;
  try {
    await runServer(REGISTRY_ID, (server) => server.stopped, {
      ...options,
      async prepare(server) {
        store = await openStore(options.store, `${server.directory}/registry.db`);
        serveRegistry(server, store);
      },
    });
  } finally {
    await store?.close();
  }
}
