/**
 * Programs that are a server with the command line of `gxensemble run`.
 *
 * @module
 */
import type { StartServerOptions } from "../../runtime/ensemble/start_options.ts";

/** Options of {@linkcode runServer}: what the server is where its command line does not say. */
export interface RunServerOptions extends Omit<StartServerOptions, "signal"> {
  /** What its help and its messages call the program; by default as its first module is called. */
  readonly name?: string;
  /** The version of the program, for `--version`. */
  readonly version?: string | undefined;
  /** The arguments, in place of those that the process was started with. */
  readonly args?: readonly string[];
}

/**
 * Runs this process as a server, as its command line says: `<options> <server-id> <main-args> ...`. It takes the options
 * of `gxensemble run`, logs as that does, and stops on the same signals. `main` is called as there: with the
 * arguments, once the server is in the registry; `currentServer()` is the server.
 *
 * Roles and addresses to listen at on the command line are added to those of `options`; everything else on it
 * replaces what `options` says.
 *
 * In a module that `gxensemble run` runs, the server is there: `options` add to it, and all arguments are for `main`, whose
 * failure rejects.
 *
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage; the reason is on standard error.
 *
 * @example `deno run -A web.ts --roles "(canary)" web1 8080`, or as an executable: `./web web1 8080`
 * ```ts
 * import { currentServer, runServer } from "@gxensemble/ensemble";
 *
 * export async function main(port = "8080"): Promise<void> {
 *   const { signal } = currentServer();
 *   await Deno.serve({ port: Number(port), signal }, () => new Response("hello\n")).finished;
 * }
 *
 * if (import.meta.main) Deno.exit(await runServer(main, { roles: ["web"] }));
 * ```
 */
export async function runServer(
  main: (...args: string[]) => unknown,
  options: RunServerOptions = {},
): Promise<number> {
  // Imported when it is needed: programs that read their options themselves do without.
  const { runServerCommand } = await import("./server_command.ts");
  return await runServerCommand(main, options);
}
