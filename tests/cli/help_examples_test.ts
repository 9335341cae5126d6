import assert from "node:assert/strict";
import { allCommands, commandPath } from "../../cli/kit/command_line.ts";
import { splitBashLine } from "../../cli/completion/typed_line.ts";
import { EXAMPLES } from "../../cli/help_examples.ts";
import { createProgram } from "../../cli/program.ts";

const LINES = Object.entries(EXAMPLES).flatMap(([name, examples]) =>
  examples.flatMap(([, ...lines]) => lines.map((line) => ({ name, line })))
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
    const program = createProgram();
    let ran: string | undefined;
    for (const command of allCommands(program)) {
      command.action(() => {
        ran = commandPath(command);
      });
    }
    await program.parseAsync(args, { from: "user" });
    assert.ok(ran !== undefined);
    // The example of `ca` is those of its commands.
    assert.ok(`gxensemble ${ran}`.startsWith(name), `an example of ${name} runs ${ran}`);
  });
}

Deno.test("every command has an example, and every example is of a command", () => {
  const names = allCommands(createProgram()).filter((command) => command.name() !== "complete")
    .map((command) => `gxensemble ${commandPath(command)}`);
  assert.deepEqual(Object.keys(EXAMPLES).sort(), names.sort());
  for (const [name, examples] of Object.entries(EXAMPLES)) {
    const lines = examples.flatMap(([, ...lines]) => lines);
    assert.ok(lines.some((line) => argumentsIn(line)), `${name}: ${lines}`);
  }
});
