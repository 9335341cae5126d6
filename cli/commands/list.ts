/**
 * The commands that list servers, actors and connections: `gxensemble list-servers`, `list-actors`,
 * `list-connections` and `lookup`.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  addClientOptions,
  jsonOption,
  logOption,
  longOption,
  readRole,
  readServerId,
  registryOption,
  serverIdArgument,
  timeoutOption,
} from "../kit/options.ts";
import { printJson, printLine } from "../kit/output.ts";

/** Prints the servers that the registry knows, and the registry. */
export function listServersCommand(): CommandUnknownOpts {
  return addClientOptions(new Command("list-servers"))
    .description("lists known servers")
    .addHelpText(
      "after",
      examples(
        ["list servers with their roles and addresses", "gxensemble list-servers"],
        ["list only their ids", "gxensemble list-servers --json | jq -r '.[].server'"],
      ),
    )
    .action(async (options) => {
      const { withConsole } = await import("../kit/console.ts");
      const { listServers } = await import("../../runtime/ensemble/remote.ts");
      const { registryClient } = await import("../../runtime/server/registry_protocol.ts");
      const entries = await withConsole(options, async (actors) => {
        const [servers, { entry: registry }] = await Promise.all([
          listServers(actors),
          registryClient(actors).lookup({ id: REGISTRY_ID }),
        ]);
        return [...servers, ...registry ? [registry] : []].sort((a, b) => a.id < b.id ? -1 : 1);
      });
      const { entryToJson, formatServer } = await import("../kit/listing.ts");
      if (options.json) return printJson(entries.map(entryToJson));
      for (const { id, roles, addresses } of entries) printLine(formatServer(id, addresses, roles));
    });
}

/** Prints the names of the actors in a server. */
export function listActorsCommand(): CommandUnknownOpts {
  return addClientOptions(new Command("list-actors"))
    .description("list actors registered in a server")
    .addArgument(serverIdArgument())
    .addHelpText(
      "after",
      examples([
        "list the names of the actors in httpd1, one per line",
        "gxensemble list-actors httpd1",
      ]),
    )
    .action(async (serverId, options) => {
      const { withConsole } = await import("../kit/console.ts");
      const { controlClient } = await import("../../runtime/ensemble/remote.ts");
      const names = await withConsole(
        options,
        (actors) => controlClient(actors, serverId).listActors(),
      );
      if (options.json) printJson(names);
      else names.forEach((name) => printLine(name));
    });
}

/** Prints the servers that a server is connected to. */
export function listConnectionsCommand(): CommandUnknownOpts {
  return addClientOptions(new Command("list-connections"))
    .description("list a server's connection")
    .addOption(
      longOption(
        "shows since when a connection is open, the messages and bytes each way, and the bytes " +
          "that wait to be sent",
      ),
    )
    .addArgument(serverIdArgument())
    .addHelpText(
      "after",
      examples(
        ["list the connected servers, with their addresses", "gxensemble list-connections httpd1"],
        ["see what the connections carry", "gxensemble list-connections --long httpd1"],
      ),
    )
    .action(async (serverId, options) => {
      const { withConsole } = await import("../kit/console.ts");
      const { controlClient } = await import("../../runtime/ensemble/remote.ts");
      const connections = await withConsole(
        options,
        (actors) => controlClient(actors, serverId).listConnections(),
      );
      const { CONNECTION_COLUMNS, connectionToJson, connectionToRow, formatServer } = await import(
        "../kit/listing.ts"
      );
      if (options.json) return printJson(connections.map(connectionToJson));
      if (options.long) {
        const { TablePrinter } = await import("../kit/table.ts");
        return new TablePrinter(CONNECTION_COLUMNS).print(connections.map(connectionToRow));
      }
      for (const { peer, address } of connections) printLine(formatServer(peer, [address]));
    });
}

/** Prints the addresses of servers. */
export function lookupCommand(): CommandUnknownOpts {
  return new Command("lookup").description("looks up a server by id or role")
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(new Option("--role", "lookup by role").default(false))
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(
      completing(
        "servers or roles",
        new Argument("<server-or-role>", "the server or role to lookup"),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["look up the addresses of a server", "gxensemble lookup httpd1"],
        ["look up the servers with a role", "gxensemble lookup --role httpd"],
      ),
    )
    .action(async (serverOrRole, options, command) => {
      const query = options.role
        ? { role: readRole(serverOrRole, command) }
        : { server: readServerId(serverOrRole, command) };
      const { withConsole } = await import("../kit/console.ts");
      const { findServers } = await import("../kit/servers.ts");
      const entries = await withConsole(options, (actors) => findServers(actors, query));
      const { entryToJson, formatServer } = await import("../kit/listing.ts");
      if (options.json) return printJson(entries.map(entryToJson));
      for (const { id, addresses } of entries) printLine(formatServer(id, addresses));
    });
}
