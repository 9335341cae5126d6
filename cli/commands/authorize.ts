/**
 * `gxensemble authorize`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/references.ts";
import { controlClient } from "../../runtime/ensemble/remote.ts";
import type { Delegation } from "../../runtime/server/capabilities.ts";
import { fingerprint } from "../../runtime/server/credentials.ts";
import { describeServer } from "../../runtime/server/registry_protocol.ts";
import { formatNotation, symbol } from "../../runtime/notation.ts";
import { Administrator } from "../kit/administrator.ts";
import { withConsole } from "../kit/console.ts";
import type { ClientOptions, OutputOptions } from "../kit/options.ts";
import { inEachServer, type NamedServers } from "../kit/servers.ts";
import { printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";

/** Options of {@linkcode authorize} and {@linkcode listAuthorized}. */
export interface AuthorizeOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

/** Confers capabilities inside servers to another server. */
export async function authorize(
  servers: NamedServers,
  authorizedId: ServerId,
  capabilities: string[],
  options: AuthorizeOptions,
): Promise<void> {
  const request = { server: authorizedId, capabilities };
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    await inEachServer(servers, {
      actors,
      json: options.json,
      async work(server) {
        const authorize = () => controlClient(actors, server).authorize(request);
        return { server, entry: await administrator.elevating(server, "admin", authorize) };
      },
      print({ entry }, label) {
        const instance = fingerprint(entry.instance);
        printNotice(`${label}authorized instance ${instance} of ${describeServer(entry)}`);
      },
      toJson({ server, entry }) {
        const instance = entry.instance.toHex();
        return { server, authorized: authorizedId, instance, capabilities };
      },
    });
  });
}

/** Prints who has capabilities inside servers: `(other (shutdown) "2026-01-02T03:04:05.678Z" by "0123456789abcdef")`. */
export async function listAuthorized(
  servers: NamedServers,
  options: AuthorizeOptions,
): Promise<void> {
  await withConsole(options, async (actors) => {
    await inEachServer(servers, {
      actors,
      json: options.json,
      work: (server) => controlClient(actors, server).delegations(),
      print(delegations, label) {
        for (const each of delegations) printLine(label + formatDelegation(each));
      },
      toJson: (delegations) => delegations.map(toJson),
    });
  });
}

function formatDelegation({ server, capabilities, since, by, instance }: Delegation): string {
  return formatNotation([
    symbol(server),
    capabilities.map(symbol),
    new Date(since).toISOString(),
    symbol(by),
    fingerprint(instance),
  ]);
}

function toJson({ server, instance, capabilities, since, by }: Delegation): object {
  return {
    server,
    instance: instance.toHex(),
    capabilities,
    since: new Date(since).toISOString(),
    by,
  };
}
