/**
 * `gxensemble ping`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { examples } from "../kit/help_text.ts";
import {
  actorIdArgument,
  addClientOptions,
  destinationArgument,
  namedActor,
} from "../kit/options.ts";
import { printJson, printLine } from "../kit/output.ts";

/** Checks that a server, or one of its actors, answers. */
export function pingCommand(): CommandUnknownOpts {
  return addClientOptions(new Command("ping"))
    .description("pings a server or actor in the server")
    .addArgument(destinationArgument())
    .addArgument(actorIdArgument())
    .addHelpText(
      "after",
      examples(
        ["ping a server", "gxensemble ping httpd1"],
        ["ping an actor in it", "gxensemble ping httpd1 loader", "gxensemble ping loader@httpd1"],
        ["wait only half a second, for monitoring", "gxensemble ping --timeout 0.5 httpd1"],
        [
          "ping a server through the registry on another host",
          "gxensemble ping --registry tcp://10.0.0.1:4000 httpd1",
        ],
      ),
    )
    .action(async (destination, actorId, options, command) => {
      const { server } = destination;
      const actor = namedActor(destination, { actorId, command });
      const { withConsole } = await import("../kit/console.ts");
      const { ping } = await import("../../runtime/ensemble/remote.ts");
      await withConsole(options, (actors) => ping(actors, server, actor));
      if (options.json) printJson({ server, actor: actor ?? null, result: "OK" });
      else printLine("OK");
    });
}
