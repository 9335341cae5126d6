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
import { EnsembleError } from "../../runtime/errors.ts";
import type { Administrator } from "../kit/administrator.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import type { ShutdownOptions } from "../kit/ensemble_shutdown.ts";
import {
  actorIdArgument,
  addResultOptions,
  addServersOptions,
  forceOption,
  namedActor,
  type NamedServers,
  namedServers,
  parseNames,
  readDestination,
} from "../kit/options.ts";
import { printLine, printNotice } from "../kit/output.ts";

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
      const { EnsembleShutdown } = await import("../kit/ensemble_shutdown.ts");
      await EnsembleShutdown.run(options, command);
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
  const { describeFailure, isNoAnswer } = await import("../kit/ensemble_shutdown.ts");
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
    const answer = await registryClient(actors).lookup({ id: server }).catch(() => undefined);
    if (!answer?.entry) throw error;
    throw new EnsembleError(describeFailure(error, answer.entry), { cause: error });
  }
}
