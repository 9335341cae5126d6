/**
 * Runs command lines and reports usage errors.
 *
 * @module
 */
import {
  CommanderError,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import {
  DisconnectedError,
  EnsembleError,
  InvalidInputError,
  TimeoutError,
} from "../../runtime/errors.ts";
import { HELP_FORM } from "./help_text.ts";
import { addGerbilPath } from "./options.ts";
import { helpWidth, printError, printErrorText, printNotice, printText } from "./output.ts";

/** The command line is wrong: exit code 2. */
export class UsageError extends InvalidInputError {
  /** The class's name, also after the code was minified. */
  override name = "UsageError";

  /** The command line that shows the relevant help. */
  readonly help: string;

  /** Creates the error from a message without `error: `. */
  constructor(message: string, help: string) {
    super(message);
    this.help = help;
  }
}

/**
 * Adds what all commands have to a command tree: the help's layout, `--help`, `--gerbil-path`, and
 * `--version` at the root.
 *
 * Its `parseAsync` then runs a command line. It rejects with a {@linkcode UsageError} for wrong
 * usage, including calls of `command.error`, with a `CommanderError` after the help or the version
 * was printed, and with any error that the command throws.
 */
export function asRoot(root: CommandUnknownOpts, version: string): CommandUnknownOpts {
  root.version(version, "-V, --version", "display the version and the build");
  const isTree = root.commands.length > 0;
  const help = isTree ? "display help; after a command, its help" : "display help";
  for (const command of [root, ...allCommands(root)]) {
    command.addHelpOption(new Option("-h, --help", help))
      .helpCommand(false)
      .enablePositionalOptions()
      .configureHelp(HELP_FORM)
      .configureOutput({
        writeOut: printText,
        writeErr: printErrorText,
        getOutHelpWidth: () => helpWidth(Deno.stdout),
        getErrHelpWidth: () => helpWidth(Deno.stderr),
        getOutHasColors: () => false, // The help has none.
        getErrHasColors: () => false,
        outputError: () => {}, // runCommandLine prints all errors, including commander's.
      })
      .exitOverride((error) => {
        throw asUsageError(error, command);
      });
    addGerbilPath(command);
  }
  return root;
}

/**
 * Runs a command line.
 *
 * @param root the command, or the tree of commands, from {@linkcode asRoot}.
 * @param args the arguments after the name of the executable.
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage.
 */
export async function runCommandLine(
  root: CommandUnknownOpts,
  args: readonly string[],
): Promise<number> {
  const name = root.name();
  let logLevel: unknown;
  root.hook("preAction", (_, command) => {
    logLevel = command.opts().log;
  });
  try {
    await root.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      printError(error.message, name);
      printNotice(`see ${error.help}`);
      return 2;
    }
    // The help or the version was printed. Help for a command line without arguments is exit code
    // 2.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    reportFailure(await explain(error), { name, logLevel });
    return 1;
  }
}

/**
 * Adds which process did not answer while a server was started. For other commands, withConsole has
 * done so.
 */
async function explain(error: unknown): Promise<unknown> {
  const mayBeSilence = error instanceof DisconnectedError || error instanceof TimeoutError;
  if (!mayBeSilence || !error.silence) return error;
  const { explainSilence } = await import("./console.ts");
  return await explainSilence(error);
}

function reportFailure(
  error: unknown,
  { name, logLevel }: { name: string; logLevel: unknown },
): void {
  const isExpected = error instanceof EnsembleError;
  const message = error instanceof Error ? error.message : String(error);
  printError(isExpected ? message : `unexpected: ${message}`, name);
  if (logLevel === "debug") printNotice(Deno.inspect(error, { colors: false }));
  else if (!isExpected && logLevel !== undefined) printNotice("see where with --log DEBUG");
}

/** Converts commander's errors to usage errors, unless it printed the help or the version. */
function asUsageError(error: CommanderError, command: CommandUnknownOpts): Error {
  if (error.exitCode === 0 || error.code === "commander.help") return error;
  const hint = findHint(error, command);
  const [what, ...commanderHint] = error.message.replace(/^error: /, "").split("\n(Did you");
  const message = hint === "" ? [what, ...commanderHint].join(" (Did you") : what + hint;
  return new UsageError(message, helpCommand(command));
}

/**
 * The command line that shows a command's help: `gxensemble help ca setup`, or `ensemble-registry
 * --help`.
 */
function helpCommand(command: CommandUnknownOpts): string {
  const root = rootOf(command);
  if (root.commands.length === 0) return `${root.name()} --help`;
  return `${root.name()} help ${commandPath(command)}`.trimEnd();
}

/** Commander's own report of an unknown option, which it does not declare. */
interface Reporting {
  unknownOption(flag: string): void;
}

/**
 * A hint for cases in which commander, which compares whole words, has none, or that of a word that
 * only looks alike.
 */
function findHint(error: CommanderError, command: CommandUnknownOpts): string {
  if (error.code === "commander.unknownCommand") {
    const [, typed = ""] = /^error: unknown \w+ '(.+)'(?:\n|$)/.exec(error.message) ?? [];
    return suggestCommands(typed, command);
  }
  const [, unknown = ""] = /^error: unknown \w+ '(.+)'$/s.exec(error.message) ?? [];
  if (error.code !== "commander.unknownOption" || !unknown.startsWith("-")) return "";
  const [flag] = unknown.split("=");
  if (flag !== unknown) (command as unknown as Reporting).unknownOption(flag!);
  const takers = allCommands(command).filter(({ options }) =>
    options.some((option) => option.short === flag || option.long === flag)
  );
  return takers.length > 0 ? " (options come after the command that they belong to)" : "";
}

/** Suggests commands that were typed in part, or that are nested in another. */
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

/** Returns the path of a command without the executable's name: `ca setup`; empty for the root. */
export function commandPath(command: CommandUnknownOpts): string {
  if (command.parent === null) return "";
  return `${commandPath(command.parent)} ${command.name()}`.trimStart();
}

/** All commands below one, at any depth. */
export function allCommands(parent: CommandUnknownOpts): CommandUnknownOpts[] {
  return parent.commands.flatMap((command) => [command, ...allCommands(command)]);
}

/** The command at the top of the tree. */
export function rootOf(command: CommandUnknownOpts): CommandUnknownOpts {
  return command.parent ? rootOf(command.parent) : command;
}
