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
import { jsonOption, type OutputOptions } from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";

/** The ways to change the addresses of a server. */
const CHANGES = ["add", "set", "remove"] as const;

interface ChangeOptions extends OutputOptions {
  /** How to change the addresses. */
  change: typeof CHANGES[number];
  /** The addresses. */
  addresses: Address[];
}

/** Manages the settings that all commands and servers of this host use. */
export function envCommand(): CommandUnknownOpts {
  const env = new Command("env")
    .description("manage the settings of this host")
    .addHelpText(
      "after",
      examples([
        "tell all commands and servers of this host where the registry is",
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
        "adds addresses; by default the server's unix socket on this host",
      ).default(false),
    )
    .addOption(
      new Option("--set", "replaces the server's addresses").default(
        false,
      ),
    )
    .addOption(
      new Option("--remove", "removes addresses; by default all of the server").default(false),
    )
    .addOption(jsonOption())
    .addArgument(completing(
      "known",
      new Argument("[known-server-id]", "the server id; registry for the registry")
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
          "list all of them, or one",
          "gxensemble env known-servers",
          "gxensemble env known-servers web1",
        ],
        [
          "set the registry's address, so that no command needs --registry",
          "gxensemble env known-servers --set registry tcp://10.0.0.1:4000",
        ],
        [
          "add an address of a server, and remove the server",
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
          command.error("addresses need an action: pass --add, --set or --remove");
        }
        return await list(serverId, options);
      }
      if (serverId === undefined) return command.error(`--${change} needs a server id`);
      if (change === "set" && addresses.length === 0) {
        command.error("--set needs addresses; to remove the server, use --remove");
      }
      await changeAddresses(serverId, { change, addresses, ...options });
    });
}

/**
 * Prints the servers whose addresses are known, or one of them: `(httpd1 (tcp: "10.0.0.1:4000"))`.
 */
async function list(serverId: string | undefined, { json }: OutputOptions): Promise<void> {
  const { KnownServersFile } = await import("../../runtime/home/known_servers.ts");
  const file = new KnownServersFile(findPlaces().knownServers);
  const known = await file.read();
  if (serverId !== undefined && !known.has(serverId)) throw file.unknown(serverId);
  const listed = [...known].filter(([id]) => serverId === undefined || id === serverId);
  if (json) return printJson(listed.map(([id, addresses]) => toJson(id, addresses)));
  const { formatServer } = await import("../kit/listing.ts");
  for (const [id, addresses] of listed) printLine(formatServer(id, addresses));
}

/**
 * Changes the addresses of a server. Without addresses, adds its UNIX socket on this host, or
 * removes all addresses.
 */
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
  const { formatServer } = await import("../kit/listing.ts");
  printNotice(
    left.length > 0
      ? `... ${formatServer(serverId, left)} in ${file.path}`
      : `... ${serverId} is no longer in ${file.path}`,
  );
}

function toJson(id: string, addresses: readonly Address[]): object {
  return { server: id, addresses: addresses.map(formatAddressUrl) };
}
