/**
 * Programs that run as a server of the ensemble.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { ActorExit } from "../actor/cases.ts";
import { MAX_DELAY, within } from "../timeout.ts";
import { asError, describeThrown, onUnhandled, reportThrown } from "../error_report.ts";
import { DisconnectedError, EnsembleError, InvalidInputError } from "../errors.ts";
import {
  type EndingSignal,
  exitCodeOf,
  keepIgnoringHangup,
  onHangup,
  onSignal,
} from "../home/signals.ts";
import { DRAINING_SIGNAL, ownMarker } from "../home/supervised_process.ts";
import { reopenLog } from "../home/logging.ts";
import { isShown } from "../home/root_logger.ts";
import { installProgramOutput } from "../home/program_output.ts";
import { standardStream, writeErrors } from "../home/standard_stream.ts";
import { LineLimit } from "../line_limit.ts";
import { describeValue } from "../inspection.ts";
import { QUOTED_LENGTH, visibleText } from "../safe_text.ts";
import type { EnsembleServer } from "./ensemble_server.ts";
import { enterServer, hasOtherServers, isLent, takeLentServer } from "./process_servers.ts";
import { startServer } from "./start_server.ts";
import type { StartServerOptions } from "./start_options.ts";

const logger = getLogger(["gxensemble", "server"]);

/** The minimum time that a program may continue after `main` has returned, in ms. */
const LEAST_REST = 1_000;

/** Ends the process of a stopped server. */
let end: ReturnType<typeof setTimeout> | undefined;

/**
 * Runs a program as a server of the ensemble: starts the server, calls `main`, and stops the server
 * when that is done. SIGINT, SIGTERM and a shutdown through the ensemble stop it gracefully: `main`
 * is notified by `server.signal`, and by `server.stopped` when the actors have shut down.
 *
 * The server is `starting` in the registry until `main` has been called, and then `up`: what `main`
 * starts before it first awaits is there when others find the server by its role. A `main` that
 * needs longer calls `server.holdReady()` first, and `server.ready()` when it is ready.
 *
 * All of that may take as long as `options.grace` says, 5 s by default. A `main` that has not returned by then
 * is cut off: the process ends with exit code 1 and a warning. When it has returned, the process ends when
 * nothing is left to do, or else, as with a timer that was forgotten, when the grace is over, with exit code 0.
 * A second signal ends it at once. Unhandled errors are logged, and do not end the process.
 *
 * SIGHUP stays ignored if the process was started to ignore it, as by `nohup`. In a process that
 * was started on a terminal (standard input, output or error), it stops the server too, because the
 * terminal has closed. In any other process, the server reads its certificates, the cookie and the
 * administrators' public key again, and reopens its log file.
 *
 * From then on, `console` and `process.stdout.write` neither throw nor wait, even if the terminal
 * has closed, the disk is full, or the reader of a pipe has stopped: up to 16 MiB of output are
 * kept for the reader, the rest is dropped, and the log reports it.
 *
 * @returns the result of `main`, or undefined if it failed because the server was stopped.
 * @throws {EnsembleError} if the server cannot start; see {@linkcode startServer}. What `main` throws.
 *
 * @example
 * ```ts
 * import { runServer } from "@gxensemble/ensemble";
 *
 * await runServer("web1", async ({ signal }) => {
 *   await Deno.serve({ signal }, () => new Response("hello\n")).finished;
 * }, { roles: ["web"], grace: 30_000 });
 * ```
 *
 * @example A server that is not found by its role before it has read its data
 * ```ts
 * import { runServer } from "@gxensemble/ensemble";
 *
 * await runServer("index1", async (server) => {
 *   server.holdReady();
 *   const index = JSON.parse(await Deno.readTextFile("index.json"));
 *   server.serve("index", { find: ({ word }: { word: string }) => index[word] });
 *   await server.ready();
 *   await server.stopped;
 * }, { roles: ["index"] });
 * ```
 */
