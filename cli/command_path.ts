/**
 * What is typed for a command: its name after those of the commands that it belongs to.
 *
 * @module
 */
import type { CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";

/** Writes what is typed for a command: `ca setup`; nothing for the program itself. */
export function commandPath(command: CommandUnknownOpts): string {
  if (command.parent === null) return "";
  return `${commandPath(command.parent)} ${command.name()}`.trimStart();
}

/** The program's commands, those that belong to others included. */
export function allCommands(program: CommandUnknownOpts): CommandUnknownOpts[] {
  return program.commands.flatMap((command) => [command, ...allCommands(command)]);
}
