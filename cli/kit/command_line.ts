/**
 * Command lines: running them, and what is said of those that make no sense.
 *
 * @module
 */
import {
  CommanderError,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { InvalidInputError } from "../../runtime/errors.ts";
import { writeErrors, writeOutput } from "../../runtime/home/standard_stream.ts";
import { visibleText } from "../../runtime/safe_text.ts";
import { type Examples, helpFormat } from "./help.ts";
import { addGerbilPath } from "./options.ts";

/** The command line is wrong: exit code 2. */
export class UsageError extends InvalidInputError {
  /** The class's name, also after the code was minified. */
  override name = "UsageError";

  /** What to type for the help that says how it is done right. */
  readonly help: string;

  /** Takes the message without its `error: `. */
  constructor(message: string, help: string) {
    super(message);
    this.help = help;
  }
}

/** Commander's own report of an unknown option, which it does not declare. */
interface Reporting {
  unknownOption(flag: string): void;
}

/** What commander reports is the person's mistake, unless it printed the help or the version. */
export function asUsageError(error: CommanderError, command: CommandUnknownOpts): Error {
  if (error.exitCode === 0 || error.code === "commander.help") return error;
  const help = `gxensemble help ${commandPath(command)}`.trimEnd();
  const message = error.message.replace(/^error: /, "").replace("\n(Did you", " (Did you");
  return new UsageError(message + findHint(error, command), help);
}

/** A hint where commander, which compares whole words, has none. */
function findHint(error: CommanderError, command: CommandUnknownOpts): string {
  const [, unknown = ""] = /^error: unknown \w+ '(.+)'$/s.exec(error.message) ?? [];
  if (error.code === "commander.unknownCommand") return suggestCommands(unknown, command);
  if (error.code !== "commander.unknownOption" || !unknown.startsWith("-")) return "";
  const [flag] = unknown.split("=");
  if (flag !== unknown) (command as unknown as Reporting).unknownOption(flag!);
  const takers = allCommands(command).filter(({ options }) =>
    options.some((option) => option.short === flag || option.long === flag)
  );
  return takers.length > 0 ? " (options come after the command that they belong to)" : "";
}

/** Commands of which only a part was typed, or that belong to another. */
function suggestCommands(typed: string, parent: CommandUnknownOpts): string {
  const near = allCommands(parent).filter((command) => {
    const name = command.name();
    return command.parent === parent
      ? name.split("-").includes(typed) || (typed.length > 1 && name.startsWith(typed))
      : name === typed;
  }).map(commandPath);
  if (near.length === 0) return "";
  return ` (Did you mean ${near.length > 1 ? "one of " : ""}${near.join(", ")}?)`;
}

/** Writes what is typed for a command: `ca setup`; nothing for the program itself. */
export function commandPath(command: CommandUnknownOpts): string {
  if (command.parent === null) return "";
  return `${commandPath(command.parent)} ${command.name()}`.trimStart();
}

/** The program's commands, those that belong to others included. */
export function allCommands(program: CommandUnknownOpts): CommandUnknownOpts[] {
  return program.commands.flatMap((command) => [command, ...allCommands(command)]);
}

/** What a program has besides its command. */
export interface ProgramOptions {
  /** The arguments after the name of the program. */
  readonly args: readonly string[];
  /** What `--version` prints. */
  readonly version: string;
  /** The examples at the end of its help. */
  readonly examples: Examples;
}

/**
 * Runs a program that is one command, named as the program is.
 *
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage.
 */
export async function runSingleCommand(
  command: CommandUnknownOpts,
  { args, version, examples }: ProgramOptions,
): Promise<number> {
  const name = command.name();
  command.version(version, "-V, --version", "display the version and the build")
    .addHelpOption(new Option("-h, --help", "display help"))
    .configureHelp(helpFormat(examples))
    .configureOutput({
      writeOut: writeOutput,
      outputError: (text) => {
        const error = text.trimEnd().replace("\n(Did you", " (Did you");
        writeErrors(`${name}: ${visibleText(error)}\nsee ${name} --help\n`);
      },
    })
    .exitOverride();
  addGerbilPath(command);
  try {
    await command.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    // Commander has printed it.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    writeErrors(`${name}: error: ${visibleText((error as Error).message)}\n`);
    return 1;
  }
}
