/**
 * The console: the transient server through which a command talks to the ensemble.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import {
  ActorRef,
  checkServerId,
  REGISTRY_ID,
  SERVER_ACTOR,
} from "../../runtime/actor/references.ts";
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
import { isProcessSeen } from "../../runtime/server/presence.ts";
import { describeServer, registryClient } from "../../runtime/server/registry_protocol.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { PING_TIMEOUT } from "../../runtime/wire/limits.ts";
import type { ClientOptions } from "./options.ts";
import type { PassphraseOptions } from "./prompts.ts";

/**
 * Runs `work` with a console, a server that does not listen and is not registered. Its id is
 * random, so that any number of commands can run at once.
 */
export async function withConsole<Result>(
  options: ClientOptions & PassphraseOptions,
  work: (actors: ActorSystem, console: ActorServer) => Promise<Result>,
): Promise<Result> {
  startLogging({ level: options.log });
  // Deno would print unhandled errors unescaped, and they may quote a server. They fail the command
  // instead.
  const unhandled = Promise.withResolvers<never>();
  unhandled.promise.catch(() => {}); // It may come after the work is done.
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
 * Adds to a failure what helps to fix it: servers with similar names if the named one is not
 * registered, or the process that does not answer. Returns any other error unchanged.
 */
export async function explainFailure(error: unknown, actors: ActorSystem): Promise<unknown> {
  if (!(error instanceof DisconnectedError && error.cause instanceof UnknownServerError)) {
    return await explainSilence(error, actors);
  }
  const { suggestServers } = await import("./suggestions.ts");
  const message = error.message + await suggestServers(actors, error.cause.server);
  return new DisconnectedError(message, { cause: error });
}

/** What a console needs to find and reach servers. */
export interface ConsoleOptions extends PassphraseOptions {
  /** The registry's addresses; if empty, those of this host. */
  readonly registry: readonly Address[];
  /** The timeout of asks, in ms. */
  readonly timeout?: number | undefined;
  /** The supervisor through which it reaches servers. */
  readonly supervisor?: string | undefined;
}

/** Starts a console; the caller stops it. */
export async function startConsole(options: ConsoleOptions): Promise<ActorServer> {
  const { registry, timeout, supervisor } = options;
  const id = transientId(CONSOLE_ID);
  const console = await ActorServer.start({
    ...await readMembership(id, findPlaces(), { registry }),
    id,
    listen: [],
    roles: [],
    askTimeout: timeout,
    register: false,
  });
  if (supervisor === undefined) return console;
  try {
    const { reachThrough } = await import("./supervisor_way.ts");
    await reachThrough(console, { ...options, supervisor });
    return console;
  } catch (error) {
    const explained = await explainFailure(error, console.actors);
    await console.stop();
    throw explained;
  }
}

/** Interval of the checks whether a server still answers during long work, in ms. */
const LOOK_INTERVAL = 5_000;

/** The process of a server that does not answer. */
type Named = ServerProcess & { readonly id: string };

/**
 * Adds to a missing answer which process does not answer, why, and what to do. Returns any other
 * error unchanged.
 *
 * @param actors asks the server and the registry; without it, only this host's files are read.
 */
export async function explainSilence(error: unknown, actors?: ActorSystem): Promise<unknown> {
  const silence = silenceOf(error);
  // A tcp connection that is not accepted points to the host or a firewall, not to the process.
  if (!silence || (silence.stage === "connect" && !isUnix(silence))) return error;
  const { message } = error as Error;
  const explain = (why: string) => new EnsembleError(`${message}; ${why}`, { cause: error });
  const server = checkServerId(silence.server);
  const ping = actors && silence.stage === "request" ? await pinged(actors, server) : undefined;
  if (ping === "answered") {
    return explain(`${server} itself answers: wait longer with --timeout <seconds>`);
  }
  // The connection was lost meanwhile: there is nothing to add.
  if (silence.stage === "request" && !ping) return error;
  return explain(await describeSilent(actors, silence));
}

/**
 * Adds to the loss of a server which process does not answer, and what to do, unless it has ended
 * or answers again.
 */
export async function explainLoss(
  loss: EnsembleError,
  { actors, server }: { actors: ActorSystem; server: string },
): Promise<EnsembleError> {
  const silence = await pinged(actors, server);
  if (!silence || silence === "answered") return loss;
  return new EnsembleError(`${loss.message}; ${await describeSilent(actors, silence)}`);
}

/**
 * Checks at intervals, until disposed, whether a server still answers while a command waits for it.
 * Prints a notice once if it does not.
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

/** Pings a server. Returns which step it did not answer, or undefined if it has ended. */
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
    return `${silence.server} is stopped, or busy in code that does not yield, such as an endless loop: ` +
      "check its process on its host";
  }
  const { pid } = process;
  switch (stateOf(process)) {
    case "stopped":
      return `${
        describeServer(process)
      } is stopped: continue it with kill -CONT ${pid}, or end it with kill -9 ${pid}`;
    case "busy":
      return `${
        describeServer(process)
      } is busy in code that does not yield, such as an endless loop: ` +
        `stop it after that with kill ${pid}, or end it at once with kill -9 ${pid}`;
    default:
      return `${
        describeServer(process)
      } is stopped, or busy in code that does not yield, such as an ` +
        `endless loop: on that host, continue it with kill -CONT ${pid} if it is stopped, or end it with kill -9 ${pid}`;
  }
}

/**
 * Finds the process in the registry; if that does not answer either, in the server's directory on
 * this host.
 */
async function findProcess(
  actors: ActorSystem | undefined,
  silence: Silence,
): Promise<Named | undefined> {
  const id = checkServerId(silence.server);
  if (actors && id !== REGISTRY_ID) {
    try {
      const { entry } = await registryClient(actors).lookup({ id }, { timeout: PING_TIMEOUT });
      if (entry) return entry;
    } catch {
      // It does not answer either, or does not run.
    }
  }
  const noted = isUnix(silence) ? await readServerProcess(id, findPlaces()) : undefined;
  return noted && { id, ...noted };
}

/** Returns the state of a process; undefined if it is on another host, or unknown. */
function stateOf(process: ServerProcess): "stopped" | "busy" | undefined {
  if (!isProcessSeen(process)) return undefined;
  try {
    // proc_pid_stat(5): the state follows the name, which may contain any character.
    const [, state] = /^.*\) (\S)/s.exec(Deno.readTextFileSync(`/proc/${process.pid}/stat`)) ?? [];
    return state === "T" || state === "t" ? "stopped" : "busy";
  } catch {
    return undefined;
  }
}
