import assert from "node:assert/strict";
import type { CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { allCommands, commandPath } from "../../cli/kit/command_line.ts";
import { splitBashLine } from "../../cli/completion/typed_line.ts";
import { commandTree } from "../../cli/command_tree.ts";

/** The command lines at the end of a command's help, without what they do. */
function examplesOf(command: CommandUnknownOpts): string[] {
  let help = "";
  command.configureOutput({ writeOut: (text) => void (help += text) }).outputHelp();
  const [, examples = ""] = help.split("\nExamples:\n");
  return examples.split("\n").filter((line) => line !== "" && !line.startsWith("  # "))
    .map((line) => line.trimStart());
}

const COMMANDS = allCommands(commandTree()).filter((command) => command.name() !== "complete");

const LINES = COMMANDS.flatMap((command) =>
  examplesOf(command).map((line) => ({ name: commandPath(command), line }))
);

/** The arguments of the `gxensemble` in a line, which may be in a pipe or a substitution; undefined without one. */
function argumentsIn(line: string): string[] | undefined {
  const [, inner = line] = /<\((.*)\)/.exec(line) ?? [];
  const command = inner.split(" | ").find((part) => part.startsWith("gxensemble "));
  return command === undefined ? undefined : splitBashLine(`${command} `).words.slice(1);
}

for (const { name, line } of LINES) {
  const args = argumentsIn(line);
  if (!args) continue;
  Deno.test(`an example that parses: ${line}`, async () => {
    const root = commandTree();
    let ran: string | undefined;
    for (const command of allCommands(root)) {
      command.action(() => {
        ran = commandPath(command);
      });
    }
    await root.parseAsync(args, { from: "user" });
    assert.ok(ran !== undefined);
    // The example of `ca` is those of its commands.
    assert.ok(ran.startsWith(name), `an example of ${name} runs ${ran}`);
  });
}

Deno.test("every command has an example", () => {
  for (const command of COMMANDS) {
    const lines = examplesOf(command);
    assert.ok(lines.some((line) => argumentsIn(line)), `${commandPath(command)}: ${lines}`);
  }
});
