import assert from "node:assert/strict";
import { formatInputError, InputError } from "../../../cli/repl/input_error.ts";

Deno.test("a syntax error is shown with its line and a mark below its column, tabs included", () => {
  const error = new InputError("Expression expected", { line: 2, column: 13 });
  assert.equal(
    formatInputError(error, "one\r\n\t\tconst a = ;\r\nthree"),
    "Uncaught SyntaxError: Expression expected (2:13)\n  \t\tconst a = ;\n  \t\t          ^",
  );
});
