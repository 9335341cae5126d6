/**
 * The command line of programs that are a server.
 *
 * @module
 */
import { basename } from "node:path";
import { Command } from "npm:@commander-js/extra-typings@^15.1.0";
import { callWithEnsembleServer } from "../../runtime/ensemble/call_with_server.ts";
import { currentServer, isLent, lendServer } from "../../runtime/ensemble/ensemble_server.ts";
import { asError, describeThrown, explainParts } from "../../runtime/error_report.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { addRunOptions, logOptions, requireOrdinaryId, serverIdArgument } from "../kit/options.ts";
import { dropPermissions, formatDenial } from "../kit/permissions.ts";
import { asRoot, runCommandLine } from "../kit/command_line.ts";
import { examples } from "../kit/help.ts";
import { formatProgramVersion } from "../kit/build.ts";
import type { RunServerOptions } from "./run_server.ts";

/** See {@linkcode RunServerOptions}; gives the exit code. */
export async function runServerCommand(
  main: (...args: string[]) => unknown,
  options: RunServerOptions,
): Promise<number> {
  const { name = ownName(), version, args = Deno.args, ...own } = options;
  if (isLent()) {
    // The command line has been read by who started the server: what is left of it is for main.
    const run = () => callMain(main, { whose: "main", args });
    await callWithEnsembleServer(currentServer().id, run, own);
    return Number(Deno.exitCode);
  }
  const command = addRunOptions(new Command(name), own)
    .description("run a server in the ensemble")
    .addArgument(serverIdArgument())
    .argument("[main-args...]", "arguments for the program's main procedure");
  command.action(async (serverId, mainArguments, given) => {
    requireOrdinaryId(serverId);
    await dropPermissions(serverId, given);
    const isLogGiven = (["log", "logFile", "logFormat"] as const).some((option) =>
      command.getOptionValueSource(option) === "cli"
    );
    const run = () => {
      lendServer(name);
      return callMain(main, { whose: "main", args: mainArguments });
    };
    await callWithEnsembleServer(serverId, run, {
      ...own,
      ...given,
      announce: given.announce ?? own.announce,
      ...own.registry && given.registry.length === 0 && { registry: own.registry },
      loader: given.loader && own.loader !== false,
      denied: given.deny.map(formatDenial),
      log: own.log === false && !isLogGiven ? false : logOptions(given),
    });
  });
  command.addHelpText(
    "after",
    examples([
      "with a role, and its log in the server's directory",
      `${name} --roles "(blue)" --log-file - ${name}1`,
    ]),
  );
  const root = asRoot(command, formatProgramVersion(name, version));
  const code = await runCommandLine(root, args);
  // The program may have set one.
  return code || Deno.exitCode;
}

/** The name of the program's first module. */
function ownName(): string {
  return basename(decodeURIComponent(new URL(Deno.mainModule).pathname)).replace(/\.[^.]*$/, "");
}

/** The runtime, which programs call, and what calls them: their frames are not where a program failed. */
const MACHINERY = ["../runtime/", "./"].map((path) => new URL(path, import.meta.url).href);

/**
 * Calls `main` with the arguments of a command line, and waits for its end.
 *
 * @param whose what its errors call it: `main of httpd_svc.ts`.
 * @param hint what else a person should know when it fails.
 * @throws {EnsembleError} when it is no function, or it fails: with what it threw, and the place in the author's
 * files where that was.
 */
export async function callMain(
  main: unknown,
  { whose, args, hint }: { whose: string; args: readonly string[]; hint?: string },
): Promise<void> {
  if (typeof main !== "function") throw new EnsembleError(`${whose} is no function`);
  try {
    await main(...args);
  } catch (thrown) {
    const lines = [`${whose} failed: ${describeFailure(thrown)}`, ...hint ? [hint] : []];
    throw new EnsembleError(lines.join("\n"), { cause: thrown });
  }
}

/** What was thrown, the place in the author's files where it was, and why. */
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
