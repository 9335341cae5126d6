/**
 * The capabilities of a server in other servers: `gxensemble authorize` grants them, `gxensemble
 * retract` revokes them.
 *
 * @module
 */
import { Argument, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { checkServerId } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { formatNotation, parseSymbols, symbol } from "../../runtime/notation.ts";
import type { Delegation } from "../../runtime/server/capabilities.ts";
import { checkCapabilities, KNOWN_CAPABILITIES } from "../../runtime/server/capability_names.ts";
import { shortInstance } from "../../runtime/server/credentials.ts";
import { ArgumentUnless, completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { addResultOptions, type ClientOptions, type OutputOptions } from "../kit/options.ts";
import { printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import {
  addParallelOptions,
  addServersOptions,
  namedServers,
  type ParallelOptions,
  serverListArgument,
  ServersCommand,
  type ServerSet,
} from "../kit/server_set_options.ts";

interface AuthorizeOptions
  extends ClientOptions, OutputOptions, PassphraseOptions, ParallelOptions {}

/** Grants capabilities in servers to another server, or lists the servers that have some. */
export function authorizeCommand(): CommandUnknownOpts {
  const command = new ServersCommand("authorize").description(
    "authorize capabilities for a server",
  );
  return addResultOptions(
    addParallelOptions(addServersOptions(command)).addOption(
      new Option("--list", "lists the servers that have capabilities, and changes nothing").default(
        false,
      ),
    ),
  )
    .addArgument(serverListArgument())
    .addArgument(
      completing(
        "servers but the registry",
        new ArgumentUnless("authorized-server-id", {
          description: "the server to authorize capabilities for",
          options: ["--list"],
        }).argParser<string | undefined>(reading(checkServerId)),
      ),
    )
    .addArgument(
      completing(
        { noun: "capability", words: KNOWN_CAPABILITIES, list: true },
        new Argument("[capabilities]", "the server capabilities to authorize")
          .default<string[]>(["admin"], "(admin)").argParser<string[]>(
            reading((text) => checkCapabilities(parseSymbols(text))),
          ),
      ),
    )
    .addHelpText(
      "after",
      examples(
        [
          "let the actors in deployer load code into httpd1 and shut it down",
          'gxensemble authorize httpd1 deployer "(loader shutdown)"',
        ],
        ["list the capabilities in httpd1", "gxensemble authorize --list httpd1"],
      ),
    )
    .action(async (names, authorizedId, capabilities, options, command) => {
      const servers = namedServers(names, { ...options, command });
      if (options.list && authorizedId !== undefined) {
        command.error("--list takes no authorized server id");
      }
      if (options.list) return await listAuthorized(servers, options);
      if (authorizedId === undefined) {
        return command.error("missing required argument 'authorized-server-id'");
      }
      await authorize(servers, { authorizedId, capabilities, ...options });
    });
}

async function authorize(
  servers: ServerSet,
  { authorizedId, capabilities, ...options }: AuthorizeOptions & {
    authorizedId: string;
    capabilities: string[];
  },
): Promise<void> {
  const { inEachServer } = await import("../kit/server_set.ts");
  const { controlClient } = await import("../../runtime/ensemble/remote.ts");
  const { describeServer } = await import("../../runtime/server/registry_protocol.ts");
  const request = { server: authorizedId, capabilities };
  await inEachServer(servers, {
    ...options,
    capability: "admin",
    async work(server, { actors }) {
      return { server, entry: await controlClient(actors, server).authorize(request) };
    },
    print({ entry }, label) {
      const instance = shortInstance(entry.instance);
      printNotice(`${label}authorized instance ${instance} of ${describeServer(entry)}`);
    },
    toJson({ server, entry }) {
      const instance = entry.instance.toHex();
      return { server, authorized: authorizedId, instance, capabilities };
    },
  });
}

/**
 * Prints the servers that have capabilities: `(other (shutdown) "2026-01-02T03:04:05.678Z" by
 * "0123456789abcdef")`, without the last for any instance.
 */
async function listAuthorized(servers: ServerSet, options: AuthorizeOptions): Promise<void> {
  const { inEachServer } = await import("../kit/server_set.ts");
  const { controlClient } = await import("../../runtime/ensemble/remote.ts");
  await inEachServer(servers, {
    ...options,
    work: (server, { actors }) => controlClient(actors, server).delegations(),
    print(delegations, label) {
      for (const each of delegations) printLine(label + formatDelegation(each));
    },
    toJson: (delegations) => delegations.map(toJson),
  });
}

function formatDelegation({ server, capabilities, since, by, instance }: Delegation): string {
  return formatNotation([
    symbol(server),
    capabilities.map(symbol),
    new Date(since).toISOString(),
    symbol(by),
    ...instance ? [shortInstance(instance)] : [],
  ]);
}

function toJson({ server, instance, capabilities, since, by }: Delegation): object {
  return {
    server,
    ...instance && { instance: instance.toHex() },
    capabilities,
    since: new Date(since).toISOString(),
    by,
  };
}

/** Revokes all capabilities that a server has in others. */
export function retractCommand(): CommandUnknownOpts {
  const command = new ServersCommand("retract").description(
    "retract all capabilities granted to a server",
  );
  return addResultOptions(addParallelOptions(addServersOptions(command)))
    .addArgument(serverListArgument())
    .addArgument(
      completing(
        "authorized",
        new Argument("<authorized-server-id>", "the server to retract capabilities from")
          .argParser(reading(checkServerId)),
      ),
    )
    .addHelpText(
      "after",
      examples([
        "take away all capabilities of deployer",
        "gxensemble retract httpd1 deployer",
      ]),
    )
    .action(async (names, authorizedId, options, command) => {
      const servers = namedServers(names, { ...options, command });
      const { inEachServer } = await import("../kit/server_set.ts");
      const { controlClient } = await import("../../runtime/ensemble/remote.ts");
      await inEachServer(servers, {
        ...options,
        capability: "admin",
        async work(server, { actors }) {
          const { retracted, returning } = await controlClient(actors, server)
            .retract({ server: authorizedId });
          if (retracted.length > 0) return { server, retracted, returning };
          throw new EnsembleError(`${authorizedId} has no capabilities in ${server}`);
        },
        print({ server, retracted, returning }, label) {
          const had = formatNotation(retracted.map(symbol));
          printNotice(`${label}... ${authorizedId} had ${had} in ${server}`);
          if (returning.length === 0) return;
          printNotice(
            `${label}... its certificate grants it ${
              formatNotation(returning.map(symbol))
            } again ` +
              `when it reconnects, in every server: to end that, run gxensemble ca revoke ` +
              authorizedId,
          );
        },
        toJson: ({ server, retracted, returning }) => ({
          server,
          retracted: authorizedId,
          capabilities: retracted,
          returning,
        }),
      });
    });
}
