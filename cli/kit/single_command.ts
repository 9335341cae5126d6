/**
 * Programs that are one command: `ensemble-registry`, and the executables of servers.
 *
 * @module
 */
import {
  CommanderError,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { visibleText } from "../../runtime/safe_text.ts";
import { writeErrors, writeOutput } from "../../runtime/home/standard_stream.ts";
import { type Examples, helpFormat } from "./help_format.ts";
import { addGerbilPath } from "./options.ts";

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
