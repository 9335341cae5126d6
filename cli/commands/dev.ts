/**
 * `gxensemble dev`.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { checkServerId } from "../../runtime/actor/references.ts";
import { formatLogLevel, type LogLevel } from "../../runtime/home/log_options.ts";
import { completing, passOptionsThrough, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { logOption, parseModuleId, requireOrdinaryId, rolesOption } from "../kit/options.ts";

interface DevOptions {
  /** The id of the server; by default, named after the module. */
  id?: string | undefined;
  /** Its roles. */
  roles: string[];
  /** The least severe level that its server logs. */
  log: LogLevel;
  /** Whether a change always restarts the server. */
  restart: boolean;
}

/** Runs a program with an ensemble of its own, and follows the changes of its files. */
export function devCommand(): CommandUnknownOpts {
  return passOptionsThrough(new Command("dev"))
    .description(
      "runs a program with a registry of its own in this terminal, and follows changes of its files",
    )
    .addOption(
      completing(
        "nothing",
        new Option("--id <server-id>", "id of the server; by default, the name of the module")
          .argParser<string | undefined>(reading(checkServerId)),
      ),
    )
    .addOption(rolesOption())
    .addOption(logOption("info"))
    .addOption(
      new Option("--restart", "restarts the server after each change, instead of loading it")
        .default(false),
    )
    .addArgument(
      completing(
        "files",
        new Argument("<module-id>", "the module to run").argParser(reading(parseModuleId)),
      ),
    )
    .addArgument(
      completing("files", new Argument("[main-args...]", "arguments for its main procedure")),
    )
    .addHelpText(
      "after",
      examples(
        [
          "run a module as the server counter, and load what you change",
          "gxensemble dev counter.ts",
        ],
        [
          "run it with a role and an argument",
          "gxensemble dev --roles httpd --id httpd1 examples/httpd/httpd_svc.ts 8080",
        ],
        ["restart the server after each change", "gxensemble dev --restart counter.ts"],
        [
          "look into it, in another terminal",
          "gxensemble -G .gxensemble repl counter",
        ],
      ),
    )
    .action(async (moduleId, args, options: DevOptions, command) => {
      const { develop } = await import("../dev/development.ts");
      const { planModule, stateDirectoryOf } = await import("../dev/module_plan.ts");
      const { id, roles, log, restart } = options;
      if (id !== undefined) requireOrdinaryId(id);
      const { gerbilPath } = command.optsWithGlobals() as { gerbilPath?: string };
      const runOptions = [
        ...roles.length > 0 ? ["--roles", roles.join(",")] : [],
        ...["--log", formatLogLevel(log)],
      ];
      Deno.exitCode = await develop({
        directory: gerbilPath ?? await stateDirectoryOf(moduleId),
        plan: () => planModule(moduleId, { id, args, options: runOptions }),
        restart,
        registryOptions: ["--log", "warning"],
      });
    });
}
