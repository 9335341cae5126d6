/**
 * What the `ensemble-registry` executable does with its arguments.
 *
 * @module
 */
import { registryCommand } from "./commands/registry.ts";
import type { Examples } from "./kit/help.ts";
import { runSingleCommand } from "./kit/command_line.ts";
import { formatVersion } from "./kit/build.ts";

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
  const version = formatVersion("ensemble-registry");
  return await runSingleCommand(registryCommand("ensemble-registry"), {
    args,
    version,
    examples: EXAMPLES,
  });
}
