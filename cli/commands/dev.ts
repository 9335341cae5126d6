/**
 * `gxensemble dev`.
 *
 * @module
 */
import { dirname, join } from "node:path";
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
import {
  GLOBAL_OPTIONS,
  logOption,
  parseGerbilPath,
  parseModuleId,
  requireOrdinaryId,
  rolesOption,
} from "../kit/options.ts";

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
      "runs a program, or all servers of a configuration, with a registry of its own in this terminal, " +
        "and follows the changes of its files",
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
      new Option("--restart", "restarts servers after each change, instead of loading it")
        .default(false),
    )
    .addOption(
      completing(
        "files",
        new Option("-G, --gerbil-path <dir>", "directory of the state of this ensemble")
          .default(undefined, ".gxensemble in the project")
          .argParser<string | undefined>(reading(parseGerbilPath)).helpGroup(GLOBAL_OPTIONS),
      ),
    )
    .addArgument(
      completing(
        "files",
        new Argument(
          "[module-id]",
          "the module to run, or a configuration, or a directory with an ensemble.jsonc",
        ).argParser<string>(reading(parseModuleId)).default(".", "./ensemble.jsonc"),
      ),
    )
    .addArgument(
      completing(
        "files",
        new Argument(
          "[main-args...]",
          "arguments for its main procedure; for a configuration, the servers to run, instead of all",
        ),
      ),
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
        ["run all servers of ensemble.jsonc in this directory", "gxensemble dev"],
        ["run two of them", "gxensemble dev ensemble.jsonc shop1 shop2"],
        ["restart the server after each change", "gxensemble dev --restart counter.ts"],
      ),
    )
    .action(async (target, args, options: DevOptions, command) => {
      const { develop } = await import("../dev/development.ts");
      const { configurationPath, planConfiguration } = await import(
        "../dev/configuration_plan.ts"
      );
      const { gerbilPath } = command.optsWithGlobals() as { gerbilPath?: string };
      const configuration = configurationPath(target);
      if (configuration !== undefined) {
        for (const name of ["id", "roles", "log"] as const) {
          if (command.getOptionValueSource(name) !== "cli") continue;
          command.error(`--${name} is for a module: a configuration has it for each server`);
        }
      } else if (options.id !== undefined) requireOrdinaryId(options.id);
      const { STATE_DIRECTORY } = await import("../dev/development_state.ts");
      const { planModule, stateDirectoryOf } = await import("../dev/module_plan.ts");
      const { id, roles, log, restart } = options;
      const runOptions = [
        ...roles.length > 0 ? ["--roles", roles.join(",")] : [],
        ...["--log", formatLogLevel(log)],
      ];
      Deno.exitCode = await develop({
        directory: gerbilPath ??
          (configuration === undefined
            ? await stateDirectoryOf(target)
            : join(dirname(configuration), STATE_DIRECTORY)),
        plan: () =>
          configuration === undefined
            ? planModule(target, { id, args, options: runOptions })
            : planConfiguration(configuration, args),
        restart,
        registryOptions: ["--log", "error"],
      });
    });
}
