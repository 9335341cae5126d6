/**
 * The console: the transient server by which a command talks to the ensemble.
 *
 * @module
 */
import { type ActorSystem, SERVER_ACTOR } from "../../runtime/actor/actor_system.ts";
import { ActorRef, checkServerId, REGISTRY_ID } from "../../runtime/actor/references.ts";
import { readMembership, transientId } from "../../runtime/ensemble/membership.ts";
import {
  ActorError,
  DisconnectedError,
  EnsembleError,
  type Silence,
  TimeoutError,
  UnknownServerError,
} from "../../runtime/errors.ts";
import { onUnhandled } from "../../runtime/error_report.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import { readServerProcess, type ServerProcess } from "../../runtime/home/server_directory.ts";
import { startLogging } from "../../runtime/home/logging.ts";
import { ActorServer } from "../../runtime/server/actor_server.ts";
import { CONSOLE_ID } from "../../runtime/server/credentials.ts";
import { isProcessSeen } from "../../runtime/server/identity.ts";
import { describeServer, registryClient } from "../../runtime/server/registry_protocol.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { PING_TIMEOUT } from "../../runtime/wire/limits.ts";
import type { ClientOptions } from "./options.ts";

/**
 * Does something in the ensemble as a server that listens nowhere and is in no registry. Its id is its
 * own, so that any number of commands can run at once.
 */
export async function withConsole<Result>(
  options: ClientOptions,
  work: (actors: ActorSystem, console: ActorServer) => Promise<Result>,
): Promise<Result> {
  startLogging({ level: options.log });
  // Deno would print them as they are, and they may quote a server: they fail the command like any other error.
  const unhandled = Promise.withResolvers<never>();
  unhandled.promise.catch(() => {}); // There is none, or it comes after the work is done.
  using _unhandled = onUnhandled((thrown) => unhandled.reject(thrown));
  const console = await startConsole(options);
  try {
    return await Promise.race([work(console.actors, console), unhandled.promise]);
  } catch (error) {
    throw await explainFailure(error, console.actors);
  } finally {
    await console.stop();
  }
}

/**
 * A failure with what helps to mend it: which servers may have been meant, where the registry does not know the one
 * that was named; which process does not answer. Any other is given back as it is.
 */
export async function explainFailure(error: unknown, actors: ActorSystem): Promise<unknown> {
  if (!(error instanceof DisconnectedError && error.cause instanceof UnknownServerError)) {
    return await explainSilence(error, actors);
  }
  const { suggestServers } = await import("./servers.ts");
  const message = error.message + await suggestServers(actors, error.cause.server);
  return new DisconnectedError(message, { cause: error });
}

/** Starts a console, to be stopped by the caller. Without addresses of the registry this host says where it is. */
export async function startConsole(
  { registry, timeout }: { registry: readonly Address[]; timeout?: number | undefined },
): Promise<ActorServer> {
  const id = transientId(CONSOLE_ID);
  return await ActorServer.start({
    ...await readMembership(id, findPlaces(), { registry }),
    id,
    listen: [],
    roles: [],
    askTimeout: timeout,
    register: false,
  });
}

/** How often it is looked whether a server that works for long still answers, in ms. */
const LOOK_INTERVAL = 5_000;

/** What is known of the process of a server that does not answer. */
type Named = ServerProcess & { readonly id: string };

/**
 * Says of a failure for want of an answer which process does not answer, why, and what to do; any other error is
 * given back as it is.
 *
 * @param actors asks the server and the registry; without them only what this host has noted is known.
 */
export async function explainSilence(error: unknown, actors?: ActorSystem): Promise<unknown> {
  const silence = silenceOf(error);
  // A host that takes no tcp connection is away, or a firewall is between.
  if (!silence || (silence.stage === "connect" && !isUnix(silence))) return error;
  const { message } = error as Error;
  const explain = (why: string) => new EnsembleError(`${message}; ${why}`, { cause: error });
  const server = checkServerId(silence.server);
  const ping = actors && silence.stage === "request" ? await pinged(actors, server) : undefined;
  if (ping === "answered") {
    return explain(`${server} itself answers: wait longer with --timeout <seconds>`);
  }
  // It was lost meanwhile: what was not answered is all that there is to say.
  if (silence.stage === "request" && !ping) return error;
  return explain(await describeSilent(actors, silence));
}

