/**
 * Writes what is made from the fields of a configuration: the JSON schema that is published with
 * the package, and the tables of docs/configuration.md.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { FILE_SHAPE } from "../supervisor/configuration/fields.ts";
import { SCHEMA_FILE, schemaText } from "../supervisor/configuration/schema.ts";
import type { Field, Fields, Shape } from "../supervisor/configuration/shapes.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** The schema's file in the sources. */
export const SCHEMA_PATH = `${ROOT}supervisor/configuration/${SCHEMA_FILE}`;

/** The page with the tables. */
export const PAGE_PATH = `${ROOT}docs/configuration.md`;

/** The comments in the page around the table of a section: `<!-- fields of role -->`. */
const TABLE = /<!-- fields of (\w+) -->\n[^]*?\n<!-- end of fields -->/g;

/** Puts the tables of fields into the page. */
export function withTables(page: string): string {
  return page.replace(
    TABLE,
    (_, section: string) =>
      `<!-- fields of ${section} -->\n\n${table(section)}\n\n<!-- end of fields -->`,
  );
}

function table(section: string): string {
  const file = FILE_SHAPE.fields!;
  const role = file.roles!.shape.fields!;
  const sections: Readonly<Record<string, Fields>> = {
    file,
    role,
    server: without(file.servers!.shape.fields!, role),
    workers: without(file.workers!.shape.fields!, role),
    registry: without(file.registry!.shape.fields!, role),
    supervisor: file.supervisor!.shape.fields!,
  };
  const fields = sections[section];
  if (!fields) throw new Error(`no section of the configuration is called ${section}`);
  const depth = section === "file" ? 0 : Infinity;
  return [
    "| field | value | does | default |",
    "|---|---|---|---|",
    ...rows(fields, { prefix: "", depth }),
  ].join("\n");
}

function without(fields: Fields, others: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([name, field]) => others[name] !== field),
  );
}

function* rows(
  fields: Fields,
  { prefix, depth }: { readonly prefix: string; readonly depth: number },
): Generator<string> {
  for (const [name, field] of Object.entries(fields)) {
    const { shape, description } = field;
    yield `| \`${prefix}${name}\` | ${cell(valueOf(shape))} | ${cell(description)} | ${
      cell(defaultOf(field))
    } |`;
    if (depth > 0 && shape.fields && !isMap(shape)) {
      yield* rows(shape.fields, { prefix: `${prefix}${name}.`, depth: depth - 1 });
    }
  }
}

/** Whether the names of an object are free. */
function isMap({ schema }: Shape<unknown>): boolean {
  return "propertyNames" in schema;
}

/** What is expected, without the examples that errors give. */
function valueOf({ expected }: Shape<unknown>): string {
  return expected.replace(/, such as .*?(?=, or a list|$)/g, "")
    .replace("an object with fields", "an object: see below");
}

function defaultOf({ default: fallback, otherwise, isRequired }: Field<unknown>): string {
  if (isRequired) return "required";
  return fallback === undefined ? otherwise ?? "" : `\`${JSON.stringify(fallback)}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "\\<");
}

if (import.meta.main) {
  await Deno.writeTextFile(SCHEMA_PATH, schemaText());
  await Deno.writeTextFile(PAGE_PATH, withTables(await Deno.readTextFile(PAGE_PATH)));
}
