/**
 * The layout of the help of `gxensemble`, its commands, and `ensemble-registry`.
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
import { ArgumentUnless, passesOptionsThrough, variablesOf } from "./declaration.ts";
import { GLOBAL_OPTIONS, SEVERAL_SERVERS } from "./options.ts";

/**
 * The width of the help if it is not printed on a terminal, or the terminal does not report its
 * width.
 */
const DEFAULT_WIDTH = 80;

/** The minimum width of the column of descriptions; if there is less, they go below their terms. */
const NARROWEST_COLUMN = 30;

/** Placeholder for a non-breaking space while lines are wrapped. */
const UNBROKEN_SPACE = "\0";

/** Commander's configuration for this layout. */
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
 * Formats the examples at the end of a command's help, for commander's `addHelpText`: a purpose as
 * a shell comment, and below it the command lines, unwrapped so that they can be copied.
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
  // A single command also has the root's options.
  const options = command.parent === null ? helper.visibleOptions(command) : command.options;
  const inGroup = (heading: string | undefined) =>
    options.filter(({ helpGroupHeading }) => helpGroupHeading === heading).map(describeOption);
  const own = new Set(options.map(({ helpGroupHeading }) => helpGroupHeading ?? GLOBAL_OPTIONS));
  for (const heading of [SEVERAL_SERVERS, GLOBAL_OPTIONS]) own.delete(heading);
  const headings = [SEVERAL_SERVERS, ...own, GLOBAL_OPTIONS];
  return [
    [formatUsage(command, helper), indent(7, command.description(), helper)],
    formatCommands(command, helper),
    formatItems("Command Options:", inGroup(undefined), helper),
    formatItems("Arguments:", command.registeredArguments.map(describeArgument), helper),
    ...headings.map((heading) => formatItems(heading, inGroup(heading), helper)),
  ];
}

function isGlobal(option: Option): boolean {
  return option.helpGroupHeading === GLOBAL_OPTIONS;
}

/** Formats the environment variables that determine the defaults of a command's options. */
function formatEnvironment(command: CommandUnknownOpts, helper: Help): string[] {
  const variables = new Map(command.options.flatMap(variablesOf).map((each) => [each[0], each]));
  const items = [...variables.values()].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, meaning, fallback]) => [name, withDefault(meaning, fallback)]);
  return formatItems("Environment:", items, helper);
}

/** The command line of a command, including the executable's name. */
function fullName(command: CommandUnknownOpts): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

/** Formats the usage. Continuation lines are indented deeper than the description below. */
function formatUsage(command: CommandUnknownOpts, helper: Help): string {
  const parts = [
    ...(command.commands.length > 0 ? ["<command>", "command-arg ..."] : []),
    ...(command.options.some((option) => !isGlobal(option)) ? ["[command-option ...]"] : []),
    ...command.registeredArguments.map((argument) =>
      // The arguments of a program: the command does not know whether they are optional.
      argument.variadic && passesOptionsThrough(command)
        ? `<${argument.name()}> ...`
        : formatArgumentUsage(argument)
    ),
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
  // Without the command help that commander adds.
  const commands = helper.visibleCommands(parent).filter((each) => parent.commands.includes(each));
  const items = commands.map((command) => [command.name(), command.description()]);
  return formatItems("Commands:", items, helper);
}

/** `<server-id>`, `[<actor-id>]` if optional, both with ` ...` if repeatable. */
function formatArgumentUsage(argument: Argument): string {
  const name = `<${argument.name()}>${argument.variadic ? " ..." : ""}`;
  return argument.required || argument instanceof ArgumentUnless ? name : `[${name}]`;
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
