/**
 * `gxensemble shutdown`.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
} from "npm:@commander-js/extra-typings@^15.1.0";
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { type ActorId, REGISTRY_ID } from "../../runtime/actor/references.ts";
import { DisconnectedError, EnsembleError, TimeoutError } from "../../runtime/errors.ts";
import type { Session } from "../../runtime/server/capabilities.ts";
import { sameInstance, shortInstance } from "../../runtime/server/credentials.ts";
import type { RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { formatAddressUrl } from "../../runtime/wire/address.ts";
import type { Administrator } from "../kit/administrator.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  actorIdArgument,
  addResultOptions,
  addServersOptions,
  type ClientOptions,
  forceOption,
  namedActor,
  type NamedServers,
  namedServers,
  type OutputOptions,
  parseNames,
  readDestination,
} from "../kit/options.ts";
import { printError, printJson, printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";

interface ShutdownOptions extends ClientOptions, OutputOptions, PassphraseOptions {
  /** Whether to skip the confirmation. */
  force: boolean;
}

/** Shuts down actors or servers; without arguments, the whole ensemble with its registry. */
export function shutdownCommand(): CommandUnknownOpts {
  const command = new Command("shutdown")
    .description("shuts down an actor, server, or the entire ensemble including the registry")
    .addOption(
      forceOption(
        "do not ask for confirmation; with an actor id, end the actor at once, without its clean-up",
      ),
    );
  return addResultOptions(
    addServersOptions(command, "5, plus the time that the server has to stop"),
  )
    .addArgument(completing(
      "destination list",
      new Argument("[server-id]", "the server id").default(undefined, "#f")
        .argParser<string[] | undefined>(reading(parseNames)),
    ))
    .addArgument(actorIdArgument())
    .addHelpText(
      "after",
      examples(
        [
          "shut down a server, or several",
          "gxensemble shutdown httpd1",
          "gxensemble shutdown httpd2,httpd3",
        ],
        [
          "an actor in it",
          "gxensemble shutdown httpd1 counter",
          "gxensemble shutdown counter@httpd1",
        ],
        [
          "end a stuck actor at once, without its clean-up",
          "gxensemble shutdown -f httpd1 counter",
        ],
        ["shut down every server and the registry, without confirmation", "gxensemble shutdown -f"],
      ),
    )
    .action(async (names, actorId, options, command) => {
      if (names !== undefined) {
        const { servers, actors } = namedActors(names, { ...options, actorId, command });
        return await shutDownServers(servers, { ...options, actors });
      }
      if (options.role) command.error("--role needs a role in place of the server id");
      await shutDownEnsemble(options, command);
    });
}

/** The servers of the command, and the actor in each of them that is meant; none for the server itself. */
function namedActors(
  names: readonly string[],
  { actorId, command, role }: {
    actorId: ActorId | undefined;
    command: CommandUnknownOpts;
    role: boolean;
  },
): { servers: NamedServers; actors(server: string): ActorId | undefined } {
  if (role || !names.some((name) => name.includes("@"))) {
    return { servers: namedServers(names, { role, command }), actors: () => actorId };
  }
  const actors = new Map<string, ActorId | undefined>();
  for (const name of names) {
    const destination = readDestination(name, command);
    const { server } = destination;
    if (actors.has(server)) {
      command.error(`${server} is named twice: shut its actors down one after the other`);
    }
    actors.set(server, namedActor(destination, { actorId, command }));
  }
  return { servers: { ids: [...actors.keys()] }, actors: (server) => actors.get(server) };
}

async function shutDownServers(
  servers: NamedServers,
  { actors: named, ...options }: ShutdownOptions & { actors(server: string): ActorId | undefined },
): Promise<void> {
  const { inEachServer } = await import("../kit/servers.ts");
  await inEachServer(servers, {
    ...options,
    last: REGISTRY_ID, // It has to find the other servers.
    async work(server, { actors, administrator }) {
      const actorId = named(server);
      if (isSeveral(servers) && !options.json) printLine(`... shutting down ${server}`);
      await shutDownOne(server, { actorId, actors, administrator, options });
      return { server, actor: actorId ?? null };
    },
    print: () => {},
    toJson: (result) => result,
  });
}

function isSeveral(servers: NamedServers): boolean {
  return "roles" in servers || servers.ids.length > 1;
}

