/**
 * `gxensemble shutdown`.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { type ActorId, REGISTRY_ID, type ServerId } from "../../runtime/actor/references.ts";
import {
  killActor,
  listServers,
  registryClient,
  shutDownActor,
} from "../../runtime/ensemble/remote.ts";
import { Administrator } from "../kit/administrator.ts";
import { askYesOrNo, type PassphraseOptions } from "../kit/prompts.ts";
import { explainSilence, withConsole } from "../kit/console.ts";
import { AT_ONCE, inEachServer, type NamedServers, stopServer } from "../kit/servers.ts";
import { printError, printJson, printLine, printNotice } from "../kit/output.ts";
import { UsageError } from "../kit/command_line.ts";
import { DisconnectedError, EnsembleError, TimeoutError } from "../../runtime/errors.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { fingerprint, sameInstance } from "../../runtime/server/credentials.ts";
import type { Session } from "../../runtime/server/capabilities.ts";
import { formatAddressUrl } from "../../runtime/wire/address.ts";
import { lookFor } from "../../runtime/server/identity.ts";
import { describeServer, type RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import type { ClientOptions, OutputOptions } from "../kit/options.ts";

/** Options of {@linkcode shutdown}. */
export interface ShutdownOptions extends ClientOptions, OutputOptions, PassphraseOptions {
  /** Whether to go ahead without asking first. */
  force: boolean;
}

/** Shuts down an actor or the server, in one server or several; without any the whole ensemble with its registry. */
export async function shutdown(
  servers: NamedServers | undefined,
  actorId: ActorId | undefined,
  options: ShutdownOptions,
): Promise<void> {
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    if (servers === undefined) return await shutDownEnsemble(console, administrator, options);
    await inEachServer(servers, {
      actors,
      json: options.json,
      last: REGISTRY_ID, // The others have to be found.
      async work(server) {
        if (isSeveral(servers) && !options.json) printLine(`... shutting down ${server}`);
        await shutDownOne(server, { actorId, actors, administrator, options });
        return { server, actor: actorId ?? null };
      },
      print: () => {},
      toJson: (result) => result,
    });
  });
}

function isSeveral(servers: NamedServers): boolean {
  return "roles" in servers || servers.ids.length > 1;
}

async function shutDownOne(
  server: ServerId,
  { actorId, actors, administrator, options }: {
    actorId: ActorId | undefined;
    actors: ActorSystem;
    administrator: Administrator;
    options: ShutdownOptions;
  },
): Promise<void> {
  try {
    await administrator.elevating(
      server,
      "shutdown",
      () => {
        const { timeout } = options;
        if (actorId === undefined) {
          return stopServer(actors, server, { print: printNotice, timeout });
        }
        return (options.force ? killActor : shutDownActor)(actors, server, actorId);
      },
    );
  } catch (thrown) {
    const error = await explainSilence(thrown, actors);
    if (actorId !== undefined || !isNoAnswer(error)) throw error;
    // To stop it by other means, one has to know where its process is.
    const entry = await registryClient(actors).lookup({ id: server }).catch(() => undefined);
    if (!entry) throw error;
    throw new EnsembleError(describeFailure(error, entry), { cause: error });
  }
}

async function shutDownEnsemble(
  console: ActorServer,
  administrator: Administrator,
  options: ShutdownOptions,
): Promise<void> {
  const { actors } = console;
  const entries = await listServers(actors);
  if (!options.force) await confirm(entries.length);
  const down: ServerId[] = [];
  let failures = 0;
  const stop = async (id: ServerId, entry?: RegistryEntry) => {
    if (!options.json) printLine(`... shutting down ${id}`);
    try {
      await administrator.elevating(
        id,
        "shutdown",
        () => {
          if (entry) requireRegistered(entry, console.session(id));
          return stopServer(actors, id, { print: printNotice, timeout: options.timeout });
        },
      );
      down.push(id);
    } catch (error) {
      try {
        if (!entry || !(error instanceof DisconnectedError)) throw error;
        if (!await takeOut(entry, { actors, administrator, error })) down.push(id);
      } catch (error) {
        failures++;
        printError(describeFailure(await explainSilence(error, actors), entry));
      }
    }
  };
  // Many at once: a server that takes its time does not hold up the others. The registry is the last.
  const queue = entries.values();
  const stopThem = async () => {
    for (const entry of queue) await stop(entry.id, entry);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, stopThem));
  // Those that still run have to be found again.
  if (failures === 0) await stop(REGISTRY_ID);
  else printNotice("the registry is left running, for the servers that are");
  if (options.json) printJson(down);
  if (failures > 0) {
    throw new EnsembleError(`${failures} of ${entries.length} servers did not shut down`);
  }
}

/**
 * Makes sure that the server which was reached is the one in the registry: an address in the file `known-servers` may by
 * now be that of another ensemble with the same ids.
 */
function requireRegistered(entry: RegistryEntry, session: Session | undefined): void {
  if (!session || sameInstance(session.instance, entry.instance)) return;
  throw new EnsembleError(
    `instance ${fingerprint(session.instance)} at ${
      formatAddressUrl(session.address)
    } is not the registered one, ` +
      `${fingerprint(entry.instance)}, and is left alone: to shut it down, name the server`,
  );
}

/**
 * Takes a server that could not be reached out of the registry, when it is sure that it has ended; says whether
 * it was still in there, which one that shut down in good order is not.
 *
 * @throws {DisconnectedError} the error given, when it may still run.
 */
async function takeOut(
  entry: RegistryEntry,
  { actors, administrator, error }: {
    actors: ActorSystem;
    administrator: Administrator;
    error: DisconnectedError;
  },
): Promise<boolean> {
  const { id, instance } = entry;
  const registry = registryClient(actors);
  const asAdmin = <Result>(work: () => Promise<Result>) =>
    administrator.elevating(REGISTRY_ID, "admin", work);
  const presence = await asAdmin(() => registry.presence({ id, instance }));
  // The registry may be on a host from which the server's socket cannot be tried.
  const isGone = presence === "gone" ||
    (presence === "unknown" && await lookFor(entry) === "gone");
  if (!isGone) throw error;
  if (!await asAdmin(() => registry.remove({ id, instance }))) return false;
  printNotice(`${describeServer(entry)} has ended without a word; it is taken out of the registry`);
  return true;
}

/** Why a server was not shut down; one that does not answer is named with its process, where that is known. */
function describeFailure(error: unknown, entry: RegistryEntry | undefined): string {
  const { message } = error as Error;
  if (!entry) return message;
  return isNoAnswer(error)
    ? `${describeServer(entry)} does not answer: ${message}`
    : `${entry.id}: ${message}`;
}

function isNoAnswer(error: unknown): boolean {
  return error instanceof DisconnectedError || error instanceof TimeoutError;
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
