/**
 * Running the registry.
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
  /** Where to listen besides the registry's UNIX socket. */
  readonly listen?: readonly Address[];
  /** Where others are told to reach it. */
  readonly announce?: readonly Address[] | undefined;
  /** Whether it takes code from others; by default it does. */
  readonly loader?: boolean;
  /** How it logs; see `StartServerOptions`. */
  readonly log?: LogOptions | false;
  /** Where the entries are kept. */
  readonly store: StoreLocation;
}

/**
 * Runs the registry of the ensemble in this process, until it is stopped.
 *
 * @throws {EnsembleError} when it cannot start, as when one is running already.
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
