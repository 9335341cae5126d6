/**
 * `gxensemble env` and the commands that belong to it.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { checkServerId } from "../../runtime/actor/references.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import {
  type Address,
  formatAddressUrl,
  localUnixAddress,
  parseAddresses,
} from "../../runtime/wire/address.ts";
import { collecting, completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { formatServer } from "../kit/listing.ts";
import { jsonOption, type OutputOptions } from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";

/** What is done with the addresses of a server. */
const CHANGES = ["add", "set", "remove"] as const;

interface ChangeOptions extends OutputOptions {
  /** What becomes of the addresses. */
  change: typeof CHANGES[number];
  /** The addresses. */
  addresses: Address[];
}

/** Manages what all commands and servers of this host go by. */
export function envCommand(): CommandUnknownOpts {
  const env = new Command("env")
    .description("manage what all commands and servers of this host go by")
    .addHelpText(
      "after",
      examples([
        "where the registry is, for all commands and servers of this host",
        "gxensemble env known-servers --set registry tcp://10.0.0.1:4000",
      ]),
    );
  env.addCommand(knownServersCommand());
  return env;
}

/** Lists or changes the file of servers whose addresses are known. */
function knownServersCommand(): CommandUnknownOpts {
  return new Command("known-servers")
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
    .addArgument(completing(
      "known",
      new Argument("[known-server-id]", "the server id; registry is where the registry is")
        .argParser<string | undefined>(reading(checkServerId)),
    ))
    .addArgument(completing(
      "nothing",
      new Argument("[addresses...]", "addresses of the server")
        .default<Address[]>([], "none").argParser<Address[]>(collecting(parseAddresses)),
    ))
    .addHelpText(
      "after",
      examples(
        [
          "all of them, or one",
          "gxensemble env known-servers",
          "gxensemble env known-servers web1",
        ],
        [
          "where the registry is: no command needs --registry then",
          "gxensemble env known-servers --set registry tcp://10.0.0.1:4000",
        ],
        [
          "a further address of a server, and none any more",
          "gxensemble env known-servers --add web1 tls://web1.example.com:4001",
          "gxensemble env known-servers --remove web1",
        ],
      ),
    )
    .action(async (serverId, addresses, options, command) => {
      const [change, second] = CHANGES.filter((change) => options[change]);
      if (second !== undefined) command.error(`--${change} and --${second} exclude each other`);
      if (change === undefined) {
        if (addresses.length > 0) {
          command.error("addresses are to be added, set or removed: give --add, --set or --remove");
        }
        return await list(serverId, options);
      }
      if (serverId === undefined) return command.error(`--${change} of which server?`);
      if (change === "set" && addresses.length === 0) {
        command.error("--set takes addresses; --remove forgets the server");
      }
      await changeAddresses(serverId, { change, addresses, ...options });
    });
}

/** Prints the servers whose addresses are known, or one of them: `(httpd1 (tcp: "10.0.0.1:4000"))`. */
async function list(serverId: string | undefined, { json }: OutputOptions): Promise<void> {
  const { KnownServersFile } = await import("../../runtime/home/known_servers.ts");
  const file = new KnownServersFile(findPlaces().knownServers);
  const known = await file.read();
  if (serverId !== undefined && !known.has(serverId)) throw file.unknown(serverId);
  const listed = [...known].filter(([id]) => serverId === undefined || id === serverId);
  if (json) printJson(listed.map(([id, addresses]) => toJson(id, addresses)));
  else for (const [id, addresses] of listed) printLine(formatServer(id, addresses));
}

/** Changes the addresses of a server. Without any, its UNIX socket on this host is added, and all are removed. */
async function changeAddresses(
  serverId: string,
  { change, addresses, json }: ChangeOptions,
): Promise<void> {
  const { KnownServersFile } = await import("../../runtime/home/known_servers.ts");
  const file = new KnownServersFile(findPlaces().knownServers);
  const isLocal = change === "add" && addresses.length === 0;
  const given = isLocal ? [localUnixAddress(findPlaces().socket(serverId))] : addresses;
  const left = await file[change](serverId, given);
  if (json) return printJson(toJson(serverId, left));
  printNotice(
    left.length > 0
      ? `... ${formatServer(serverId, left)} in ${file.path}`
      : `... ${serverId} is no more in ${file.path}`,
  );
}

function toJson(id: string, addresses: readonly Address[]): object {
  return { server: id, addresses: addresses.map(formatAddressUrl) };
}
