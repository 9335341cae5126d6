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
import type { RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { hasReader } from "../../runtime/home/standard_stream.ts";
import { completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  addClientOptions,
  jsonOption,
  logOption,
  longOption,
  namedStates,
  ofGroupOption,
  ofRoleOption,
  readRole,
  readServerId,
  registryOption,
  RUNNING_STATES,
  stateOption,
  supervisorOption,
  supervisorPassphraseOption,
  timeoutOption,
} from "../kit/options.ts";
import { printError, printJson, printLine } from "../kit/output.ts";
import {
  addParallelOptions,
  addServersOptions,
  isSet,
  namedServers,
  serverListArgument,
  ServersCommand,
  type ServerSet,
} from "../kit/server_set_options.ts";
import type { LookupQuery } from "../kit/servers.ts";
import type { Column } from "../kit/table.ts";

/** Prints the servers that the registry knows, and the registries. */
export function listServersCommand(): CommandUnknownOpts {
  return addClientOptions(new Command("list-servers"))
    .description("lists known servers")
    .addOption(longOption("shows all about each server"))
    .addOption(ofRoleOption())
    .addOption(ofGroupOption())
    .addOption(stateOption("starting, up and draining; any with --long or --json"))
    .addHelpText(
      "after",
      examples(
        ["list servers with their roles and addresses", "gxensemble list-servers"],
        ["list all that is known of them, in every state", "gxensemble list-servers --long"],
        ["list only their ids", "gxensemble list-servers --json | jq -r '.[].server'"],
      ),
    )
    .action(async ({ role, group, state, ...options }) => {
      const { withConsole } = await import("../kit/console.ts");
      const { listRegistries, reportStale } = await import("../kit/servers.ts");
      const { listPages } = await import("../../runtime/ensemble/remote.ts");
      const { entryToJson } = await import("../kit/listing.ts");
      const states = namedStates(state, options.long || options.json ? undefined : RUNNING_STATES);
      await withConsole(options, async (actors) => {
        // They have neither roles nor groups, and are in no page.
        const registries = role === undefined && group === undefined
          ? await listRegistries(actors, states)
          : [];
        const print = await entryPrinter(options);
        const all: RegistryEntry[] = [];
        for await (const page of listPages(actors, { role, group, states })) {
          reportStale(actors, page);
          const entries = mergeUpTo(page.next, registries, page.entries);
          if (options.json) all.push(...entries);
          else print(entries);
          if (!hasReader()) return;
        }
        if (options.json) printJson(all.map(entryToJson));
      });
    });
}

/** Adds to a page of entries the registries that belong there; `next` is undefined on the last page. */
function mergeUpTo(
  next: string | undefined,
  registries: RegistryEntry[],
  page: readonly RegistryEntry[],
): RegistryEntry[] {
  const belongs = ({ id }: RegistryEntry) => next === undefined || id <= next;
  const count = registries.findLastIndex(belongs) + 1;
  return [...page, ...registries.splice(0, count)].sort((a, b) => a.id < b.id ? -1 : 1);
}

/** Prints entries as they come, as lines or as a table. */
async function entryPrinter(
  { long }: { long: boolean },
): Promise<(entries: readonly RegistryEntry[]) => void> {
  const { ENTRY_COLUMNS, entryToRow, formatServer } = await import("../kit/listing.ts");
  if (!long) {
    return (entries) => {
      for (const { id, roles, addresses } of entries) printLine(formatServer(id, addresses, roles));
    };
  }
  const { TablePrinter } = await import("../kit/table.ts");
  const table = new TablePrinter(ENTRY_COLUMNS);
  return (entries) => table.print(entries.map(entryToRow));
}

/** Prints the actors in servers that have names. */
export function listActorsCommand(): CommandUnknownOpts {
  return addListOptions(
    new ServersCommand("list-actors"),
    "shows the state of each actor, the messages that wait for it and that it has taken, and the " +
      "types of the requests that a service answers",
  )
    .description("list actors registered in a server")
    .addArgument(serverListArgument())
    .addOption(
      new Option("--tree", "shows supervisors with the actors below them")
        .default(false).conflicts("long"),
    )
    .addHelpText(
      "after",
      examples(
        [
          "list the names of the actors in httpd1, one per line",
          "gxensemble list-actors httpd1",
        ],
        [
          "see which are busy in all servers, and what can be asked with call",
          "gxensemble list-actors --long --all",
        ],
        [
          "see what its supervisors have restarted",
          "gxensemble list-actors --tree httpd1",
        ],
      ),
    )
    .action(async (names, options, command) => {
      const servers = namedServers(names, { ...options, command });
      const { long, tree } = options;
      const { inEachServer } = await import("../kit/server_set.ts");
      const { controlClient } = await import("../../runtime/ensemble/remote.ts");
      const { ACTOR_COLUMNS, actorToJson, actorToRow } = await import("../kit/listing.ts");
      const { formatTree, treeOf, treeToJson } = await import("../kit/actor_tree.ts");
      const print = await rowPrinter(servers, ACTOR_COLUMNS);
      await inEachServer(servers, {
        ...options,
        async work(server, { actors }) {
          const control = controlClient(actors, server);
          if (!long && !tree) return { server, names: await control.listActors(), infos: [] };
          return { server, names: [], infos: await control.describeActors({ tree }) };
        },
        print({ server, names, infos }, label) {
          if (long) return print(server, infos.map(actorToRow));
          const lines = tree ? formatTree(treeOf(infos)) : names;
          for (const line of lines) printLine(label + line);
        },
        toJson({ names, infos }) {
          return tree ? treeOf(infos).map(treeToJson) : long ? infos.map(actorToJson) : names;
        },
      });
    });
}

/** Prints the servers that servers are connected to. */
export function listConnectionsCommand(): CommandUnknownOpts {
  return addListOptions(
    new ServersCommand("list-connections"),
    "shows since when a connection is open, the messages and bytes each way, and the bytes " +
      "that wait to be sent",
  )
    .description("list a server's connection")
    .addArgument(serverListArgument())
    .addHelpText(
      "after",
      examples(
        ["list the connected servers, with their addresses", "gxensemble list-connections httpd1"],
        [
          "see what the connections carry, of one server and of all",
          "gxensemble list-connections --long httpd1",
          "gxensemble list-connections --long --all",
        ],
      ),
    )
    .action(async (names, options, command) => {
      const servers = namedServers(names, { ...options, command });
      const { inEachServer } = await import("../kit/server_set.ts");
      const { controlClient } = await import("../../runtime/ensemble/remote.ts");
      const { CONNECTION_COLUMNS, connectionToJson, connectionToRow, formatServer } = await import(
        "../kit/listing.ts"
      );
      const print = await rowPrinter(servers, CONNECTION_COLUMNS);
      await inEachServer(servers, {
        ...options,
        async work(server, { actors }) {
          return { server, connections: await controlClient(actors, server).listConnections() };
        },
        print({ server, connections }, label) {
          if (options.long) return print(server, connections.map(connectionToRow));
          for (const { peer, address } of connections) {
            printLine(label + formatServer(peer, [address]));
          }
        },
        toJson: ({ connections }) => connections.map(connectionToJson),
      });
    });
}

/** Adds the options of a list of what each server has; `long` says what `--long` shows. */
function addListOptions(command: ServersCommand, long: string) {
  return addParallelOptions(addServersOptions(command))
    .addOption(supervisorPassphraseOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addOption(longOption(long));
}

/** Prints the rows of servers in one table. That of a set of servers begins with their ids. */
async function rowPrinter(
  set: ServerSet,
  columns: readonly Column[],
): Promise<(server: string, rows: readonly (readonly string[])[]) => void> {
  const { TablePrinter } = await import("../kit/table.ts");
  if (!isSet(set)) {
    const table = new TablePrinter(columns);
    return (_server, rows) => table.print(rows);
  }
  const table = new TablePrinter([{ heading: "server" }, ...columns]);
  return (server, rows) => table.print(rows.map((row) => [server, ...row]));
}

/** Prints the addresses of servers. */
export function lookupCommand(): CommandUnknownOpts {
  return new Command("lookup").description("looks up a server by id or role")
    .addOption(registryOption())
    .addOption(supervisorOption())
    .addOption(timeoutOption())
    .addOption(new Option("--role", "lookup by role").default(false))
    .addOption(stateOption("up, for roles; any, for ids"))
    .addOption(longOption("shows all about each server"))
    .addOption(supervisorPassphraseOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(
      completing(
        "servers or roles",
        new Argument("<server-or-role...>", "the server or role to lookup"),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["look up the addresses of a server", "gxensemble lookup httpd1"],
        ["look up the servers with a role that are up", "gxensemble lookup --role httpd"],
        [
          "show what is known of two servers, in whatever state they are",
          "gxensemble lookup --long httpd1 httpd2",
        ],
      ),
    )
    .action(async (names, { role, state, ...options }, command) => {
      const queries = [...new Set(names)].map((name): LookupQuery =>
        role
          ? { role: readRole(name, command), states: namedStates(state, ["up"]) }
          : { server: readServerId(name, command), states: namedStates(state) }
      );
      const { withConsole } = await import("../kit/console.ts");
      const { findServers } = await import("../kit/servers.ts");
      const { entryToJson, formatServer } = await import("../kit/listing.ts");
      const { found, missing } = await withConsole(
        options,
        (actors) => findServers(actors, queries),
      );
      if (options.json && (found.length > 0 || queries.length > 1)) {
        printJson(found.map(entryToJson));
      } else if (options.long) (await entryPrinter(options))(found);
      else for (const { id, addresses } of found) printLine(formatServer(id, addresses));
      const last = missing.pop();
      for (const error of missing) printError(error.message);
      if (last) throw last;
    });
}
