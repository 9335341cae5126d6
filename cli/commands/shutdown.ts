/**
 * `gxensemble shutdown`.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../../runtime/actor/server_id.ts";
import { registryClient, shutDownActor, shutDownServer } from "../../runtime/ensemble/remote.ts";
import { Administrator } from "../administrator.ts";
import { askYesOrNo } from "../confirmation.ts";
import { withConsole } from "../console.ts";
import { printJson, printLine, printNotice } from "../output.ts";
import type { PassphraseOptions } from "../passphrase.ts";
import { UsageError } from "../usage_error.ts";
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { DisconnectedError, EnsembleError } from "../../runtime/errors.ts";
import type { RegistryEntry } from "../../runtime/server/registry_entry.ts";
import { isLocal } from "../../runtime/wire/address.ts";
import type { ClientOptions, OutputOptions } from "../options.ts";

/** Options of {@linkcode shutdown}. */
export interface ShutdownOptions extends ClientOptions, OutputOptions, PassphraseOptions {
  /** Whether to go ahead without asking first. */
  force: boolean;
}

/** Shuts down an actor, a server, or without either the whole ensemble with its registry. */
export async function shutdown(
  serverId: ServerId | undefined,
  actorId: string | undefined,
  options: ShutdownOptions,
): Promise<void> {
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    if (serverId === undefined) return await shutDownEnsemble(actors, administrator, options);
    await administrator.elevating(
      serverId,
      "shutdown",
      () =>
        actorId === undefined
          ? shutDownServer(actors, serverId)
          : shutDownActor(actors, serverId, actorId),
    );
    if (options.json) printJson({ server: serverId, actor: actorId ?? null });
  });
}

async function shutDownEnsemble(
  actors: ActorSystem,
  administrator: Administrator,
  options: ShutdownOptions,
): Promise<void> {
  const registry = registryClient(actors);
  const entries = await registry.list();
  if (!options.force) await confirm(entries.length);
  const down: ServerId[] = [];
  const failures: string[] = [];
  const forget = async ({ id, instance }: RegistryEntry) => {
    printNotice(`${id} has ended without a word; it is taken out of the registry`);
    await administrator.elevating(REGISTRY_ID, "admin", () => registry.remove({ id, instance }));
  };
  const stop = async (id: ServerId, entry?: RegistryEntry) => {
    if (!options.json) printLine(`... shutting down ${id}`);
    try {
      await administrator.elevating(id, "shutdown", () => shutDownServer(actors, id));
      down.push(id);
    } catch (error) {
      if (entry && isDead(entry, error)) return await forget(entry);
      failures.push((error as Error).message);
      printNotice(`gxensemble: error: ${(error as Error).message}`);
    }
  };
  // All at once: a server that takes its time does not hold up the others. The registry is the last.
  await Promise.all(entries.map((entry) => stop(entry.id, entry)));
  // Whoever still runs has to be found again.
  if (failures.length === 0) await stop(REGISTRY_ID);
  else printNotice("the registry is left running, for the servers that are");
  if (options.json) printJson(down);
  if (failures.length > 0) {
    throw new EnsembleError(
      `${failures.length} of ${entries.length} servers did not shut down`,
    );
  }
}

/** Whether it is sure that a server does not run: nobody listens at its socket, which is one of this host. */
function isDead({ addresses }: RegistryEntry, error: unknown): boolean {
  return error instanceof DisconnectedError &&
    /unix:\S+: (no such socket|connection refused)/.test(error.message) &&
    addresses.some((address) => address.kind === "unix" && isLocal(address));
}

/** Asks the person; without one there, it takes `-f`. */
async function confirm(servers: number): Promise<void> {
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError(
      "this shuts down the whole ensemble, and nobody is there to be asked: give -f to go ahead",
      "gxensemble help shutdown",
    );
  }
  const count = servers === 1 ? "1 server" : `${servers} servers`;
  if (!await askYesOrNo(`shut down the whole ensemble: ${count} and the registry?`)) {
    throw new EnsembleError("nothing was shut down");
  }
}
