/**
 * The command that runs the registry: `gxensemble registry`, and `ensemble-registry` by itself.
 *
 * @module
 */
import { Command, type CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import {
  announceOption,
  listenOption,
  logFileOption,
  logFormatOption,
  logOption,
  logOptions,
  noLoaderOption,
  storeOption,
} from "../kit/options.ts";

/** Makes the command under a name. What runs the registry is imported when it is run. */
export function registryCommand(name: string): CommandUnknownOpts {
  return new Command(name).description("runs the ensemble registry")
    .addOption(logOption("info"))
    .addOption(logFileOption())
    .addOption(listenOption())
    .addOption(announceOption())
    .addOption(storeOption())
    .addOption(logFormatOption())
    .addOption(noLoaderOption())
    .action(async (options) => {
      const { provideRuntime } = await import("../../runtime/ensemble/ensemble_server.ts");
      const { runRegistry } = await import("../../registry/run_registry.ts");
      provideRuntime(() => import("../../mod.ts"));
      await runRegistry({ ...options, log: logOptions(options) });
    });
}
