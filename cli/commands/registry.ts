/**
 * The command that runs the registry: `gxensemble registry`, and `ensemble-registry` by itself.
 *
 * @module
 */
import { Command, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import {
  DEFAULT_LEASE,
  openStore,
  parseLease,
  parseStoreLocation,
  type StoreLocation,
} from "../../registry/store.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { httpOption, httpTokenOption, requireHttpToken, serveHttp } from "../kit/http_options.ts";
import {
  addressTexts,
  announceOption,
  listenOption,
  logFileOption,
  logFormatOption,
  logOption,
  logOptions,
  noLoaderOption,
} from "../kit/options.ts";

/**
 * Runs the registry of the ensemble.
 *
 * @param typed what the user types to run it: `gxensemble registry`, or `ensemble-registry`.
 */
export function registryCommand(typed: string): CommandUnknownOpts {
  return new Command(typed.split(" ").at(-1)).description("runs the ensemble registry")
    .addOption(logOption("info"))
    .addOption(logFileOption())
    .addOption(listenOption())
    .addOption(announceOption())
    .addOption(completing(
      { noun: "store", words: ["etcd://", "memory:", "sqlite:"] },
      new Option(
        "--store <store>",
        "store for the entries: sqlite: (in the ensemble server directory), sqlite:<path>, memory: or " +
          "etcd://<host>:<port>,.../<prefix>",
      ).default<StoreLocation>({ kind: "sqlite" }, "sqlite:")
        .argParser<StoreLocation>(reading(parseStoreLocation)),
    ))
    .addOption(completing(
      "nothing",
      new Option("--store-user <name>", "user of the store in etcd"),
    ))
    .addOption(completing(
      "files",
      new Option("--store-password-file <file>", "file with the password of that user"),
    ))
    .addOption(completing(
      "files",
      new Option(
        "--store-ca <file>",
        "certificates of the authorities of the etcd members; turns TLS on",
      ),
    ))
    .addOption(completing(
      "files",
      new Option("--store-cert <file>", "client certificate for etcd; turns TLS on"),
    ))
    .addOption(completing(
      "files",
      new Option("--store-key <file>", "private key of the client certificate"),
    ))
    .addOption(completing(
      "nothing",
      new Option(
        "--lease <seconds>",
        "how long a server counts as reachable after it was last heard, from 2 to 3600",
      ).default<number>(DEFAULT_LEASE, `${DEFAULT_LEASE / 1000}`)
        .argParser<number>(reading(parseLease)),
    ))
    .addOption(logFormatOption())
    .addOption(httpOption())
    .addOption(httpTokenOption())
    .addOption(noLoaderOption())
    .addHelpText(
      "after",
      examples(
        ["run the registry for the servers of this host", typed],
        [
          "run it for other hosts too, with its own log file",
          `${typed} -l tcp://10.0.0.1:4000 --log-file -`,
        ],
        [
          "run one of several registries, which share their entries in etcd",
          `${typed} -l tcp://10.0.0.1:4000 --store etcd://etcd1:2379,etcd2:2379/ensemble`,
        ],
      ),
    )
    .action(async (options, command) => {
      requireHttpToken(options, command);
      const { serveRegistry } = await import("../../registry/registry_actor.ts");
      const { runServer } = await import("../../runtime/ensemble/run_server.ts");
      const { provideRuntime } = await import("../../runtime/ensemble/ensemble_server.ts");
      provideRuntime(() => import("../../mod.ts"));
      await runServer(REGISTRY_ID, (server) => server.stopped, {
        ...options,
        ...addressTexts(options),
        log: logOptions(options),
        async prepare(server) {
          // First, since a store may take long to open.
          await serveHttp(server, options);
          const defaultPath = `${server.directory}/registry.db`;
          const { lease, storeUser, storePasswordFile, storeCa, storeCert, storeKey } = options;
          const access = { storeUser, storePasswordFile, storeCa, storeCert, storeKey };
          const store = await openStore(options.store, { defaultPath, lease, access });
          await serveRegistry(server, store);
        },
      });
    });
}
