/**
 * The JSON schema of `ensemble.jsonc`, made from the fields that are read. It is published with the
 * package, and `gxensemble config init` writes it beside the configuration, where editors find it.
 *
 * @module
 */
import { FILE_SHAPE, ROLE_SHAPE } from "./fields.ts";
import type { JsonSchema } from "./shapes.ts";

/** The name of the schema's file. */
export const SCHEMA_FILE = "ensemble.schema.json";

/** Makes the schema. Editors support draft 7 best. */
export function configurationSchema(): JsonSchema {
  const definitions = new Map<string, JsonSchema>();
  const schema = withReferences(FILE_SHAPE.schema, definitions);
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Configuration of a host of an actor ensemble",
    description:
      "What the supervisor of a host runs: the registry, servers and workers. gxensemble config check reports what this schema cannot say.",
    // For editors: the file is JSON with comments.
    allowTrailingCommas: true,
    ...schema,
    definitions: Object.fromEntries(definitions),
  };
}

/** Replaces the fields that servers, workers, roles and the registry share by references. */
function withReferences(schema: JsonSchema, definitions: Map<string, JsonSchema>): JsonSchema {
  const replace = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(replace);
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(
      Object.entries(part).map(([keyword, value]) => [
        keyword,
        keyword === "properties" ? replaceFields(value) : replace(value),
      ]),
    );
  };
  const replaceFields = (fields: Readonly<Record<string, JsonSchema>>) =>
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => {
        if (!isShared(name, field)) return [name, replace(field)];
        if (!definitions.has(name)) definitions.set(name, replace(field) as JsonSchema);
        return [name, { $ref: `#/definitions/${name}` }];
      }),
    );
  return replace(schema) as JsonSchema;
}

/** Whether a field of a role is the same in all that have it. */
function isShared(name: string, field: JsonSchema): boolean {
  const shared = (ROLE_SHAPE.schema.properties as Readonly<Record<string, JsonSchema>>)[name];
  return shared !== undefined && JSON.stringify(shared) === JSON.stringify(field);
}

/** The text of the schema's file. */
export function schemaText(): string {
  return `${JSON.stringify(configurationSchema(), undefined, 2)}\n`;
}