/** Says of the loss of a server which process does not answer, and what to do, unless it is gone or answers again. */
export async function explainLoss(
  loss: EnsembleError,
  { actors, server }: { actors: ActorSystem; server: string },
): Promise<EnsembleError> {
  const silence = await pinged(actors, server);
  if (!silence || silence === "answered") return loss;
  return new EnsembleError(`${loss.message}; ${await describeSilent(actors, silence)}`);
}

/**
 * Checks at intervals, until it is disposed of, whether a server still answers while a command waits for it; tells once
 * when it does not.
 */
export function watchSilence(
  actors: ActorSystem,
  server: string,
  print: (line: string) => void,
): Disposable {
  let isOver = false;
  const timer = setInterval(async () => {
    const silence = await pinged(actors, server);
    if (!silence || silence === "answered" || isOver) return;
    isOver = true;
    clearInterval(timer);
    const line = await describeSilent(actors, silence);
    print(`... still waiting: ${line}`);
  }, LOOK_INTERVAL);
  return {
    [Symbol.dispose]() {
      isOver = true;
      clearInterval(timer);
    },
  };
}

/** Whether a server answers, and else what it does not answer; undefined when it is gone. */
async function pinged(
  actors: ActorSystem,
  server: string,
): Promise<"answered" | Silence | undefined> {
  try {
    const ping = { type: "ping" };
    await actors.ask(new ActorRef(server, SERVER_ACTOR), ping, { timeout: PING_TIMEOUT });
    return "answered";
  } catch (error) {
    return error instanceof ActorError ? "answered" : silenceOf(error);
  }
}

function silenceOf(error: unknown): Silence | undefined {
  if (error instanceof TimeoutError || error instanceof DisconnectedError) return error.silence;
}

function isUnix({ address }: Silence): boolean {
  return address.startsWith("unix:");
}

async function describeSilent(actors: ActorSystem | undefined, silence: Silence): Promise<string> {
  const process = await findProcess(actors, silence);
  if (!process || process.pid === undefined) {
    return `${silence.server} is stopped, or busy in code that does not give way, such as an endless loop: ` +
      "look at its process where it runs";
  }
  const { pid } = process;
  switch (stateOf(process)) {
    case "stopped":
      return `${
        describeServer(process)
      } is stopped: kill -CONT ${pid} lets it go on, kill -9 ${pid} ends it`;
    case "busy":
      return `${
        describeServer(process)
      } is busy in code that does not give way, such as an endless loop: ` +
        `kill ${pid} stops it when that is over, kill -9 ${pid} ends it at once`;
    default:
      return `${
        describeServer(process)
      } is stopped, or busy in code that does not give way, such as an ` +
        `endless loop: on that host, kill -CONT ${pid} lets it go on when it is stopped, and kill -9 ${pid} ends it`;
  }
}

/** The process as the registry knows it; where that is silent too, as a server of this host has noted itself. */
async function findProcess(
  actors: ActorSystem | undefined,
  silence: Silence,
): Promise<Named | undefined> {
  const id = checkServerId(silence.server);
  if (actors && id !== REGISTRY_ID) {
    try {
      const entry = await registryClient(actors).lookup({ id }, { timeout: PING_TIMEOUT });
      if (entry) return entry;
    } catch {
      // It is silent, too, or not there.
    }
  }
  const noted = isUnix(silence) ? await readServerProcess(id, findPlaces()) : undefined;
  return noted && { id, ...noted };
}

/** What a process does; undefined where this host does not see it, or does not tell. */
function stateOf(process: ServerProcess): "stopped" | "busy" | undefined {
  if (!isProcessSeen(process)) return undefined;
  try {
    // proc_pid_stat(5): the state follows the name, which may hold anything.
    const [, state] = /^.*\) (\S)/s.exec(Deno.readTextFileSync(`/proc/${process.pid}/stat`)) ?? [];
    return state === "T" || state === "t" ? "stopped" : "busy";
  } catch {
    return undefined;
  }
}
