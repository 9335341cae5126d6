/**
 * `gxensemble list-actors`.
 *
 * @module
 */
import { controlClient } from "../../runtime/ensemble/remote.ts";
import { withConsole } from "../kit/console.ts";
import { printJson, printLine } from "../kit/output.ts";
import type { ServerId } from "../../runtime/actor/references.ts";
import type { ClientOptions, OutputOptions } from "../kit/options.ts";

/** Options of {@linkcode listActors}. */
export interface ListActorsOptions extends ClientOptions, OutputOptions {}

/** Prints the names of the actors in a server. */
export async function listActors(serverId: ServerId, options: ListActorsOptions): Promise<void> {
  const names = await withConsole(
    options,
    (actors) => controlClient(actors, serverId).listActors(),
  );
  if (options.json) printJson(names);
  else names.forEach(printLine);
}
