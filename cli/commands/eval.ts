/**
 * `gxensemble eval`.
 *
 * @module
 */
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { Administrator } from "../kit/administrator.ts";
import { watchSilence, withConsole } from "../kit/console.ts";
import { inEachServer, type NamedServers } from "../kit/servers.ts";
import { printNotice, printValue } from "../kit/output.ts";
import type { ServerId } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ClientOptions, OutputOptions } from "../kit/options.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";

/** Options of {@linkcode evaluate}. */
export interface EvalOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

/** Evaluates an expression in running servers and prints its values. */
export async function evaluate(
  servers: NamedServers,
  expression: string,
  options: EvalOptions,
): Promise<void> {
  const { json } = options;
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    await inEachServer(servers, {
      actors,
      json,
      oneLine: true,
      async work(server) {
        const text = await administrator.elevating(
          server,
          "loader",
          async () => {
            using _watch = watchSilence(actors, server, printNotice);
            const { timeout = Infinity } = options;
            return await loaderClient(actors, server).evaluate({ expression, json }, { timeout });
          },
        );
        return json ? readJson(text ?? "null", server) : text;
      },
      print: (text, label) => text === undefined || printValue(`${text}`, label),
      toJson: (value) => value,
    });
  });
}

/** What a server says is JSON has to be: programs read it. */
function readJson(text: string, serverId: ServerId): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EnsembleError(`${serverId} answered with something that is not JSON`, {
      cause: error,
    });
  }
}