export async function runServer<Result>(
  id: string,
  main: (server: EnsembleServer) => Result | Promise<Result>,
  options: StartServerOptions = {},
): Promise<Result | undefined> {
  if (typeof main !== "function") {
    throw new InvalidInputError(`main of ${id} is not a function: ${describeValue(main)}`);
  }
  if (isLent()) return await runInLentServer(id, main, options);
  // A server of this process may have been stopped before. The process continues with this one.
  clearTimeout(end);
  const start = new Start(id, options);
  keepIgnoringHangup();
  installProgramOutput();
  using _signals = stopOnSignals((code) => start.stop(code));
  using _reread = onHangup("reread", () => void start.reread());
  using _drained = ownMarker(id) === undefined
    ? undefined
    : onSignal(DRAINING_SIGNAL, () => void start.drain());
  using _errors = logUnhandledErrors();
  const server = await start.finish();
  let over = Infinity;
  server.signal.addEventListener("abort", () => {
    over = performance.now() + server.grace;
  });
  const call = () => enterServer(server, () => main(server));
  const program = Promise.resolve().then(() =>
    options.holdReady ? call() : readyAfter(server, call)
  );
  try {
    const ended = await Promise.race([
      program.then(() => true),
      server.stopped.then(() => false),
    ]);
    if (!ended && !await within(over - performance.now(), program)) {
      cutOff(server);
      return undefined;
    }
    return await program;
  } catch (error) {
    noteEnd(server, error);
    return undefined;
  } finally {
    const wasStopped = server.signal.aborted;
    await server.stop();
    if (wasStopped && !hasOtherServers(server)) {
      endProcessIn(Math.max(over - performance.now(), LEAST_REST));
    }
  }
}

/**
 * Runs a program in a process that already is its server. The caller that started the server
 * handles signals and errors.
 */
async function runInLentServer<Result>(
  id: string,
  main: (server: EnsembleServer) => Result | Promise<Result>,
  options: StartServerOptions,
): Promise<Result | undefined> {
  const server = takeLentServer(id)!;
  await server.extendWith(options);
  let result: Result | undefined;
  try {
    const call = () => main(server);
    result = await (options.holdReady ? call() : readyAfter(server, call));
  } catch (error) {
    // The server continues, which shows that the program has failed.
    noteEnd(server, error);
  }
  await server.stop();
  return result;
}

/**
 * Calls a program. When the call has returned, its server is ready, unless the program holds that;
 * what it returned may be pending.
 */
export async function readyAfter<Result>(
  server: EnsembleServer,
  call: () => Result | Promise<Result>,
): Promise<Result> {
  server.letReady();
  const result = call();
  void server.readyUnlessHeld();
  return await result;
}

/** Logs how a stopped program ended. Throws the failure of any other. */
function noteEnd({ id, signal }: EnsembleServer, error: unknown): void {
  if (!signal.aborted) throw error;
  const level = isOfTheStop(error, signal) ? "debug" : "warn";
  logger[level]("main of {id} ended with: {error}", { id, error });
}

/**
 * The start of a server. A signal may interrupt it at any moment, and it must leave no socket
 * behind.
 */
class Start {
  readonly #giveUp = new AbortController();
  readonly #starting: Promise<EnsembleServer>;
  #started: EnsembleServer | undefined;
  /** The exit code of the process, if the start was interrupted. */
  #interrupted: number | undefined;

