/**
 * The form of the help texts, which is the one of the tutorial.
 *
 * @module
 */
import type {
  Argument,
  CommandUnknownOpts,
  Help,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { commandPath } from "./command_path.ts";
import { ArgumentUnlessListing } from "./options.ts";

/** Says in one line what the whole program is. */
const TITLE = "gxensemble: the Actor Ensemble Manager";

/** Writes the help of the program or of one of its commands; commander calls it. */
export function formatHelp(command: CommandUnknownOpts, helper: Help): string {
  return command.parent === null
    ? formatProgramHelp(command, helper)
    : formatCommandHelp(command, helper);
}

function formatProgramHelp(program: CommandUnknownOpts, helper: Help): string {
  const options = helper.visibleOptions(program).map(describeOption);
  return joinSections([
    [TITLE],
    ["Usage: gxensemble <command> command-arg ..."],
    formatCommands(program, helper),
    formatItems("Options:", options, helper),
  ]);
}

function formatCommandHelp(command: CommandUnknownOpts, helper: Help): string {
  const usage = [
    `gxensemble ${commandPath(command)}`,
    ...(command.commands.length > 0 ? ["<command> command-arg ..."] : []),
    ...(command.options.length > 0 ? ["[command-option ...]"] : []),
    ...command.registeredArguments.map(formatArgumentUsage),
  ];
  return joinSections([
    [`Usage: ${usage.join(" ")}`, indentDescription(command.description(), helper)],
    formatCommands(command, helper),
    formatItems("Command Options:", command.options.map(describeOption), helper),
    formatItems("Arguments:", command.registeredArguments.map(describeArgument), helper),
  ]);
}

function formatCommands(parent: CommandUnknownOpts, helper: Help): string[] {
  const commands = parent.commands.map((command) => [command.name(), command.description()]);
  return formatItems("Commands:", commands, helper);
}

/** Puts the description under the name of the program in the usage. */
function indentDescription(description: string, helper: Help): string {
  const indent = " ".repeat("Usage: ".length);
  return helper.boxWrap(description, (helper.helpWidth ?? 80) - indent.length)
    .replace(/^/gm, indent);
}

/** `<server-id>`, `[<actor-id>]` when it may be left out, `<main-args> ...` when it repeats. */
function formatArgumentUsage(argument: Argument): string {
  const name = `<${argument.name()}>`;
  if (argument.variadic) return `${name} ...`;
  return argument.required || argument instanceof ArgumentUnlessListing ? name : `[${name}]`;
}

function describeArgument(argument: Argument): string[] {
  const fallback = argument.defaultValueDescription;
  return [argument.name(), withDefault(argument.description, fallback)];
}

function describeOption(option: Option): string[] {
  return [
    option.flags.replace(", ", " "),
    withDefault(option.description, option.defaultValueDescription),
  ];
}

function withDefault(description: string, fallback: string | undefined): string {
  return fallback === undefined ? description : `${description} [default: ${fallback}]`;
}

function formatItems(heading: string, items: string[][], helper: Help): string[] {
  if (items.length === 0) return [];
  const width = Math.max(...items.map(([term]) => term!.length));
  return [
    heading,
    ...items.map(([term, description]) => helper.formatItem(term!, width, description!, helper)),
  ];
}

function joinSections(sections: string[][]): string {
  return sections.filter((section) => section.length > 0)
    .map((section) => `${section.join("\n")}\n`).join("\n");
}
