import assert from "node:assert/strict";
import { changeServer } from "../../../supervisor/configuration/editing.ts";

const TEXT = `// The shop.
{
    "servers": {
        // Takes orders.
        "shop1": { "role": "shop", "args": ["8080"] }, // The first.
        "shop2": {
            "role": "shop", /* as the first */
        },
    },
}
`;

Deno.test("changeServer keeps comments and the indentation", () => {
  const changes = [
    { field: "args", value: ["8081"] },
    { field: "restart.policy", value: "transient" },
  ];
  assert.equal(
    changeServer(TEXT, { id: "shop1", changes }),
    TEXT.replace(
      '"args": ["8080"] }',
      '"args": ["8081"], "restart": { "policy": "transient" } }',
    ),
  );
});

Deno.test("changeServer adds and removes fields, in a file with CRLF and a byte order mark, too", () => {
  const text = `\ufeff${TEXT.replaceAll("\n", "\r\n")}`;
  const changed = changeServer(text, {
    id: "shop2",
    changes: [{ field: "env.A", value: "1" }, { field: "role", value: undefined }],
  });
  assert.ok(changed.startsWith("\ufeff// The shop.\r\n"));
  assert.ok(!/[^\r]\n/.test(changed));
  assert.match(changed, /"shop2": \{\s+"env": \{\s+"A": "1"\s+\}/);
});

Deno.test("changeServer keeps objects on one line there, with comments and trailing commas", () => {
  const change = (server: string, field: string, value: unknown) =>
    changeServer(`{ "servers": { "a": ${server} } }`, { id: "a", changes: [{ field, value }] })
      .slice('{ "servers": { "a": '.length, -" } }".length);
  assert.equal(change('{ "x": 1, }', "y", [1, {}]), '{ "x": 1, "y": [1, {}], }');
  assert.equal(
    change('{ "x": 1 /* one */ }', "y.z", "$&"),
    '{ "x": 1, "y": { "z": "$&" } /* one */ }',
  );
  assert.equal(
    change('{ "x": { "y": 1 } }', "x.y", { z: null }),
    '{ "x": { "y": { "z": null } } }',
  );
  assert.equal(change('{ "x": { "y": 1 } }', "x.z", true), '{ "x": { "y": 1, "z": true } }');
  assert.equal(change('{ "x": 1, "y": 2 }', "y", undefined), '{ "x": 1 }');
  assert.equal(change("{ }", "x.y", 1), '{ "x": { "y": 1 } }');
  assert.equal(change('{ "x": 1 }', "y", undefined), '{ "x": 1 }');
});

Deno.test("changeServer refuses a server that is not in the field servers", () => {
  assert.throws(() => changeServer(TEXT, { id: "shop3", changes: [] }), {
    message:
      /^shop3 is not in the field servers of the file; did you mean shop1 or shop2\?; one of a group/,
  });
  assert.throws(
    () => changeServer(TEXT, { id: "shop1", changes: [{ field: "a..b", value: 1 }] }),
    { message: 'not a field: "a..b"' },
  );
});
