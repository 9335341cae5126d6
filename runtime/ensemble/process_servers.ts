/**
 * The servers of this process: which of them code runs in, and which was started for a program.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { RUNTIME_MODULE } from "../code/library_table.ts";
import { EnsembleError } from "../errors.ts";
import type { EnsembleServer } from "./ensemble_server.ts";

/** Where another copy of the runtime finds the URL of the copy that runs this process's servers. */
const OWNER = Symbol.for("gxensemble.runtime");

const owned = globalThis as { [OWNER]?: string };

/** The server that code runs in. It is entered once for each actor, `main` and load, and not for each message. */
const scope = new AsyncLocalStorage<EnsembleServer>();

/** The servers that run. */
const running = new Set<EnsembleServer>();

/** Where servers are being started, see {@linkcode reserveServer}. */
const taken = new Map<string, string>();

/** The server that was started last. It may have stopped. */
let latest: EnsembleServer | undefined;

/** A server that was started for a program, until that program starts it itself. */
let lent: { readonly server: EnsembleServer; readonly by: string } | undefined;

/** Runs work in a server: `currentServer()` is that server in it, and in whatever it starts. */
export function enterServer<Result>(server: EnsembleServer, work: () => Result): Result {
  return scope.run(server, work);
}

/**
 * The server that the calling code runs in: its `main`, an actor, a handler, or code that was loaded into it. Other code
 * gets the only server of the process.
 *
 * @throws {EnsembleError} when the process has no server, or has several and the code runs in none of them.
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
      `this process has the servers ${ids}, and this code runs in none of them: pass the server to it`,
    );
  }
  const [only = latest] = running;
  if (only) return only;
  throw new EnsembleError(
    owned[OWNER] === undefined
      ? "this process is no server of an ensemble"
      : `${import.meta.url} is another copy of the runtime than that of the server here, ` +
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
 * Reserves the directory of a server for one server of this process. Servers of the same id may run in one process when
 * their ensembles are in different directories.
 *
 * @returns what gives it back; the server does so when it has stopped.
 * @throws {EnsembleError} when a server of this process has it.
 */
export function reserveServer(id: string, directory: string): Disposable {
  if (taken.has(directory)) {
    throw new EnsembleError(
      `cannot start server ${id}: this process is server ${id} already, and an id has one server: use ` +
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
 * Lends a server to the program that runs in it. When the program starts a server by the same id, it gets this one, as
 * it would start one under `deno run`.
 *
 * @param by what started the server, as messages name it.
 */
export function lendServer(server: EnsembleServer, by: string): void {
  lent = { server, by };
}

/**
 * Whether a program that starts a server gets the one that is there. Code that was loaded does not: it is not the
 * program, and must not end this server.
 */
export function isLent(): boolean {
  return lent !== undefined && !lent.server.signal.aborted && !lent.server.isLoading;
}

/**
 * Gives the lent server to the program that starts it.
 *
 * @returns undefined when none is lent.
 * @throws {EnsembleError} when the program starts a server of another id.
 */
export function takeLentServer(id: string): EnsembleServer | undefined {
  if (!lent || !isLent()) return undefined;
  const { server, by } = lent;
  if (id !== server.id) {
    throw new EnsembleError(
      `cannot start server ${id}: ${by} has started this process as server ${server.id}; give it the id ` +
        `that the program starts, ${id}, or run the program by itself with deno run`,
    );
  }
  lent = undefined;
  return server;
}
