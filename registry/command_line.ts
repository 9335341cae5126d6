/**
 * What the `ensemble-registry` executable does with its arguments.
 *
 * @module
 */
import { CommanderError, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { visibleText } from "../runtime/control_characters.ts";
import { registryCommand } from "./command.ts";
import { type Examples, helpFormat } from "./help_format.ts";
import { addGerbilPath } from "./options.ts";
import { formatVersion } from "./version.ts";

const EXAMPLES: Examples = {
  "ensemble-registry": [
    ["for the servers of this host", "ensemble-registry"],
    [
      "for other hosts too, with its log in a file of its own",
      "ensemble-registry -l tcp://10.0.0.1:4000 --log-file -",
    ],
  ],
};

/**
 * Runs the registry as the command line says.
 *
 * @param args the arguments after the name of the program.
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage.
 */
export async function runCommandLine(args: string[]): Promise<number> {
  const command = registryCommand("ensemble-registry")
    .version(
      formatVersion("ensemble-registry"),
      "-V, --version",
      "display the version and the build",
    )
    .addHelpOption(new Option("-h, --help", "display help"))
    .configureHelp(helpFormat(EXAMPLES))
    .configureOutput({
      outputError: (text, write) => {
        const error = text.trimEnd().replace("\n(Did you", " (Did you");
        write(`ensemble-registry: ${visibleText(error)}\nsee ensemble-registry --help\n`);
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
    console.error(`ensemble-registry: error: ${visibleText((error as Error).message)}`);
    return 1;
  }
}
