/**
 * `gxensemble shutdown`.
 *
 * @module
 */
import { Argument, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { type ActorId, REGISTRY_ID } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { Administrator } from "../kit/administrator.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import type { ShutdownOptions } from "../kit/ensemble_shutdown.ts";
import { actorIdArgument, addResultOptions, forceOption } from "../kit/options.ts";
import { printLine, printNotice } from "../kit/output.ts";
import {
  type ActorSet,
  addParallelOptions,
  addServersOptions,
  isSet,
  namedActors,
  parseNames,
  ServersCommand,
} from "../kit/server_set_options.ts";

/** Shuts down actors or servers; without arguments, the whole ensemble with its registry. */
export function shutdownCommand(): CommandUnknownOpts {
  const command = new ServersCommand("shutdown")
    .description("shuts down an actor, server, or the entire ensemble including the registry")
    .addOption(
      forceOption(
        "do not ask for confirmation; with an actor id, end the actor at once, without its clean-up",
      ),
    );
  return addResultOptions(
    addParallelOptions(
      addServersOptions(command, "5, plus the time that the server has to stop"),
    ),
  )
    .addOption(
      new Option(
        "--drain",
        "first lets a server finish its requests, and waits for that, by default without limit",
      ).default(false).helpGroup("Draining:"),
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
          "gxensemble shutdown --role httpd",
        ],
        [
          "let a server finish its requests, without new ones, and shut it down",
          "gxensemble shutdown --drain httpd1",
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
        const set = namedActors(names, { ...options, actorId, command });
        const isActor = actorId !== undefined || names.some((name) => name.includes("@"));
        if (options.drain && isActor) command.error("--drain is for servers, not for actors");
        if (options.all && actorId === undefined && !options.force) {
          const { confirmShutdown } = await import("../kit/ensemble_shutdown.ts");
          await confirmShutdown("all servers but the registry", command);
        }
        return await shutDownServers(set, options);
      }
      for (const option of ["drain", "supervisor"] as const) {
        if (options[option]) command.error(`--${option} needs a server id, --role or --all`);
      }
      const { EnsembleShutdown } = await import("../kit/ensemble_shutdown.ts");
      await EnsembleShutdown.run(options, command);
    });
}

interface DrainingShutdownOptions extends ShutdownOptions {
  /** Whether to drain servers first. */
  drain: boolean;
}

async function shutDownServers(
  { servers, actorIn }: ActorSet,
  options: DrainingShutdownOptions,
): Promise<void> {
  const { drain } = await import("../kit/draining.ts");
  const { inEachServer } = await import("../kit/server_set.ts");
  await inEachServer(servers, {
    ...options,
    last: REGISTRY_ID, // It has to find the other servers.
    async work(server, { actors, administrator }) {
      const actorId = actorIn(server);
      if (isSet(servers) && !options.json) {
        printLine(`... shutting down ${actorId === undefined ? server : `${actorId}@${server}`}`);
      }
      if (options.drain) {
        await administrator.elevating(server, "admin", () => drain(actors, server, options));
      }
      await shutDownOne(server, { actorId, actors, administrator, options });
      return { server, actor: actorId ?? null };
    },
    print: () => {},
    toJson: (result) => result,
  });
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
