/**
 * The command `env` and those that belong to it.
 *
 * @module
 */
import { Argument, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { collecting, jsonOption, reading } from "./kit/options.ts";
import { parseServerId, type ServerId } from "../runtime/actor/references.ts";
import { type Address, parseAddresses } from "../runtime/wire/address.ts";
import { UsageError } from "./kit/command_line.ts";

/** What is done with the addresses of a server. */
const CHANGES = ["add", "set", "remove"] as const;

const HELP = "gxensemble help env known-servers";

/** Adds `env` and its commands to the program. */
export function addEnvironmentCommand(program: CommandUnknownOpts): void {
  const env = program.command("env").description(
    "manage what all commands and servers of this host go by",
  );
  env.command("known-servers")
    .description("list or change the file of servers whose addresses are known")
    .addOption(
      new Option(
        "--add",
        "adds addresses; without any that of the server's unix socket on this host",
      ).default(false),
    )
    .addOption(
      new Option("--set", "puts addresses in the place of those that the server has").default(
        false,
      ),
    )
    .addOption(
      new Option("--remove", "removes addresses; without any the server").default(false),
    )
    .addOption(jsonOption())
    .addArgument(
      new Argument("[known-server-id]", "the server id; registry is where the registry is")
        .argParser<ServerId | undefined>(reading(parseServerId)),
    )
    .addArgument(
      new Argument("[addresses...]", "addresses of the server")
        .default<Address[]>([], "none").argParser<Address[]>(collecting(parseAddresses)),
    )
    .action(async (serverId, addresses, options) => {
      const { changeKnown, listKnown } = await import("./commands/env_known_servers.ts");
      const [change, second] = CHANGES.filter((change) => options[change]);
      if (second !== undefined) {
        throw new UsageError(`--${change} and --${second} exclude each other`, HELP);
      }
      if (change === undefined) {
        if (addresses.length > 0) {
          throw new UsageError(
            "addresses are to be added, set or removed: give --add, --set or --remove",
            HELP,
          );
        }
        return await listKnown(serverId, options);
      }
      if (serverId === undefined) throw new UsageError(`--${change} of which server?`, HELP);
      if (change === "set" && addresses.length === 0) {
        throw new UsageError("--set takes addresses; --remove forgets the server", HELP);
      }
      await changeKnown(serverId, { change, addresses, ...options });
    });
}
