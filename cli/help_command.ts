/**
 * The command `help`.
 *
 * @module
 */
import type { CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { commandPath, UsageError } from "./kit/command_line.ts";

/** Adds `help`, in place of commander's own, which takes the help of an unknown command for that of the program. */
export function addHelpCommand(program: CommandUnknownOpts): void {
  program.command("help").description("display help; help <command> for command help")
    .argument("[command]", "the command to display the help of")
    .allowExcessArguments() // The names of commands that belong to others.
    .action(async (_name, _options, help) => {
      let command = program;
      for (const [index, name] of help.args.entries()) {
        const next = command.commands.find((each) => each.name() === name);
        if (next !== undefined) command = next;
        else if (command.commands.length === 0) throw hasNoCommands(command);
        // Reports it, with the nearest command there is.
        else {
          await program.parseAsync(help.args.slice(0, index + 1), { from: "user" });
          return;
        }
      }
      command.outputHelp();
    });
}

function hasNoCommands(command: CommandUnknownOpts): UsageError {
  const path = commandPath(command);
  return new UsageError(`${path} has no commands of its own`, `gxensemble help ${path}`);
}
