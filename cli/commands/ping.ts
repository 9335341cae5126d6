/**
 * `gxensemble ping`.
 *
 * @module
 */
import type { CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { examples } from "../kit/help_text.ts";
import {
  actorIdArgument,
  jsonOption,
  logOption,
  supervisorPassphraseOption,
} from "../kit/options.ts";
import { printLine } from "../kit/output.ts";
import {
  addParallelOptions,
  addServersOptions,
  destinationListArgument,
  namedActors,
  ServersCommand,
} from "../kit/server_set_options.ts";

/** Checks that servers, or actors in them, answer. */
export function pingCommand(): CommandUnknownOpts {
  const command = new ServersCommand("ping").description("pings a server or actor in the server");
  return addParallelOptions(addServersOptions(command))
    .addOption(supervisorPassphraseOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(destinationListArgument())
    .addArgument(actorIdArgument())
    .addHelpText(
      "after",
      examples(
        ["ping a server", "gxensemble ping httpd1"],
        ["ping an actor in it", "gxensemble ping httpd1 loader", "gxensemble ping loader@httpd1"],
        [
          "ping all servers with a role, and all servers",
          "gxensemble ping --role httpd",
          "gxensemble ping --all",
        ],
        ["wait only half a second, for monitoring", "gxensemble ping --timeout 0.5 httpd1"],
        [
          "ping a server through the registry on another host",
          "gxensemble ping --registry tcp://10.0.0.1:4000 httpd1",
        ],
      ),
    )
    .action(async (names, actorId, options, command) => {
      const { servers, actorIn } = namedActors(names, { ...options, actorId, command });
      const { inEachServer } = await import("../kit/server_set.ts");
      const { ping } = await import("../../runtime/ensemble/remote.ts");
      await inEachServer(servers, {
        ...options,
        async work(server, { actors }) {
          const actor = actorIn(server);
          await ping(actors, server, actor);
          return { server, actor: actor ?? null, result: "OK" };
        },
        print: (_result, label) => printLine(`${label}OK`),
        toJson: (result) => result,
      });
    });
}
