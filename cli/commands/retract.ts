/**
 * `gxensemble retract`.
 *
 * @module
 */
import type { ServerId } from "../../runtime/actor/references.ts";
import { controlClient } from "../../runtime/ensemble/remote.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { formatNotation, symbol } from "../../runtime/notation.ts";
import { Administrator } from "../kit/administrator.ts";
import { withConsole } from "../kit/console.ts";
import type { ClientOptions, OutputOptions } from "../kit/options.ts";
import { inEachServer, type NamedServers } from "../kit/servers.ts";
import { printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";

/** Options of {@linkcode retract}. */
export interface RetractOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

/** Takes back all capabilities that a server has inside others. */
export async function retract(
  servers: NamedServers,
  authorizedId: ServerId,
  options: RetractOptions,
): Promise<void> {
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    await inEachServer(servers, {
      actors,
      json: options.json,
      async work(server) {
        const { retracted, returning } = await administrator.elevating(
          server,
          "admin",
          () => controlClient(actors, server).retract({ server: authorizedId }),
        );
        if (retracted.length > 0) return { server, retracted, returning };
        throw new EnsembleError(`${authorizedId} has no capabilities in ${server}`);
      },
      print({ server, retracted, returning }, label) {
        const had = formatNotation(retracted.map(symbol));
        printNotice(`${label}... ${authorizedId} had ${had} in ${server}`);
        if (returning.length === 0) return;
        printNotice(
          `${label}... its certificate gives it ${formatNotation(returning.map(symbol))} again ` +
            `when it connects anew, in every server: to end that, run gxensemble ca revoke ` +
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
