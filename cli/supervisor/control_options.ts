/**
 * The options that the commands of `gxensemble control` share.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
  Option,
  type OptionValues,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { checkServerId } from "../../runtime/actor/references.ts";
import { InvalidInputError } from "../../runtime/errors.ts";
import { parseDuration } from "../../runtime/measures.ts";
import { collecting, completing, reading } from "../kit/declaration.ts";
import {
  addResultOptions,
  type ClientOptions,
  type OutputOptions,
  registryOption,
  timeoutOption,
} from "../kit/options.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import { parseNames } from "../kit/server_set_options.ts";

/** The help's heading for the options that choose supervisors. */
const SUPERVISORS = "Supervisors:";

/** The longest time that a command waits for a server, in ms: an hour. */
const MAX_WAIT = 3_600_000;

/** Which supervisors a command of `control` is for. */
export interface SupervisorOptions {
  /** Those of these hosts, by the first label of the host's name. */
  readonly host?: readonly string[] | undefined;
  /** Those with these ids. */
  readonly supervisor?: readonly string[] | undefined;
  /** All that run. */
  readonly all: boolean;
}

/** The options of every command of `control`. */
export interface ControlOptions
  extends SupervisorOptions, OutputOptions, PassphraseOptions, Omit<ClientOptions, "supervisor"> {}

/** A command of `control`, with the options that all have. */
export function controlCommand(name: string, description: string) {
  return addSupervisorOptions(new Command(name).description(description));
}

function addSupervisorOptions<Args extends unknown[], Options extends OptionValues>(
  command: Command<Args, Options>,
) {
  const chosen = command
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(hostOption())
    .addOption(supervisorOption())
    .addOption(
      new Option("--all", "all supervisors that run").default(false).helpGroup(SUPERVISORS),
    );
  return addResultOptions(chosen);
}

const hostOption = () =>
  completing(
    "supervised hosts",
    new Option("--host <hosts>", "the supervisor of this host, or those of several: web1,web2")
      .argParser<string[] | undefined>(collecting(parseHosts))
      .conflicts(["supervisor", "all"]).helpGroup(SUPERVISORS),
  );

const supervisorOption = () =>
  completing(
    "supervisors",
    new Option("-s, --supervisor <ids>", "the supervisor with this id, or several")
      .argParser<string[] | undefined>(collecting((text) => parseNames(text).map(checkServerId)))
      .conflicts(["host", "all"]).helpGroup(SUPERVISORS),
  );

function parseHosts(text: string): string[] {
  const hosts = parseNames(text).map((name) => name.split(".")[0]!);
  if (hosts.includes("")) throw new InvalidInputError("a host is empty");
  return hosts;
}

/** `<server-id>`: a server of a supervisor. */
export const supervisedArgument = () =>
  completing(
    "supervised servers",
    new Argument("<server-id>", "the server").argParser(reading(checkServerId)),
  );

/** `[server-ids]`, which `--role` may replace. */
export const supervisedListArgument = () =>
  completing(
    "supervised servers",
    new Argument("[server-id]", "the server, or several: web-0,web-1")
      .argParser<string[] | undefined>(reading((text) => parseNames(text).map(checkServerId))),
  );

/** `<role>`: a role of the configuration. */
export const roleArgument = () =>
  completing("role", new Argument("<role>", "a role of the supervisor's configuration"));

/** `--wait` and `--no-wait`. */
export function addWaitOptions<Args extends unknown[], Options extends OptionValues>(
  command: Command<Args, Options>,
  what: string,
) {
  return command
    .addOption(
      completing(
        "nothing",
        new Option("--wait <time>", `how long to wait until ${what}`)
          .default<number | false>(60_000, "60s")
          .argParser<number | false>(reading((text) => parseDuration(text, MAX_WAIT))),
      ),
    )
    .addOption(new Option("--no-wait", "do not wait for that"));
}

/** `--drain`. */
export const drainOption = () =>
  new Option(
    "--drain",
    "first let a server finish its requests, for at most as long as --wait says",
  ).default(false);

/** Parses a whole number within a range. */
export function wholeNumberOption(
  { least, most, what }: { least: number; most: number; what: string },
): (text: string) => number {
  return reading((text) => {
    const number = /^\d+$/.test(text) ? Number(text) : NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidInputError(`not ${what} from ${least} to ${most}: ${JSON.stringify(text)}`);
  });
}

/** Ends a command that was used in a wrong way. */
export type Usage = Pick<CommandUnknownOpts, "error">;
