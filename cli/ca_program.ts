/**
 * The command `ca` and those that belong to it.
 *
 * @module
 */
import { type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import {
  collecting,
  forceOption,
  jsonOption,
  passphraseFileOption,
  reading,
  serverIdArgument,
  serverIdsArgument,
  viewOption,
} from "./kit/options.ts";
import { parseCapabilities } from "../runtime/server/capabilities.ts";
import {
  DEFAULT_DAYS,
  type Host,
  parseDays,
  parseDnsName,
  parseHost,
} from "../runtime/pki/certificate_terms.ts";
import { parseSymbols } from "../runtime/notation.ts";
import { UsageError } from "./kit/command_line.ts";

const domainOption = () =>
  new Option("--domain <domain>", "the domain of the servers' names: <server-id>.<domain>")
    .default("ensemble.internal", "ensemble.internal").argParser(reading(parseDnsName));

const capabilitiesOption = () =>
  new Option("--capabilities <capabilities>", "what the servers may do in every other server")
    .default<string[]>([], "none").argParser<string[]>(collecting(readCapabilities));

const hostOption = () =>
  new Option(
    "--host <host>",
    "names and IP addresses that the servers are reached at, besides <server-id>.<domain> and " +
      "localhost",
  ).default<Host[]>([], "none").argParser<Host[]>(collecting(parseHosts));

const daysOption = () =>
  new Option("--days <days>", "for how many days the certificates are valid")
    .default(DEFAULT_DAYS, `${DEFAULT_DAYS}`).argParser(reading(parseDays));

function readCapabilities(text: string): string[] {
  return parseCapabilities(parseSymbols(text));
}

function parseHosts(text: string): Host[] {
  return parseSymbols(text).map(parseHost);
}

/** Commander's own report of an unknown command, which it does not declare. */
interface Reporting {
  unknownCommand(): void;
}

/** Adds `ca` and its commands to the program. */
export function addAuthorityCommand(program: CommandUnknownOpts): void {
  const ca = program.command("ca").description("manage the certificates of servers that speak TLS")
    .addOption(viewOption())
    .addOption(jsonOption())
    .enablePositionalOptions()
    .allowExcessArguments()
    // A bundle does not keep the order in which x509.ts wants its two packages loaded.
    .hook("preAction", async () => void await import("npm:reflect-metadata@^0.2.2"))
    .action(async (options, command) => {
      if (command.args.length > 0) (command as unknown as Reporting).unknownCommand();
      if (!options.view) command.help({ error: true });
      const { caView } = await import("./commands/ca_view.ts");
      await caView(options);
    });
  ca.hook("preAction", (_ca, command) => {
    const { view, json } = ca.opts();
    if (command === ca || !view && !json) return;
    throw new UsageError(
      view ? "ca --view takes no command" : "--json comes after the command that it belongs to",
      "gxensemble help ca",
    );
  });

  ca.command("setup").description("generate the certificate authority of the ensemble")
    .addOption(domainOption())
    .addOption(
      forceOption("replace an authority that exists; then every server needs a new certificate"),
    )
    .addOption(passphraseFileOption())
    .action(async (options) => {
      const { caSetup } = await import("./commands/ca_setup.ts");
      await caSetup(options);
    });

  ca.command("cert").description("issue certificates to servers, or renew them")
    .addOption(capabilitiesOption())
    .addOption(hostOption())
    .addOption(daysOption())
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addArgument(serverIdsArgument())
    .action(async (serverIds, options) => {
      const { caCert } = await import("./commands/ca_cert.ts");
      await caCert(serverIds, options);
    });

  ca.command("show").description("list the certificates that were issued")
    .addOption(jsonOption())
    .action(async (options) => {
      const { caShow } = await import("./commands/ca_show.ts");
      await caShow(options);
    });

  ca.command("revoke").description("revoke the certificates of a server")
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addArgument(serverIdArgument())
    .action(async (serverId, options) => {
      const { caRevoke } = await import("./commands/ca_revoke.ts");
      await caRevoke(serverId, options);
    });
}
