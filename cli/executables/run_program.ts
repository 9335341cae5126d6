/**
 * Server programs with the command line of `gxensemble run`.
 *
 * @module
 */
import { basename } from "node:path";
import { runServer } from "../../runtime/ensemble/run_server.ts";
import { currentServer, isLent, lendServer } from "../../runtime/ensemble/process_servers.ts";
import type { StartServerOptions } from "../../runtime/ensemble/start_options.ts";
import { asError, describeThrown, explainParts } from "../../runtime/error_report.ts";
import { EnsembleError } from "../../runtime/errors.ts";

/**
 * Runs this process as a server with the command line `<options> <server-id> <main-args> ...`. It
 * takes the options of `gxensemble run`, logs in the same way, and stops on the same signals. Once
 * the server is registered, `main` is called with the arguments; `currentServer()` is the server.
 *
 * Roles and listen addresses of the command line are added to those of `options`. Its other options
 * replace those of `options`.
 *
 * In a module that `gxensemble run` runs, the server already exists: `options` are added to it, all
 * arguments are for `main`, and a failure of `main` rejects the promise.
 *
 * @param main the program, called with the arguments of the command line.
 * @param options defaults for the command line, and additions to it.
 * @param options.name the name of the program in its help and messages. Default: the name of its first module.
 * @param options.version the version of the program, for `--version`.
 * @param options.args the command line. Default: that of the process.
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage; the reason is on standard error.
 *
 * @example `deno run -A web.ts --roles "(canary)" web1 8080`, or as an executable: `./web web1 8080`
 * ```ts
 * import { currentServer, runProgram } from "@gxensemble/ensemble";
 *
 * export async function main(port = "8080"): Promise<void> {
 *   const { signal } = currentServer();
 *   await Deno.serve({ port: Number(port), signal }, () => new Response("hello\n")).finished;
 * }
 *
 * if (import.meta.main) Deno.exitCode = await runProgram(main, { roles: ["web"] });
 * ```
 */
export async function runProgram(
  main: (...args: string[]) => unknown,
  options: Omit<StartServerOptions, "signal"> & {
    readonly name?: string;
    readonly version?: string | undefined;
    readonly args?: readonly string[];
  } = {},
): Promise<number> {
  const { name = ownName(), version, args = Deno.args, ...own } = options;
  if (isLent()) {
    // `gxensemble run` has read the command line: all arguments are for main.
    const run = () => callMain(main, { whose: "main", args });
    await runServer(currentServer().id, run, own);
    return Number(Deno.exitCode);
  }
  // Imported on demand, since programs that read their options themselves do not need it.
  const { Command } = await import("npm:@commander-js/extra-typings@^15.1.0");
  const { formatProgramVersion } = await import("../kit/build.ts");
  const { asRoot, runCommandLine } = await import("../kit/command_line.ts");
  const { examples } = await import("../kit/help_text.ts");
  const {
    addressTexts,
    addRunOptions,
    capabilitiesById,
    logOptions,
    requireOrdinaryId,
    serverIdArgument,
  } = await import("../kit/options.ts");
  const { requireHttpToken, serveHttp } = await import("../kit/http_options.ts");
  const { dropPermissions } = await import("../kit/permissions.ts");
  const { formatDenial } = await import("../../runtime/home/denials.ts");
  const command = addRunOptions(new Command(name), own)
    .description("run a server in the ensemble")
    .addArgument(serverIdArgument())
    .argument("[main-args...]", "arguments for the program's main procedure");
  command.action(async (serverId, mainArguments, given) => {
    requireOrdinaryId(serverId);
    requireHttpToken(given, command);
    await dropPermissions(serverId, given);
    const isLogGiven = (["log", "logFile", "logFormat"] as const).some((option) =>
      command.getOptionValueSource(option) === "cli"
    );
    const { listen, announce, registry } = addressTexts(given);
    const run = () => {
      lendServer(currentServer(), name);
      return callMain(main, { whose: "main", args: mainArguments });
    };
    await runServer(serverId, run, {
      ...own,
      ...given,
      listen,
      announce: announce ?? own.announce,
      registry: own.registry && registry.length === 0 ? own.registry : registry,
      loader: given.loader && own.loader !== false,
      denied: given.deny.map(formatDenial),
      capabilities: capabilitiesById(given.authorize, own.capabilities),
      log: own.log === false && !isLogGiven ? false : logOptions(given),
      async prepare(server) {
        await serveHttp(server, given);
        await own.prepare?.(server);
      },
    });
  });
  command.addHelpText(
    "after",
    examples([
      "run with a role, and log to the server's directory",
      `${name} --roles "(blue)" --log-file - ${name}1`,
    ]),
  );
  const root = asRoot(command, formatProgramVersion(name, version));
  const code = await runCommandLine(root, args);
  // The program may have set an exit code.
  return code || Deno.exitCode;
}

/** The name of the program's first module. */
function ownName(): string {
  return basename(decodeURIComponent(new URL(Deno.mainModule).pathname)).replace(/\.[^.]*$/, "");
}

/** The files whose stack frames are skipped: the runtime, and the code that calls main. */
const MACHINERY = ["../runtime/", "./"].map((path) => new URL(path, import.meta.url).href);

/**
 * Calls `main` with the arguments of a command line, and waits for its end.
 *
 * @param whose the name of the function in errors: `main of httpd_svc.ts`.
 * @param hint what the user should also know if it fails.
 * @throws {EnsembleError} if it is not a function, or if it fails: with the thrown error and its
 * position in the author's files.
 */
export async function callMain(
  main: unknown,
  { whose, args, hint }: { whose: string; args: readonly string[]; hint?: string },
): Promise<void> {
  if (typeof main !== "function") throw new EnsembleError(`${whose} is not a function`);
  try {
    await main(...args);
  } catch (thrown) {
    const lines = [`${whose} failed: ${describeFailure(thrown)}`, ...hint ? [hint] : []];
    throw new EnsembleError(lines.join("\n"), { cause: thrown });
  }
}

/** Describes a thrown value, with its position in the author's files. */
function describeFailure(thrown: unknown): string {
  const [place] = (stackOf(thrown).match(/\bfile:\S+:\d+:\d+/g) ?? [])
    .filter((place) => !MACHINERY.some((directory) => place.startsWith(directory)));
  const reason = place ? `${describeThrown(thrown)}, at ${place}` : describeThrown(thrown);
  return [reason, ...explainParts(thrown)].join("\n");
}

function stackOf(thrown: unknown): string {
  try {
    return String(asError(thrown)?.stack ?? "");
  } catch {
    return ""; // A proxy, or a getter that throws.
  }
}
