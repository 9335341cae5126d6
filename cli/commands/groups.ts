/**
 * The commands for groups of actors: `gxensemble list-groups` and `publish`.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { ActorRef } from "../../runtime/actor/references.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { messageArgument, readMessage } from "../kit/message_arguments.ts";
import {
  addClientOptions,
  type ClientOptions,
  jsonOption,
  logOption,
  longOption,
  namedStates,
  type OutputOptions,
  parseGroup,
  registryOption,
  stateOption,
  supervisorOption,
  supervisorPassphraseOption,
  timeoutOption,
} from "../kit/options.ts";
import { printJson, printLine } from "../kit/output.ts";
import { addParallelOptions, type ParallelOptions } from "../kit/server_set_options.ts";
import type { ServerState } from "../../runtime/server/registry_protocol.ts";

/** Prints the groups of the ensemble, or the members of one. */
export function listGroupsCommand(): CommandUnknownOpts {
  return addClientOptions(new Command("list-groups"))
    .description("lists groups of actors, or the members of a group")
    .addOption(longOption("shows the state of each server"))
    .addOption(stateOption("up, which groups use; any with --long or --json, and no group"))
    .addArgument(
      completing(
        "groups",
        new Argument("[group]", "the group whose members to list")
          .argParser<string | undefined>(reading(parseGroup)),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["list the groups, with the numbers of members in each server", "gxensemble list-groups"],
        ["list the members of a group, one per line", "gxensemble list-groups orders"],
      ),
    )
    .action(async (group, { state, ...options }) => {
      const isFull = options.long || options.json;
      if (group !== undefined) {
        const states = namedStates(state, ["up"]);
        return await listMembers(group, { ...options, states });
      }
      await listGroups({ ...options, states: namedStates(state, isFull ? undefined : ["up"]) });
    });
}

/** The options of {@linkcode listGroupsCommand}, with the states that are meant. */
interface ListGroupsOptions extends ClientOptions, OutputOptions {
  readonly long: boolean;
  readonly states: readonly ServerState[];
}

async function listGroups({ states, ...options }: ListGroupsOptions): Promise<void> {
  const { withConsole } = await import("../kit/console.ts");
  const { reportStale } = await import("../kit/servers.ts");
  const { listServers } = await import("../../runtime/ensemble/remote.ts");
  const { formatGroupLine, GROUP_COLUMNS, groupsIn, groupToJson, groupToRows } = await import(
    "../kit/listing.ts"
  );
  const groups = await withConsole(options, async (actors) => {
    const onPage = (page: { staleFor?: number }) => reportStale(actors, page);
    return groupsIn(await listServers(actors, { states, onPage }));
  });
  if (options.json) return printJson(groups.map(groupToJson));
  if (!options.long) return groups.forEach((group) => printLine(formatGroupLine(group)));
  const { TablePrinter } = await import("../kit/table.ts");
  new TablePrinter(GROUP_COLUMNS).print(groups.flatMap(groupToRows));
}

async function listMembers(
  group: string,
  { states, long, ...options }: ListGroupsOptions,
): Promise<void> {
  const { inEachServer } = await import("../kit/server_set.ts");
  const { controlClient } = await import("../../runtime/ensemble/remote.ts");
  void long; // A member has nothing but its name.
  await inEachServer({ group, states }, {
    ...options,
    async work(server, { actors }) {
      return { server, members: await controlClient(actors, server).listMembers({ group }) };
    },
    print({ server, members }) {
      for (const member of members) printLine(`${ActorRef.unchecked(server, member)}`);
    },
    toJson: ({ members }) => members,
  });
}

/** Sends a message to all members of a group. */
export function publishCommand(): CommandUnknownOpts {
  return addParallelOptions(
    new Command("publish").description("sends a message to all actors of a group")
      .addOption(registryOption())
      .addOption(supervisorOption())
      .addOption(timeoutOption()),
  )
    .addOption(supervisorPassphraseOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(
      completing("groups", new Argument("<group>", "the group").argParser(reading(parseGroup))),
    )
    .addArgument(
      completing("message types of a group", new Argument("<type>", "the message's type")),
    )
    .addArgument(messageArgument())
    .addHelpText(
      "after",
      examples(
        ["send a message to all members, on any servers", "gxensemble publish caches clear"],
        [
          "pass arguments, also as JSON",
          "gxensemble publish caches forget key=prices",
          `gxensemble publish caches forget '{"key": "prices"}'`,
        ],
      ),
    )
    .action(async (group, type, texts, options, command) => {
      await publish(group, await readMessage(type, texts, command), options);
    });
}

async function publish(
  group: string,
  message: object,
  options: ClientOptions & OutputOptions & ParallelOptions,
): Promise<void> {
  const { inEachServer } = await import("../kit/server_set.ts");
  const { ping } = await import("../../runtime/ensemble/remote.ts");
  const { groupAddress } = await import("../../runtime/actor/memberships.ts");
  const address = groupAddress(group);
  await inEachServer({ group, states: ["up"] }, {
    ...options,
    async work(server, { actors }) {
      // This connects: the console sends what is left when it stops, but waits for no connection.
      await ping(actors, server);
      actors.tell(ActorRef.unchecked(server, address), message);
      return "sent";
    },
    print: () => {},
    toJson: (result) => result,
  });
}