async function shutDownOne(
  server: string,
  { actorId, actors, administrator, options }: {
    actorId: ActorId | undefined;
    actors: ActorSystem;
    administrator: Administrator;
    options: ShutdownOptions;
  },
): Promise<void> {
  const { explainSilence } = await import("../kit/console.ts");
  const { stopServer } = await import("../kit/servers.ts");
  const { killActor, shutDownActor } = await import("../../runtime/ensemble/remote.ts");
  const { registryClient } = await import("../../runtime/server/registry_protocol.ts");
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
    // Name its process, so that the user can stop it by other means.
    const entry = await registryClient(actors).lookup({ id: server }).catch(() => undefined);
    if (!entry) throw error;
    throw new EnsembleError(await describeFailure(error, entry), { cause: error });
  }
}

async function shutDownEnsemble(
  options: ShutdownOptions,
  command: CommandUnknownOpts,
): Promise<void> {
  const { explainSilence, withConsole } = await import("../kit/console.ts");
  const { Administrator } = await import("../kit/administrator.ts");
  const { AT_ONCE, stopServer } = await import("../kit/servers.ts");
  const { listServers } = await import("../../runtime/ensemble/remote.ts");
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    const entries = await listServers(actors);
    if (!options.force) await confirm(entries.length, command);
    const down: string[] = [];
    let failures = 0;
    const stop = async (id: string, entry?: RegistryEntry) => {
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
          printError(await describeFailure(await explainSilence(error, actors), entry));
        }
      }
    };
    // In parallel, so that a slow server does not delay the others. The registry comes last.
    const queue = entries.values();
    const stopThem = async () => {
      for (const entry of queue) await stop(entry.id, entry);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, stopThem));
    // Servers that still run need it.
    if (failures === 0) await stop(REGISTRY_ID);
    else printNotice("the registry is left running, for the servers that still run");
    if (options.json) printJson(down);
    if (failures > 0) {
      throw new EnsembleError(`${failures} of ${entries.length} servers did not shut down`);
    }
  });
}

/**
 * Checks that the server that was reached is the registered one: an address in the file
 * `known-servers` may by now belong to another ensemble with the same ids.
 */
function requireRegistered(entry: RegistryEntry, session: Session | undefined): void {
  if (!session || sameInstance(session.instance, entry.instance)) return;
  throw new EnsembleError(
    `instance ${shortInstance(session.instance)} at ${
      formatAddressUrl(session.address)
    } is not the registered one, ` +
      `${shortInstance(entry.instance)}, and is left alone: to shut it down, name the server`,
  );
}

/**
 * Removes the registry entry of an unreachable server if the server has certainly ended. Returns
 * whether there was an entry: a server that shut down properly has removed it.
 *
 * @throws {DisconnectedError} the given error, if the server may still run.
 */
async function takeOut(
  entry: RegistryEntry,
  { actors, administrator, error }: {
    actors: ActorSystem;
    administrator: Administrator;
    error: DisconnectedError;
  },
): Promise<boolean> {
  const { lookFor } = await import("../../runtime/server/presence.ts");
  const { describeServer, registryClient } = await import(
    "../../runtime/server/registry_protocol.ts"
  );
  const { id, instance } = entry;
  const registry = registryClient(actors);
  const asAdmin = <Result>(work: () => Promise<Result>) =>
    administrator.elevating(REGISTRY_ID, "admin", work);
  const presence = await asAdmin(() => registry.presence({ id, instance }));
  // The registry may be on another host, where it cannot try the server's socket.
  const isGone = presence === "gone" ||
    (presence === "unknown" && await lookFor(entry) === "gone");
  if (!isGone) throw error;
  if (!await asAdmin(() => registry.remove({ id, instance }))) return false;
  printNotice(
    `${describeServer(entry)} has ended without leaving the registry; its entry is removed`,
  );
  return true;
}

/** Describes why a server was not shut down. If it does not answer, names its process if known. */
async function describeFailure(error: unknown, entry: RegistryEntry | undefined): Promise<string> {
  const { message } = error as Error;
  if (!entry) return message;
  if (!isNoAnswer(error)) return `${entry.id}: ${message}`;
  const { describeServer } = await import("../../runtime/server/registry_protocol.ts");
  return `${describeServer(entry)} does not answer: ${message}`;
}

function isNoAnswer(error: unknown): boolean {
  return error instanceof DisconnectedError || error instanceof TimeoutError;
}

/** Asks for confirmation. Without a terminal, `-f` is required. */
async function confirm(servers: number, command: CommandUnknownOpts): Promise<void> {
  if (!Deno.stdin.isTerminal()) {
    command.error(
      "this shuts down the whole ensemble: without a terminal to confirm it, pass -f",
    );
  }
  const { askYesOrNo } = await import("../kit/prompts.ts");
  const count = servers === 1 ? "1 server" : `${servers} servers`;
  if (!await askYesOrNo(`shut down the whole ensemble: ${count} and the registry?`)) {
    throw new EnsembleError("nothing was shut down");
  }
}
