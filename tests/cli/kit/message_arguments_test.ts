import assert from "node:assert/strict";
import { Command } from "npm:@commander-js/extra-typings@^15.1.0";
import { parseArguments, readMessage } from "../../../cli/kit/message_arguments.ts";

Deno.test("parseArguments reads values as JSON if they are, else as text", () => {
  const cases: [text: string, value: unknown][] = [
    ["3", 3],
    ["-0.5", -0.5],
    ["007", "007"],
    ["1e3", 1000],
    ["true", true],
    ["null", null],
    ["", ""],
    ["hello world", "hello world"],
    ['"3"', "3"],
    ["[1,2]", [1, 2]],
    ["[1,2", "[1,2"],
    ['{"a":{"b":1}}', { a: { b: 1 } }],
    ["a=b", "a=b"],
    ["NaN", "NaN"],
    ["9007199254740991", 9007199254740991],
    ["12345678901234567890", 12345678901234567890n],
    ["-9007199254740993", -9007199254740993n],
    ["[12345678901234567890]", [12345678901234567890n]],
    ["1e400", Infinity],
  ];
  for (const [text, value] of cases) {
    assert.deepEqual(parseArguments([`key=${text}`]), { key: value }, text);
  }
});

Deno.test("parseArguments takes keys as they are", () => {
  assert.deepEqual(parseArguments(["a.b=1", "c-d=2", "--e=3", "é f=4", "__proto__=5"]), {
    "a.b": 1,
    "c-d": 2,
    "--e": 3,
    "é f": 4,
    ["__proto__"]: 5,
  });
  assert.deepEqual(parseArguments([]), {});
});

Deno.test("parseArguments reads one JSON object", () => {
  assert.deepEqual(parseArguments([' {"amount": 3, "by": {"id": 12345678901234567890}}']), {
    amount: 3,
    by: { id: 12345678901234567890n },
  });
});

Deno.test("parseArguments explains wrong arguments", () => {
  const cases: [texts: string[], message: RegExp][] = [
    [["amount"], /^not an argument: "amount"; write key=value, or one JSON object$/],
    [["=3"], /^not an argument: "=3"/],
    [["a=1", "b=2", "a=3"], /^the argument "a" is given twice$/],
    [["{a:1}"], /^the argument is not JSON: /],
    [["[1]"], /^the argument is not a JSON object: "\[1\]"$/],
    [["a=1", '{"b":2}'], /^"\{.*is not alone: JSON takes the place of all arguments$/],
    [["a=1", "-"], /^- takes all arguments from standard input$/],
  ];
  for (const [texts, message] of cases) {
    assert.throws(() => parseArguments(texts), { name: "InvalidInputError", message });
  }
});

Deno.test("readMessage adds the type, which is given once", async () => {
  const command = new Command("call").exitOverride().configureOutput({ writeErr: () => {} });
  assert.deepEqual(await readMessage("add", ["amount=3"], command), { amount: 3, type: "add" });
  assert.deepEqual(await readMessage("get", [], command), { type: "get" });
  await assert.rejects(readMessage("add", ["type=x"], command), /the message's type is given once/);
  await assert.rejects(readMessage("", [], command), /the message's type is empty/);
});
