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
  type ClientOptions,
  forceOption,
  jsonOption,
  logOption,
  namedActor,
  type NamedServers,
  namedServers,
  type OutputOptions,
  parseNames,
  passphraseFileOption,
  readDestination,
  registryOption,
  roleOption,
  timeoutOption,
} from "../kit/options.ts";
import { printError, printJson, printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";

interface ShutdownOptions extends ClientOptions, OutputOptions, PassphraseOptions {
  /** Whether to go ahead without asking first. */
  force: boolean;
}

/** Shuts down an actor or the server, in one server or several; without any the whole ensemble with its registry. */
export function shutdownCommand(): CommandUnknownOpts {
  return new Command("shutdown")
    .description("shuts down an actor, server, or the entire ensemble including the registry")
    .addOption(
      forceOption("do not ask; with an actor id, end the actor at once, without its clean-up"),
    )
    .addOption(registryOption())
    .addOption(timeoutOption("5, and then as long as the server may take to stop"))
    .addOption(roleOption())
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
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
          "a server, or several",
          "gxensemble shutdown httpd1",
          "gxensemble shutdown httpd2,httpd3",
        ],
        [
          "an actor in it",
          "gxensemble shutdown httpd1 counter",
          "gxensemble shutdown counter@httpd1",
        ],
        [
          "one that takes no messages, at once and without its clean-up",
          "gxensemble shutdown -f httpd1 counter",
        ],
        ["every server and the registry, without being asked", "gxensemble shutdown -f"],
      ),
    )
    .action(async (names, actorId, options, command) => {
      if (names !== undefined) {
        const { servers, actors } = namedActors(names, { ...options, actorId, command });
        return await shutDownServers(servers, { ...options, actors });
      }
      if (options.role) command.error("--role takes a role in the place of the server id");
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
    last: REGISTRY_ID, // The others have to be found.
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
    // To stop it by other means, one has to know where its process is.
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
  });
}

/**
 * Makes sure that the server which was reached is the one in the registry: an address in the file `known-servers` may by
 * now be that of another ensemble with the same ids.
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
  const { lookFor } = await import("../../runtime/server/identity.ts");
  const { describeServer, registryClient } = await import(
    "../../runtime/server/registry_protocol.ts"
  );
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

/** Asks the person; without one there, it takes `-f`. */
async function confirm(servers: number, command: CommandUnknownOpts): Promise<void> {
  if (!Deno.stdin.isTerminal()) {
    command.error(
      "this shuts down the whole ensemble, and nobody is there to be asked: give -f to go ahead",
    );
  }
  const { askYesOrNo } = await import("../kit/prompts.ts");
  const count = servers === 1 ? "1 server" : `${servers} servers`;
  if (!await askYesOrNo(`shut down the whole ensemble: ${count} and the registry?`)) {
    throw new EnsembleError("nothing was shut down");
  }
}
