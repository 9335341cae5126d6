/**
 * Programs that are a server of the ensemble for as long as they run.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { ServerId } from "../actor/server_id.ts";
import { within } from "../within.ts";
import { type EnsembleServer, startServer, type StartServerOptions } from "./ensemble_server.ts";
import { logStrayErrors } from "./stray_errors.ts";

const logger = getLogger(["gxensemble", "server"]);

/** How long a program may go on after its server has stopped, in ms. */
const PROGRAM_GRACE = 1_000;

/** The signals that stop a server, and what a process that is killed by one exits with. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Runs a program as a server of the ensemble: starts the server, calls `main`, and stops the server when
 * that is done. SIGINT, SIGTERM and a shutdown through the ensemble stop it in good order, with exit code
 * 0: `main` is told by `server.signal`, and when it is not done a second later the process is ended. A
 * second signal ends it at once. Errors that nobody handles are logged, and do not end the process.
 *
 * @returns what `main` returns, or undefined when the server was stopped before.
 * @throws {EnsembleError} when the server cannot start; see {@linkcode startServer}. What `main` throws.
 *
 * @example
 * ```ts
 * import { callWithEnsembleServer, parseServerId } from "@gxensemble/ensemble";
 *
 * await callWithEnsembleServer(parseServerId("web1"), async ({ signal }) => {
 *   await Deno.serve({ signal }, () => new Response("hello\n")).finished;
 * }, { roles: ["web"] });
 * ```
 */
export async function callWithEnsembleServer<Result>(
  id: ServerId,
  main: (server: EnsembleServer) => Result | Promise<Result>,
  options: StartServerOptions = {},
): Promise<Result | undefined> {
  let started: EnsembleServer | undefined;
  using _signals = stopOnSignals(() => started?.stop());
  using _errors = logStrayErrors();
  const server = started = await startServer(id, options);
  using _reread = onSignal("SIGHUP", () => void reread(server));
  const program = Promise.resolve(server).then(main);
  try {
    const ended = await Promise.race([
      program.then(() => true),
      server.stopped.then(() => false),
    ]);
    if (!ended && !await within(PROGRAM_GRACE, program)) {
      logger.debug("the program of {id} goes on and is ended", { id });
      Deno.exit(0);
    }
    return await program;
  } catch (error) {
    // A program that fails because its server stops has been stopped, not failed.
    if (!server.signal.aborted) throw error;
    logger.debug("the program of {id} ended with: {error}", { id, error });
    return undefined;
  } finally {
    await server.stop();
  }
}

async function reread(server: EnsembleServer): Promise<void> {
  try {
    await server.rereadCertificates();
    logger.info("{id} has read its certificates again", { id: server.id });
  } catch (error) {
    logger.error("the certificates stay as they were: {reason}", {
      reason: (error as Error).message,
    });
  }
}

function stopOnSignals(stop: () => Promise<void> | undefined): Disposable {
  const listeners = new DisposableStack();
  let asked = false;
  for (const [name, code] of Object.entries(SIGNALS)) {
    listeners.use(onSignal(name as Deno.Signal, () => {
      const stopping = asked ? undefined : stop();
      if (!stopping) Deno.exit(code);
      asked = true;
    }));
  }
  return listeners;
}

function onSignal(name: Deno.Signal, listener: () => void): Disposable {
  Deno.addSignalListener(name, listener);
  return { [Symbol.dispose]: () => Deno.removeSignalListener(name, listener) };
}
