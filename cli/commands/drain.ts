/**
 * `gxensemble drain` and `undrain`.
 *
 * @module
 */
import { type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { examples } from "../kit/help_text.ts";
import { addResultOptions, NO_LIMIT } from "../kit/options.ts";
import { printLine } from "../kit/output.ts";
import {
  addParallelOptions,
  addServersOptions,
  namedServers,
  serverListArgument,
  ServersCommand,
} from "../kit/server_set_options.ts";

/** Takes servers out of use, and waits until they have finished what they have. */
export function drainCommand(): CommandUnknownOpts {
  const command = new ServersCommand("drain").description(
    "takes a server out of use, and waits until it has finished its requests",
  );
  return addResultOptions(addParallelOptions(addServersOptions(command, NO_LIMIT)))
    .addOption(new Option("--no-wait", "does not wait for its requests"))
    .addArgument(serverListArgument())
    .addHelpText(
      "after",
      examples(
        ["drain a server before it is replaced", "gxensemble drain httpd1"],
        ["wait for a minute at most", "gxensemble drain --timeout 60 httpd1"],
        [
          "drain the servers of a role, one after the other",
          "gxensemble drain --role httpd --concurrency 1",
        ],
      ),
    )
    .action(async (names, { wait, ...options }, command) => {
      const servers = namedServers(names, { ...options, command });
      const { inEachServer } = await import("../kit/server_set.ts");
      const { drain } = await import("../kit/draining.ts");
      await inEachServer(servers, {
        ...options,
        capability: "admin",
        async work(server, { actors }) {
          await drain(actors, server, { timeout: wait ? options.timeout : 0 });
          return server;
        },
        print: (server) => printLine(`... ${wait ? "drained" : "draining"} ${server}`),
        toJson: (server) => ({ server, state: "draining", drained: wait }),
      });
    });
}

/** Takes servers into use again. */
export function undrainCommand(): CommandUnknownOpts {
  const command = new ServersCommand("undrain").description(
    "takes a server into use again that is draining",
  );
  return addResultOptions(addParallelOptions(addServersOptions(command)))
    .addArgument(serverListArgument())
    .addHelpText("after", examples(["have a server take work again", "gxensemble undrain httpd1"]))
    .action(async (names, options, command) => {
      const servers = namedServers(names, { ...options, command });
      const { inEachServer } = await import("../kit/server_set.ts");
      const { controlClient } = await import("../../runtime/ensemble/remote.ts");
      await inEachServer(servers, {
        ...options,
        capability: "admin",
        async work(server, { actors }) {
          await controlClient(actors, server).undrain();
          return server;
        },
        print: (server) => printLine(`... ${server} takes work again`),
        toJson: (server) => ({ server }),
      });
    });
}
