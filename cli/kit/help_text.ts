/**
 * The form of the help texts, which is the one of the tutorial: of `gxensemble`, its commands, and
 * `ensemble-registry`.
 *
 * @module
 */
import type {
  Argument,
  CommandUnknownOpts,
  Help,
  HelpConfiguration,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { ArgumentUnlessListing, variablesOf } from "./declaration.ts";
import { GLOBAL_OPTIONS } from "./options.ts";

/** The width of the help where it is not printed on a terminal, or on one that does not say. */
const DEFAULT_WIDTH = 80;

/** Descriptions stand beside what they describe only where they get this much room. */
const NARROWEST_COLUMN = 30;

/** Stands for a space at which no line is broken, until the lines are made. */
const UNBROKEN_SPACE = "\0";

/** What commander is configured with to write the help in this form. */
export const HELP_FORM: HelpConfiguration = {
  minWidthToWrap: 0,
  formatHelp(command, helper) {
    helper.helpWidth ||= DEFAULT_WIDTH;
    const isRoot = command.parent === null && command.commands.length > 0;
    return joinSections([
      ...(isRoot ? formatRoot(command, helper) : formatCommand(command, helper)),
      formatEnvironment(command, helper),
    ]).replaceAll(UNBROKEN_SPACE, " ");
  },
};

/**
 * The examples at the end of a command's help, to be given to commander's `addHelpText`: of each what it does, and the
 * command lines that do it. Those stay whole, to be copied; above them stands what they do, as a shell's comment.
 */
export function examples(
  ...all: [purpose: string, ...lines: string[]][]
): (context: { error: boolean; command: CommandUnknownOpts }) => string {
  return ({ error, command }) => {
    const { getErrHelpWidth, getOutHelpWidth } = command.configureOutput();
    const width = (error ? getErrHelpWidth : getOutHelpWidth)?.() || DEFAULT_WIDTH;
    const helper = command.createHelp();
    const lines = all.flatMap(([purpose, ...lines]) => [
      helper.boxWrap(purpose, width - 4).replace(/^/gm, "  # "),
      ...lines.map((line) => `  ${line}`),
    ]);
    return ["\nExamples:", ...lines].join("\n");
  };
}

function formatRoot(root: CommandUnknownOpts, helper: Help): string[][] {
  return [
    [`${root.name()}: ${root.description()}`],
    [`Usage: ${root.name()} <command> command-arg ...`],
    formatCommands(root, helper),
    formatItems("Options:", helper.visibleOptions(root).map(describeOption), helper),
  ];
}

function formatCommand(command: CommandUnknownOpts, helper: Help): string[][] {
  // A command that stands alone has options that the others leave to the root.
  const options = command.parent === null ? helper.visibleOptions(command) : command.options;
  const own = options.filter((option) => !isGlobal(option));
  return [
    [formatUsage(command, helper), indent(7, command.description(), helper)],
    formatCommands(command, helper),
    formatItems("Command Options:", own.map(describeOption), helper),
    formatItems("Arguments:", command.registeredArguments.map(describeArgument), helper),
    formatItems(GLOBAL_OPTIONS, options.filter(isGlobal).map(describeOption), helper),
  ];
}

function isGlobal(option: Option): boolean {
  return option.helpGroupHeading === GLOBAL_OPTIONS;
}

/** The variables that make the defaults of a command's options what they are, each once. */
function formatEnvironment(command: CommandUnknownOpts, helper: Help): string[] {
  const variables = new Map(command.options.flatMap(variablesOf).map((each) => [each[0], each]));
  const items = [...variables.values()].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, meaning, fallback]) => [name, withDefault(meaning, fallback)]);
  return formatItems("Environment:", items, helper);
}

/** What is typed for a command, from the name of the executable on. */
function fullName(command: CommandUnknownOpts): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

/** The usage; what does not fit on its line goes on further in than the description below. */
function formatUsage(command: CommandUnknownOpts, helper: Help): string {
  const parts = [
    ...(command.commands.length > 0 ? ["<command>", "command-arg ..."] : []),
    ...(command.options.some((option) => !isGlobal(option)) ? ["[command-option ...]"] : []),
    ...command.registeredArguments.map(formatArgumentUsage),
  ];
  let text = "";
  let line = `Usage: ${fullName(command)}`;
  for (const part of parts) {
    if (line.length + 1 + part.length > helper.helpWidth!) {
      text += `${line}\n`;
      line = `${" ".repeat(10)} ${part}`;
    } else line += ` ${part}`;
  }
  return text + line;
}

function formatCommands(parent: CommandUnknownOpts, helper: Help): string[] {
  // Without the command help that commander adds to those that have commands.
  const commands = helper.visibleCommands(parent).filter((each) => parent.commands.includes(each));
  const items = commands.map((command) => [command.name(), command.description()]);
  return formatItems("Commands:", items, helper);
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
  const text = fallback === undefined ? description : `${description} [default: ${fallback}]`;
  return text.replace(/\[default: (?=\S+\])/, `[default:${UNBROKEN_SPACE}`);
}

function formatItems(heading: string, items: string[][], helper: Help): string[] {
  if (items.length === 0) return [];
  const width = Math.max(...items.map(([term]) => term!.length));
  const fits = helper.helpWidth! - width - 4 >= NARROWEST_COLUMN;
  return [
    heading,
    ...items.map(([term, description]) =>
      fits
        ? helper.formatItem(term!, width, description!, helper)
        : `  ${term}\n${indent(6, description!, helper)}`
    ),
  ];
}

function indent(columns: number, text: string, helper: Help): string {
  return helper.boxWrap(text, helper.helpWidth! - columns).replace(/^/gm, " ".repeat(columns));
}

function joinSections(sections: string[][]): string {
  return sections.filter((section) => section.length > 0)
    .map((section) => `${section.join("\n")}\n`).join("\n");
}
