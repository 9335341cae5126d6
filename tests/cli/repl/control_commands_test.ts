import assert from "node:assert/strict";
import { isControlLine, parseControlLine } from "../../../cli/repl/control_commands.ts";
import { InvalidInputError } from "../../../runtime/errors.ts";

Deno.test("parseControlLine reads a command with or without parentheses, and a comment", () => {
  const cases: [line: string, name: string, args: string[]][] = [
    [",(import :tutorial/ensemble/handler)", "import", [":tutorial/ensemble/handler"]],
    [",(load ./handler.ts) ; load the code in the remote server", "load", ["./handler.ts"]],
    [",load -f ./handler.ts", "load", ["-f", "./handler.ts"]],
    ['  ,(load -l "npm:a b@1")', "load", ["-l", "npm:a b@1"]],
    [",(load npm:@scope/name@1)", "load", ["npm:@scope/name@1"]],
    [",(load npm:)", "load", ["npm:"]],
    [",(defined? f)", "defined?", ["f"]],
    [",q", "q", []],
    [",(q)", "q", []],
  ];
  for (const [line, name, args] of cases) {
    assert.ok(isControlLine(line));
    assert.deepEqual(parseControlLine(line), { name, args }, line);
  }
  assert.ok(!isControlLine("[1 ,2]"));
});

Deno.test("parseControlLine refuses a line that is not a control command", () => {
  for (const line of [",", ",()", ",(load (a))", ",(load"]) {
    assert.throws(() => parseControlLine(line), InvalidInputError, line);
  }
});
