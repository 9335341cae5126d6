/**
 * The servers of this process: the current one for running code, and the one lent to a program.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { RUNTIME_MODULE } from "../code/library_table.ts";
import { EnsembleError } from "../errors.ts";
import type { EnsembleServer } from "./ensemble_server.ts";

/**
 * The global symbol with the URL of the runtime that runs this process's servers, for other copies
 * of the runtime.
 */
const OWNER = Symbol.for("gxensemble.runtime");

const owned = globalThis as { [OWNER]?: string };

/**
 * The server that code runs in. It is entered once for each actor, `main` and load, not for each
 * message.
 */
const scope = new AsyncLocalStorage<EnsembleServer>();

/** The running servers. */
const running = new Set<EnsembleServer>();

/** The directories of servers that are being started, see {@linkcode reserveServer}. */
const taken = new Map<string, string>();

/** The server that was started last. It may have stopped. */
let latest: EnsembleServer | undefined;

/** The server that `run` started for the program, until the program claims it. */
let lent: { readonly server: EnsembleServer; readonly by: string } | undefined;

/**
 * Runs work in a server: `currentServer()` returns that server in it, and in everything that it
 * starts.
 */
export function enterServer<Result>(server: EnsembleServer, work: () => Result): Result {
  return scope.run(server, work);
}

/**
 * The server that the calling code runs in: its `main`, an actor, a handler, or code that was
 * loaded into it. Elsewhere, the only server of the process.
 *
 * @throws {EnsembleError} if the process has no server, or has several and the code runs in none of them.
 *
 * @example
 * ```ts
 * import { currentServer } from "@gxensemble/ensemble";
 *
 * export async function main(): Promise<void> {
 *   await currentServer().stopped;
 * }
 * ```
 */
export function currentServer(): EnsembleServer {
  const server = scope.getStore();
  if (server) return server;
  if (running.size > 1) {
    const ids = [...running].map(({ id }) => id).join(", ");
    throw new EnsembleError(
      `this process runs the servers ${ids}, and this code runs in none of them: pass the server to it`,
    );
  }
  const [only = latest] = running;
  if (only) return only;
  throw new EnsembleError(
    owned[OWNER] === undefined
      ? "this process does not run a server of an ensemble"
      : `${import.meta.url} is a different copy of the runtime than the server's, ` +
        `${owned[OWNER]}: import "${RUNTIME_MODULE}" in code for servers`,
  );
}

/** Whether a server runs in this process, or is being started. */
export function hasServers(): boolean {
  return taken.size > 0;
}

/** Whether another server than this one runs in this process. */
export function hasOtherServers(server: EnsembleServer): boolean {
  return [...running].some((each) => each !== server);
}

/**
 * Reserves the directory of a server for one server of this process. Servers with the same id may
 * run in one process if their ensembles have different directories.
 *
 * @returns a function that releases it; the server calls it when it has stopped.
 * @throws {EnsembleError} if a server of this process has it.
 */
export function reserveServer(id: string, directory: string): Disposable {
  if (taken.has(directory)) {
    throw new EnsembleError(
      `cannot start server ${id}: this process already runs it, and an id has one server: use ` +
        "currentServer() where it is needed, or stop it first",
      { code: "ID_TAKEN" },
    );
  }
  taken.set(directory, id);
  return { [Symbol.dispose]: () => void taken.delete(directory) };
}

/** Adds a server that has started, until it has stopped. */
export function addServer(server: EnsembleServer, reservation: Disposable): void {
  owned[OWNER] = import.meta.url;
  running.add(server);
  latest = server;
  const remove = () => {
    running.delete(server);
    reservation[Symbol.dispose]();
  };
  server.stopped.then(remove, remove);
}

/**
 * Lends a server to the program that runs in it. If the program starts a server with the same id,
 * it gets this one, as it would start one under `deno run`.
 *
 * @param by what started the server, for messages.
 */
export function lendServer(server: EnsembleServer, by: string): void {
  lent = { server, by };
}

/**
 * Whether a program that starts a server gets the lent one. Loaded code does not: it is not the
 * program, and must not end this server.
 */
export function isLent(): boolean {
  return lent !== undefined && !lent.server.signal.aborted && !lent.server.isLoading;
}

/**
 * Gives the lent server to the program that starts it.
 *
 * @returns undefined if none is lent.
 * @throws {EnsembleError} if the program starts a server with another id.
 */
export function takeLentServer(id: string): EnsembleServer | undefined {
  if (!lent || !isLent()) return undefined;
  const { server, by } = lent;
  if (id !== server.id) {
    throw new EnsembleError(
      `cannot start server ${id}: ${by} has started this process as server ${server.id}; pass it the id ` +
        `that the program starts, ${id}, or run the program by itself with deno run`,
    );
  }
  lent = undefined;
  return server;
}
