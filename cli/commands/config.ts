/**
 * `gxensemble config`: checks, shows and makes the configuration of a host's supervisor.
 *
 * @module
 */
import { resolve } from "node:path";
import {
  Argument,
  Command,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import type {
  Configuration,
  ConfigurationReading,
} from "../../supervisor/configuration/configuration.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  configOption,
  type ConfigOptions,
  configurationPath,
  forceOption,
  jsonOption,
  type OutputOptions,
} from "../kit/options.ts";
import { printErrorText, printJson, printLine, printNotice, printText } from "../kit/output.ts";

/** Checks, shows and makes the configuration of a host's supervisor. */
export function configCommand(): CommandUnknownOpts {
  const config = new Command("config")
    .description("check, show or make the configuration of this host's supervisor")
    .addHelpText(
      "after",
      examples(
        ["make a first configuration, and check it after a change", "gxensemble config init"],
        ["check it", "gxensemble config check"],
      ),
    );
  config.addCommand(checkCommand());
  config.addCommand(showCommand());
  config.addCommand(initCommand());
  return config;
}

/** Reports all that is wrong in a configuration. */
function checkCommand(): CommandUnknownOpts {
  return new Command("check").description("report what is wrong in a configuration")
    .addOption(configOption())
    .addOption(hostOption())
    .addOption(jsonOption())
    .addArgument(
      completing("files", new Argument("[file]", "the configuration, as --config names it")),
    )
    .addHelpText(
      "after",
      examples(
        ["check the configuration of this host", "gxensemble config check"],
        [
          "check a file before it is used, as another host reads it",
          "gxensemble config check --host web1 new.jsonc",
        ],
      ),
    )
    .action(async (file, options, command) => {
      if (file !== undefined && options.config !== undefined) {
        command.error("--config and a file exclude each other");
      }
      await check(configurationPath({ config: file ?? options.config }), options);
    });
}

/** Prints a configuration with all that applies to each process. */
function showCommand(): CommandUnknownOpts {
  return new Command("show")
    .description("print a configuration with all defaults, as the supervisor reads it")
    .addOption(completing(
      "configured servers",
      new Option("--server <server-id>", "only this server, or registry"),
    ))
    .addOption(configOption())
    .addOption(hostOption())
    .addOption(jsonOption("prints times in ms and sizes in bytes"))
    .addHelpText(
      "after",
      examples(
        ["print everything, in the notation of the file", "gxensemble config show"],
        ["print what applies to one server", "gxensemble config show --server web1"],
      ),
    )
    .action(async (options) => await show(configurationPath(options), options));
}

/** Makes the first configuration of a host. */
function initCommand(): CommandUnknownOpts {
  return new Command("init")
    .description("make a first configuration, with its schema for editors")
    .addOption(configOption())
    .addOption(
      new Option("--schema", "writes only the schema, after an update of gxensemble").default(false)
        .conflicts("force"),
    )
    .addOption(forceOption("replace a configuration that exists"))
    .addHelpText(
      "after",
      examples(
        ["make the configuration of this host", "gxensemble config init"],
        ["make one somewhere else", "gxensemble config init --config deploy/ensemble.jsonc"],
      ),
    )
    .action(async (options) => await init(configurationPath(options), options));
}

interface ReadingOptions extends ConfigOptions, OutputOptions {
  /** The host whose servers are looked at; undefined for this one. */
  host?: string;
}

const hostOption = () =>
  completing(
    "nothing",
    new Option("--host <host>", "read it as this host does, by the first label of its name")
      .default<string | undefined>(undefined, "this host")
      .argParser<string | undefined>(reading(parseHost)),
  );

/** Takes the first label of a name, as supervisors do. */
function parseHost(text: string): string {
  const [label = ""] = text.split(".");
  if (label === "") throw new InvalidInputError("the host is empty");
  return label;
}

async function check(path: string, { json, host }: ReadingOptions): Promise<void> {
  const { readConfiguration, formatProblem } = await import(
    "../../supervisor/configuration/configuration_reading.ts"
  );
  const reading = await readConfiguration(path, { host });
  const { configuration, problems } = reading;
  const errors = problems.filter(({ severity }) => severity === "error").length;
  if (json) printJson({ file: path, valid: errors === 0, problems });
  else for (const problem of problems) printLine(formatProblem(path, problem));
  if (!configuration) {
    throw new EnsembleError(`${errors} ${errors === 1 ? "error" : "errors"} in ${path}`);
  }
  if (json) return;
  const here = await describeHost(configuration, host);
  printNotice(`... ${path} is valid; on ${here}`);
}

/** Says what runs on a host: `host1: the registry, 3 of 12 servers`. */
async function describeHost(configuration: Configuration, host?: string): Promise<string> {
  const { hostLabel, processesOn } = await import(
    "../../supervisor/configuration/configuration.ts"
  );
  const { hostName } = await import("../../runtime/wire/address.ts");
  const { formatCounted } = await import("../kit/quantities.ts");
  const own = host ?? hostLabel(hostName());
  const processes = processesOn(configuration, own);
  const isRegistry = processes[0]?.id === REGISTRY_ID;
  const count = processes.length - (isRegistry ? 1 : 0);
  const all = configuration.servers.length;
  const servers = count === all ? formatCounted(all, "server") : `${count} of ${all} servers`;
  return `${own}: ${isRegistry ? "the registry, " : ""}${servers}`;
}

async function show(
  path: string,
  { server, json, host }: ReadingOptions & { server?: string },
): Promise<void> {
  const { readConfiguration, formatProblem, wrongConfiguration } = await import(
    "../../supervisor/configuration/configuration_reading.ts"
  );
  const { shownConfiguration, shownProcess } = await import(
    "../../supervisor/configuration/shown_configuration.ts"
  );
  const { configuration, problems }: ConfigurationReading = await readConfiguration(path, { host });
  if (!configuration) throw wrongConfiguration(path, problems);
  for (const problem of problems) printErrorText(`${formatProblem(path, problem)}\n`);
  const process = server === undefined ? undefined : await processNamed(configuration, server);
  if (json) return printJson(process ?? configuration);
  const shown = process ? shownProcess(process) : shownConfiguration(configuration);
  printText(`${JSON.stringify(shown, undefined, 2)}\n`);
}

async function processNamed({ registry, servers, path }: Configuration, id: string) {
  const all = [...registry ? [registry] : [], ...servers];
  const process = all.find((each) => each.id === id);
  if (process) return process;
  const { didYouMean, nearest } = await import("../../runtime/near_names.ts");
  const suggestion = didYouMean(nearest(id, all.map(({ id }) => id)));
  throw new EnsembleError(`no server ${id} in ${path}${suggestion}`);
}

async function init(
  path: string,
  { schema, force }: ConfigOptions & { schema: boolean; force: boolean },
): Promise<void> {
  const { writeFirstConfiguration, writeSchema } = await import(
    "../../supervisor/configuration/first_configuration.ts"
  );
  if (schema) {
    printNotice(`... the schema is in ${await writeSchema(path)}`);
    return;
  }
  await writeFirstConfiguration(path, { force });
  printNotice(
    `... the configuration is in ${path}; edit it, and check it with ` +
      `gxensemble config check${isDefault(path) ? "" : ` ${path}`}`,
  );
}

function isDefault(path: string): boolean {
  return resolve(path) === configurationPath({});
}
