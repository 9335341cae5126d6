/**
 * `gxensemble help`, in place of commander's own, which takes the help of an unknown command for that of the root.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { commandPath, rootOf } from "../kit/command_line.ts";
import { completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";

/** Prints the help of a command. */
export function helpCommand(): CommandUnknownOpts {
  return new Command("help").description("display help; help <command> for command help")
    .addArgument(
      completing("commands", new Argument("[command]", "the command to display the help of")),
    )
    .allowExcessArguments() // The names of commands that belong to others.
    .addHelpText(
      "after",
      examples([
        "of a command, and of one that belongs to another",
        "gxensemble help run",
        "gxensemble help ca cert",
      ]),
    )
    .action(async (_name, _options, help) => {
      const root = rootOf(help);
      let command = root;
      for (const [index, name] of help.args.entries()) {
        const next = command.commands.find((each) => each.name() === name);
        if (next !== undefined) command = next;
        else if (command.commands.length === 0) {
          command.error(`${commandPath(command)} has no commands of its own`);
        } else {
          // Reports it, with the nearest command there is.
          await root.parseAsync(help.args.slice(0, index + 1), { from: "user" });
          return;
        }
      }
      command.outputHelp();
    });
}
