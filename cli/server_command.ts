/**
 * The command line of programs that are a server.
 *
 * @module
 */
import { basename } from "node:path";
import { Command } from "npm:@commander-js/extra-typings@^15.1.0";
import { logOptions } from "../registry/options.ts";
import { runSingleCommand } from "../registry/single_command.ts";
import { formatProgramVersion } from "../registry/version.ts";
import { callWithEnsembleServer } from "../runtime/ensemble/call_with_server.ts";
import { currentServer, isLent, lendServer } from "../runtime/ensemble/ensemble_server.ts";
import { formatDenial } from "./denied_permissions.ts";
import { callMain } from "./main_call.ts";
import { requireOrdinaryId, serverIdArgument } from "./options.ts";
import { addRunOptions } from "./run_options.ts";
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
    if (given.deny.length > 0) {
      const { dropPermissions } = await import("./narrowed_process.ts");
      await dropPermissions(serverId, given);
    }
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
  const code = await runSingleCommand(command, {
    args,
    version: formatProgramVersion(name, version),
    examples: {
      [name]: [[
        "with a role, and its log in the server's directory",
        `${name} --roles "(blue)" --log-file - ${name}1`,
      ]],
    },
  });
  // The program may have set one.
  return code || Deno.exitCode;
}

/** The name of the program's first module. */
function ownName(): string {
  return basename(decodeURIComponent(new URL(Deno.mainModule).pathname)).replace(/\.[^.]*$/, "");
}
