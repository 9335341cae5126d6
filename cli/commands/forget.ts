/**
 * `gxensemble forget`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { ActorError, EnsembleError } from "../../runtime/errors.ts";
import { examples } from "../kit/help_text.ts";
import {
  forceOption,
  jsonOption,
  logOption,
  passphraseFileOption,
  registryOption,
  timeoutOption,
} from "../kit/options.ts";
import { printLine } from "../kit/output.ts";
import { namedServers, serverListArgument } from "../kit/server_set_options.ts";

/** Removes the registry's entries of servers that are not alive. */
export function forgetCommand(): CommandUnknownOpts {
  return new Command("forget")
    .description("removes a server that is not alive from the registry")
    .addOption(
      forceOption("remove it even if it is alive; a server that runs then registers again"),
    )
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(serverListArgument())
    .addHelpText(
      "after",
      examples(
        ["remove a server whose host is gone, before its lease ends", "gxensemble forget httpd1"],
      ),
    )
    .action(async (names, { force, ...options }, command) => {
      const servers = namedServers(names, { command });
      const { inEachServer } = await import("../kit/server_set.ts");
      const { suggestServers } = await import("../kit/suggestions.ts");
      const { registryClient } = await import("../../runtime/server/registry_protocol.ts");
      await inEachServer(servers, {
        ...options,
        async work(id, { actors, administrator }) {
          if (id === REGISTRY_ID) {
            throw new EnsembleError("the registry cannot be forgotten: shut it down");
          }
          const registry = registryClient(actors);
          try {
            await administrator.elevating(
              REGISTRY_ID,
              "admin",
              () => registry.forget({ id, force }),
            );
          } catch (error) {
            if (!(error instanceof ActorError) || error.code !== "UNKNOWN_SERVER") throw error;
            const suggestion = await suggestServers(actors, id);
            throw new EnsembleError(error.message + suggestion, { code: error.code, cause: error });
          }
          return id;
        },
        print: (id) => printLine(`... removed ${id} from the registry`),
        toJson: (server) => ({ server }),
      });
    });
}
