import assert from "node:assert/strict";
import { formatInputError, InputError, InputMap } from "../../../cli/repl/parsed_input.ts";

Deno.test("a syntax error is shown with its line and a mark below the column, tabs included", () => {
  const error = new InputError("Expression expected", { line: 2, column: 13 });
  assert.equal(
    formatInputError(error, "one\r\n\t\tconst a = ;\r\nthree"),
    "Uncaught SyntaxError: Expression expected (2:13)\n  \t\tconst a = ;\n  \t\t          ^",
  );
});

Deno.test("InputMap maps positions in an expansion to the input, only for its own session", () => {
  const inputs = new InputMap("a.b");
  inputs.add(3, ({ line, column }) => ({ line: line - 1, column: column - 10 }));
  assert.equal(inputs.restore("at f (repl:a.b/3:2:15)"), "at f (repl:3:1:5)");
  assert.equal(inputs.restore("at repl:a.b/3"), "at repl:3");
  assert.equal(inputs.restore("at repl:a.b/4:1:1"), "at repl:4");
  assert.equal(inputs.restore("at repl:axb/3:2:15"), "at repl:axb/3:2:15");
  assert.equal(inputs.restore("(0 , f) is not a function"), "f is not a function");
});

Deno.test("InputMap keeps the latest thousand inputs", () => {
  const inputs = new InputMap("s");
  for (let input = 1; input <= 1001; input++) inputs.add(input, (position) => position);
  assert.equal(inputs.restore("repl:s/1:1:2 repl:s/2:1:2"), "repl:1 repl:2:1:2");
});