  constructor(id: string, options: StartServerOptions) {
    const signals = [this.#giveUp.signal, ...options.signal ? [options.signal] : []];
    const signal = AbortSignal.any(signals);
    this.#starting = startServer(id, { ...options, holdReady: true, signal });
  }

  /** Stops the server, or its start: the process then exits with the code. */
  stop(code: number): Promise<unknown> {
    if (this.#started) return this.#started.stop();
    this.#interrupted = code;
    this.#giveUp.abort();
    return this.#starting;
  }

  /** Lets the server finish its requests, and stops it. */
  async drain(): Promise<void> {
    try {
      const server = await this.#starting;
      await server.drain();
      await server.stop();
    } catch {
      // A failed start is reported where it is awaited; or it takes work again, or stops already.
    }
  }

  /** Reopens the log file, and rereads the server's files once it has started. */
  async reread(): Promise<void> {
    reopenLogFile();
    // A failed start is reported where it is awaited.
    const server = await this.#starting.catch(() => undefined);
    if (server) await reread(server);
  }

  /** Waits until the server has started. */
  async finish(): Promise<EnsembleServer> {
    try {
      const server = await this.#starting;
      if (this.#interrupted === undefined) return this.#started = server;
      await server.stop();
    } catch (error) {
      if (this.#interrupted === undefined) throw error;
    }
    Deno.exit(this.#interrupted);
  }
}

/** Ends the process of a server whose `main` does not return, unless other servers run in it. */
function cutOff(server: EnsembleServer): void {
  logger.warn(
    "main of {id} has not returned within {seconds} s and is cut off: " +
      "give it more time with --grace <seconds>, or in code with the option grace",
    { id: server.id, seconds: server.grace / 1000 },
  );
  if (!hasOtherServers(server)) Deno.exit(1);
}

/** Whether an error is, or is caused by, the stop of the server that a program waited for. */
function isOfTheStop(error: unknown, signal: AbortSignal): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause === signal.reason || cause instanceof DisconnectedError) return true;
    if (cause instanceof EnsembleError && cause.code === "SERVER_STOPPING") return true;
    if (cause instanceof ActorExit || cause.name === "AbortError") return true;
  }
  return false;
}

/** Exits the process after a delay, in ms, if it has not exited by itself. */
function endProcessIn(delay: number): void {
  if (delay > MAX_DELAY) return;
  end = setTimeout(() => {
    logger.info("exiting with timers or connections that the program has left open");
    Deno.exit();
  }, delay);
  end.unref();
}

function reopenLogFile(): void {
  try {
    reopenLog();
  } catch (error) {
    const { message } = error as Error;
    logger.error("the log stays in its file: {reason}", { reason: message });
    // Its current file may have been removed, so report it on standard error, too.
    writeErrors(`${visibleText(`the log stays in its file: ${message}`)}\n`);
  }
}

async function reread(server: EnsembleServer): Promise<void> {
  const { id } = server;
  try {
    await server.rereadCertificates();
    logger.info("{id} has read its certificates again", { id });
  } catch (error) {
    logger.error("the certificates stay the same: {reason}", {
      reason: (error as Error).message,
    });
  }
  try {
    await server.rereadSecrets();
    logger.info("{id} has read its cookie and the administrators' public key again", { id });
  } catch (error) {
    logger.error("the cookie and the administrators' public key stay the same: {reason}", {
      reason: (error as Error).message,
    });
  }
}

function stopOnSignals(stop: (code: number) => Promise<unknown>): Disposable {
  const listeners = new DisposableStack();
  let asked = false;
  const ask = (signal: EndingSignal) => {
    asked = true;
    // A failed start is reported where it is awaited.
    stop(exitCodeOf(signal)).catch(() => {});
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    listeners.use(onSignal(signal, () => asked ? Deno.exit(exitCodeOf(signal)) : ask(signal)));
  }
  // Both the kernel and the shell send it when a terminal closes. The second one is not impatience.
  listeners.use(onHangup("end", () => asked || ask("SIGHUP")));
  return listeners;
}

/**
 * Logs unhandled errors and keeps the process alive, because a forgotten promise, or a timer of a
 * loaded module, must not end a server that serves others. If the same error repeats, the log has a
 * few lines and the number of those left out.
 *
 * If the log does not show them, as in a program without logging, they are also printed to standard
 * error, as Deno would do.
 *
 * @returns restores Deno's own behavior, which is to end the process, when disposed.
 */
export function logUnhandledErrors(): Disposable {
  // Several servers of a process log each error once.
  if (loggers++ > 0) return { [Symbol.dispose]: stopLoggingErrors };
  const lines = new LineLimit();
  const resources = new DisposableStack();
  resources.defer(() => lines.close());
  resources.use(onUnhandled((thrown, what) => {
    const message = describeThrown(thrown);
    if (!lines.allows("this program", `${what}: ${message.slice(0, QUOTED_LENGTH)}`)) return;
    if (!isShown(logger.category, "error")) {
      standardStream("stderr").write(`${visibleText(`${what}: ${reportThrown(thrown)}`)}\n`);
    }
    const error = asError(thrown);
    logger.error("{what}: {reason}", { what, reason: message, ...error && { error } });
  }));
  errorLogging = resources;
  return { [Symbol.dispose]: stopLoggingErrors };
}

/** The number of servers that log unhandled errors, and the listener to remove. */
let loggers = 0;
let errorLogging: Disposable | undefined;

function stopLoggingErrors(): void {
  if (--loggers === 0) errorLogging?.[Symbol.dispose]();
}
