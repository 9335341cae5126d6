import assert from "node:assert/strict";
import { Ajv } from "npm:ajv@^8.20.0";
import { parse } from "npm:jsonc-parser@^3.3.1";
import { PAGE_PATH, SCHEMA_PATH, withTables } from "../../../scripts/configuration_reference.ts";
import { FIRST_CONFIGURATION } from "../../../supervisor/configuration/first_configuration.ts";
import { configurationSchema, schemaText } from "../../../supervisor/configuration/schema.ts";
import type { JsonSchema } from "../../../supervisor/configuration/shapes.ts";
import { ConfigurationDirectory } from "./configuration_directory.ts";
import { MISTAKES } from "./mistakes.ts";

// Any unknown keyword is an error.
const validator = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true });
// Of editors that know JSON with comments.
validator.addKeyword("allowTrailingCommas");
const validate = validator.compile(configurationSchema());

/** The file's value for a validator, which knows no comments. */
const valueIn = (text: string) => parse(text, [], { allowTrailingComma: true });

Deno.test("the schema is valid by its own meta schema", () => {
  assert.ok(validator.validateSchema(configurationSchema()), validator.errorsText());
});

Deno.test("the published schema and the tables of the page are made from the fields", () => {
  const how = "run deno run -A scripts/configuration_reference.ts";
  assert.equal(Deno.readTextFileSync(SCHEMA_PATH), schemaText(), how);
  const page = Deno.readTextFileSync(PAGE_PATH);
  assert.equal(withTables(page), page, how);
});

Deno.test("the schema accepts the examples of the page, and the reader does, too", async () => {
  using directory = new ConfigurationDirectory();
  const page = Deno.readTextFileSync(PAGE_PATH);
  const examples = Array.from(
    page.matchAll(/```jsonc\n(\/\/ \S+\n\{.*?)```/gs),
    ([, text]) => text!,
  );
  assert.ok(examples.length >= 3, `${examples.length} examples`);
  for (const text of [FIRST_CONFIGURATION, ...examples]) {
    const isWrong = text.startsWith("// wrong");
    assert.equal(
      validate(valueIn(text)),
      !isWrong,
      `${text}\n${validator.errorsText(validate.errors)}`,
    );
    const { problems } = await directory.read(text, { HOME: "/home/me" });
    assert.equal(problems.length > 0, isWrong, JSON.stringify(problems));
  }
});

Deno.test("the schema refuses what a schema can, of every mistake that the reader finds", () => {
  for (const { name, text, isInSchema = false } of MISTAKES) {
    let value;
    try {
      value = valueIn(text.slice(0, 1_000));
    } catch {
      continue;
    }
    if (value === undefined || name.startsWith("nesting")) continue;
    const isSyntax = !isInSchema && !validate(value);
    if (isSyntax) {
      assert.match(name, /unclosed|comma|quotation|without its end|after the end/, name);
    }
    if (isInSchema) assert.ok(!validate(value), name);
  }
});

Deno.test("every field has a description, in the schema, too", () => {
  let count = 0;
  const visit = (schema: unknown): void => {
    if (typeof schema !== "object" || schema === null) return;
    const { properties = {} } = schema as { properties?: Record<string, JsonSchema> };
    for (const [name, field] of Object.entries(properties)) {
      count++;
      if (field.$ref === undefined) assert.match(String(field.description), /^[^]{5,}\.$/, name);
    }
    for (const part of Object.values(schema)) visit(part);
  };
  visit(configurationSchema());
  assert.ok(count > 100, `${count} fields`);
});

Deno.test("the schema accepts everything that the reader accepts", async () => {
  using directory = new ConfigurationDirectory();
  const fields = [
    ...[{ grace: 0 }, { grace: ".5s" }, { grace: "${G:-1}s" }, { grace: "${G:-1}" }],
    ...[{ memoryLimit: "1.5 GiB" }, { memoryLimit: 1e9 }, { memoryLimit: "${M:-64MiB}" }],
    ...[{ http: 9100 }, { http: "9100" }, { http: "127.0.0.1:9100" }, { http: ":9100" }],
    ...[{ health: true }, { health: false }, { health: {} }, { health: { failures: "${F:-2}" } }],
    ...[{ restart: "temporary" }, { restart: {} }, { restart: { backoff: { factor: 1.5 } } }],
    ...[{ restart: "${R:-transient}" }, { loader: "${L:-true}" }, { log: { level: "${L:-WARN}" } }],
    ...[{ env: { A: "", B: { file: "secret.txt" } } }, {
      listen: ['(tcp: "a:1")', "tcp://a:2 tcp://a:3"],
    }],
    ...[{ deny: ["run", "write=/etc"] }, { capabilities: { given: { "role:r": ["jobs:run"] } } }],
    ...[{ user: "0" }, { roles: ["a b", "ä"] }, { args: ["$${a}"] }, { host: "${H:-host1}" }],
  ];
  for (const field of fields) {
    const value = {
      roles: { r: { module: "svc.ts" } },
      servers: { a: { role: "r", ...field } },
      workers: [{ role: "r", prefix: "w", count: "${N:-1}" }],
    };
    const { problems } = await directory.read(value);
    const errors = problems.filter(({ severity }) => severity === "error")
      // Only root may name a user.
      .filter(({ path }) => !path.endsWith(".user"));
    assert.deepEqual(errors, [], JSON.stringify(field));
    assert.ok(
      validate(value),
      `${JSON.stringify(field)}: ${validator.errorsText(validate.errors)}`,
    );
  }
});

Deno.test("a configuration of a thousand servers is read and validated", async () => {
  using directory = new ConfigurationDirectory();
  const ids = Array.from({ length: 1_000 }, (_, index) => `s${index}`);
  const value = {
    roles: { base: { module: "svc.ts", health: true }, web: { module: "svc.ts", after: ["base"] } },
    servers: Object.fromEntries(
      ids.map((id, index) => [id, { role: index < 500 ? "base" : "web", args: [id] }]),
    ),
  };
  const { configuration, problems } = await directory.read(value);
  assert.deepEqual(problems, []);
  assert.equal(configuration!.servers.length, 1_000);
  assert.equal(configuration!.servers[999]!.after.length, 500);
  assert.ok(validate(value));
});
