/**
 * `gxensemble authorize`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { controlClient } from "../../runtime/ensemble/remote.ts";
import type { Delegation } from "../../runtime/server/capabilities.ts";
import { formatNotation, symbol } from "../../runtime/wire/notation.ts";
import { Administrator } from "../administrator.ts";
import { withConsole } from "../console.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";
import { printJson, printLine } from "../output.ts";
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
  await withConsole(options, async (actors, console) => {
    const control = controlClient(actors, serverId);
    await new Administrator(console, options).elevating(
      serverId,
      "admin",
      () => control.authorize({ server: authorizedId, capabilities }),
    );
  });
  if (options.json) printJson({ server: serverId, authorized: authorizedId, capabilities });
}

/** Prints who has capabilities inside a server: `(other (shutdown) "2026-01-02T03:04:05.678Z" by)`. */
export async function listAuthorized(serverId: ServerId, options: AuthorizeOptions): Promise<void> {
  const delegations = await withConsole(
    options,
    (actors) => controlClient(actors, serverId).delegations(),
  );
  if (options.json) return printJson(delegations.map(toJson));
  for (const { server, capabilities, since, by } of delegations) {
    printLine(formatNotation([
      symbol(server),
      capabilities.map(symbol),
      new Date(since).toISOString(),
      symbol(by),
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
