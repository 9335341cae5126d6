/**
 * `gxensemble help`. It replaces commander's own, which shows the root's help for an unknown
 * command.
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
      completing("commands", new Argument("[command]", "the command whose help to display")),
    )
    .allowExcessArguments() // The names of nested commands.
    .addHelpText(
      "after",
      examples([
        "show the help of a command, and of a command of a command",
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
          // Reports the unknown command, and suggests the nearest one.
          await root.parseAsync(help.args.slice(0, index + 1), { from: "user" });
          return;
        }
      }
      command.outputHelp();
    });
}
