/**
 * `gxensemble authorize`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { controlClient } from "../../runtime/ensemble/remote.ts";
import type { Delegation } from "../../runtime/server/capabilities.ts";
import { fingerprint } from "../../runtime/server/instance.ts";
import { describeServer } from "../../runtime/server/registry_entry.ts";
import { formatNotation, symbol } from "../../runtime/wire/notation.ts";
import { Administrator } from "../administrator.ts";
import { withConsole } from "../console.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";
import { printJson, printLine, printNotice } from "../output.ts";
import type { PassphraseOptions } from "../passphrase.ts";

/** Options of {@linkcode authorize} and {@linkcode listAuthorized}. */
export interface AuthorizeOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

/** Confers capabilities inside a server to another server. */
export async function authorize(
  serverId: ServerId,
  authorizedId: ServerId,
  capabilities: string[],
  options: AuthorizeOptions,
): Promise<void> {
  const entry = await withConsole(options, async (actors, console) => {
    const control = controlClient(actors, serverId);
    return await new Administrator(console, options).elevating(
      serverId,
      "admin",
      () => control.authorize({ server: authorizedId, capabilities }),
    );
  });
  if (options.json) {
    const instance = entry.instance.toHex();
    return printJson({ server: serverId, authorized: authorizedId, instance, capabilities });
  }
  printNotice(`authorized instance ${fingerprint(entry.instance)} of ${describeServer(entry)}`);
}

/** Prints who has capabilities inside a server: `(other (shutdown) "2026-01-02T03:04:05.678Z" by "0123456789abcdef")`. */
export async function listAuthorized(serverId: ServerId, options: AuthorizeOptions): Promise<void> {
  const delegations = await withConsole(
    options,
    (actors) => controlClient(actors, serverId).delegations(),
  );
  if (options.json) return printJson(delegations.map(toJson));
  for (const { server, capabilities, since, by, instance } of delegations) {
    printLine(formatNotation([
      symbol(server),
      capabilities.map(symbol),
      new Date(since).toISOString(),
      symbol(by),
      fingerprint(instance),
    ]));
  }
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
