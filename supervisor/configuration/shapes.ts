/**
 * The shapes of values in a configuration. A shape reads a value with its checks, and has the JSON
 * schema for it, so that the two say the same.
 *
 * @module
 */
import type { Node, NodeType } from "npm:jsonc-parser@^3.3.1";
import { InvalidInputError } from "../../runtime/errors.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../runtime/measures.ts";
import { didYouMean, nearest } from "../../runtime/near_names.ts";
import { quoted } from "../../runtime/safe_text.ts";
import type { ConfigurationDocument, FieldPath, ReportOptions } from "./document.ts";
import type { Variables } from "./variables.ts";

/** A JSON schema, of draft 2020-12. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** A value in the file that is being read. */
export interface Place {
  /** The value. */
  readonly node: Node;
  /** Where it is. */
  readonly path: FieldPath;
  /** The file. It takes the problems. */
  readonly document: ConfigurationDocument;
  /** Expands the variables in texts. */
  readonly variables: Variables;
}

/** What a value may be. */
export interface Shape<out Value> {
  /** What is expected, for errors and tables: `a number from 0 to 100`. */
  readonly expected: string;
  /** The JSON types that it reads. */
  readonly types: readonly NodeType[];
  /** The schema. */
  readonly schema: JsonSchema;
  /** The fields of an object, or of each object in it, by name. */
  readonly fields?: Fields | undefined;
  /** Whether it takes any text. */
  readonly isFree?: boolean | undefined;
  /** Reads a value. Returns undefined after it has reported a problem. */
  read(place: Place): Value | undefined;
}

/** What a shape reads. */
export type ValueOf<Of> = Of extends Shape<infer Value> ? Value : never;

/** A field of an object. */
export interface Field<out Value> {
  /** What its value may be. */
  readonly shape: Shape<Value>;
  /** What it does, in one or two sentences. */
  readonly description: string;
  /** Its default, as it would be written in the file. */
  readonly default?: unknown;
  /** Its default in words, where it depends on something else. */
  readonly otherwise?: string;
  /** Whether it has to be there. */
  readonly isRequired?: boolean;
}

/** The fields of an object, by name. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** What the shape of an object reads. A field that is missing or wrong is absent. */
export type FieldValues<Own extends Fields> = {
  readonly [Name in keyof Own]?: Own[Name] extends Field<infer Value> ? Value : never;
};

/** Matches a text with a variable, which can be checked only when it is expanded. */
const VARIABLE = "\\$\\{";

/** A text with its checks. */
export function text(
  { expected, check = () => {}, pattern, examples, words, isFree = false }: {
    /** What is expected. */
    readonly expected: string;
    /** Throws an `InvalidInputError` if it is not valid. */
    readonly check?: (text: string) => unknown;
    /** What every valid text matches, for editors. */
    readonly pattern?: string;
    /** Examples, for editors. */
    readonly examples?: readonly string[];
    /** The most usual texts, for completion in editors. */
    readonly words?: readonly string[];
    /** Whether any text is valid, so that a number is meant as one. */
    readonly isFree?: boolean;
  },
): Shape<string> {
  return {
    expected,
    types: ["string"],
    isFree,
    schema: {
      type: "string",
      ...pattern !== undefined && { pattern: `^(?:${pattern})$|${VARIABLE}` },
      ...words && { anyOf: [{ enum: words }, {}] },
      ...examples && { examples },
    },
    read(place) {
      const given = place.variables.expand(place);
      if (!given) return undefined;
      // The value of an unset variable is checked where it is set.
      return !given.isExpanded || attempt(place, () => check(given.text)) ? given.text : undefined;
    },
  };
}

/** One of several words. */
export function word<Word extends string>(
  words: readonly Word[],
  { read = (text: string): Word | undefined => words.find((each) => each === text) } = {},
): Shape<Word> {
  const expected = `one of ${words.join(", ")}`;
  return {
    expected,
    types: ["string"],
    schema: { type: "string", anyOf: [{ enum: words }, { pattern: VARIABLE }] },
    read(place) {
      const given = place.variables.expand(place);
      if (!given?.isExpanded) return undefined;
      const found = read(given.text);
      if (found === undefined) {
        place.document.error(
          place.path,
          () =>
            `expected ${expected}, not ${quoted(given.text)}${
              didYouMean(nearest(given.text, words))
            }`,
        );
      }
      return found;
    },
  };
}

/** `true` or `false`. */
export function flag(): Shape<boolean> {
  return {
    expected: "true or false",
    types: ["boolean", "string"],
    schema: { anyOf: [{ type: "boolean" }, { type: "string", pattern: VARIABLE }] },
    read(place) {
      const value = scalar(place);
      if (value === undefined || typeof value === "boolean") return value;
      return mismatch(place, "true or false");
    },
  };
}

/** Only `true`: for a field that turns something on with its defaults. */
export function onlyTrue(): Shape<true> {
  return exactly(true);
}

/** Only `false`: for a field that turns something off that a role has. */
export function onlyFalse(): Shape<false> {
  return exactly(false);
}

function exactly<Value extends boolean>(only: Value): Shape<Value> {
  return {
    expected: `${only}`,
    types: ["boolean"],
    schema: { const: only },
    read: (place) => place.node.value === only ? only : mismatch(place, `${only}`),
  };
}

/** The bounds of a number, a duration in ms or a size in bytes, both included. */
export interface Bounds {
  /** The smallest. */
  readonly least: number;
  /** The largest. */
  readonly most: number;
}

/** A number in bounds; a whole one unless `isFraction`. */
export function number(
  { least, most, isFraction = false }: Bounds & { readonly isFraction?: boolean },
): Shape<number> {
  const expected = `a ${isFraction ? "" : "whole "}number from ${least} to ${most}`;
  const type = isFraction ? "number" : "integer";
  return {
    expected,
    types: ["number", "string"],
    schema: {
      anyOf: [{ type, minimum: least, maximum: most }, { type: "string", pattern: VARIABLE }],
    },
    read(place) {
      const value = scalar(place);
      if (value === undefined) return undefined;
      const isValid = typeof value === "number" && value >= least && value <= most &&
        (isFraction || Number.isInteger(value));
      return isValid ? value : mismatch(place, expected);
    },
  };
}

/** A duration, such as `"30s"`; a number is in seconds. Reads ms. */
export function duration({ least, most }: Bounds): Shape<number> {
  const expected = `a duration from ${formatDuration(least)} to ${formatDuration(most)}, such as ` +
    `"30s" or "10m"`;
  return {
    expected,
    types: ["string", "number"],
    schema: {
      anyOf: [
        { type: "number", minimum: least / 1000, maximum: most / 1000 },
        {
          type: "string",
          pattern: `^(?:\\d+(?:\\.\\d+)?|\\.\\d+)(?:ms|[smhd])?$|${VARIABLE}`,
          examples: ["500ms", "30s", "10m", "2h", "1d"],
        },
      ],
    },
    read(place) {
      const given = measure(place);
      if (given === undefined) return undefined;
      const isZero = /^0+(?:\.0+)?(?:ms|[smhd])?$/.test(given);
      if (isZero && least === 0) return 0;
      try {
        const value = isZero ? 0 : parseDuration(given, most);
        if (value >= least) return value;
      } catch (error) {
        if (!(error instanceof InvalidInputError)) throw error;
      }
      return mismatch(place, expected);
    },
  };
}

/** A size, such as `"512MiB"`; a number is in bytes. Reads bytes. */
export function size(bounds: Bounds): Shape<number> {
  const expected = `a size from ${formatSize(bounds.least)} to ${formatSize(bounds.most)}, such ` +
    `as "512MiB" or "2GB"`;
  return {
    expected,
    types: ["string", "number"],
    schema: {
      anyOf: [
        { type: "integer", minimum: bounds.least, maximum: bounds.most },
        {
          type: "string",
          pattern: `^\\d+(?:\\.\\d+)? ?(?:B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)?$|${VARIABLE}`,
          examples: ["64MiB", "512MiB", "2GiB"],
        },
      ],
    },
    read(place) {
      const given = measure(place);
      if (given === undefined) return undefined;
      try {
        return parseSize(given, bounds);
      } catch (error) {
        if (!(error instanceof InvalidInputError)) throw error;
        return mismatch(place, expected);
      }
    },
  };
}

/** A list. Reads all of it or nothing, so that indexes are those in the file. */
export function list<Item>(item: Shape<Item>, { most = 1_000 } = {}): Shape<Item[]> {
  return {
    expected: `a list, each item ${item.expected}`,
    types: ["array"],
    fields: item.fields,
    schema: { type: "array", items: item.schema, maxItems: most },
    read(place) {
      const items = place.node.children ?? [];
      if (items.length > most) {
        place.document.error(
          place.path,
          `too many items: ${items.length}; at most ${most} are allowed`,
        );
        return undefined;
      }
      const values = items.map((node, index) =>
        readAs(item, { ...place, node, path: [...place.path, index] })
      );
      return values.every((value): value is Item => value !== undefined) ? values : undefined;
    },
  };
}

/** An object whose names are free, within a check. */
export function map<Value>(
  value: Shape<Value>,
  { expected, checkName, namePattern }: {
    /** What is expected: `environment variables`. */
    readonly expected: string;
    /** Throws an `InvalidInputError` if a name is not valid. */
    readonly checkName: (name: string) => unknown;
    /** What every valid name matches, for editors. */
    readonly namePattern: string;
  },
): Shape<Record<string, Value>> {
  return {
    expected,
    types: ["object"],
    fields: value.fields,
    schema: {
      type: "object",
      propertyNames: { pattern: `^(?:${namePattern})$` },
      additionalProperties: value.schema,
    },
    read(place) {
      const values: [string, Value][] = [];
      for (const { name, node } of propertiesOf(place)) {
        const path = [...place.path, name];
        attempt({ ...place, path }, () => checkName(name), { atName: true });
        const read = readAs(value, { ...place, node, path });
        if (read !== undefined) values.push([name, read]);
      }
      return Object.fromEntries(values);
    },
  };
}

/** An object with known fields. */
export function object<Own extends Fields>(
  fields: Own,
  { expected = "an object with fields" } = {},
): Shape<FieldValues<Own>> {
  const names = Object.keys(fields);
  const required = names.filter((name) => fields[name]!.isRequired);
  return {
    expected,
    types: ["object"],
    fields,
    schema: {
      type: "object",
      properties: Object.fromEntries(
        Object.entries(fields).map(([name, field]) => [name, fieldSchema(field)]),
      ),
      ...required.length > 0 && { required },
      additionalProperties: false,
    },
    read(place) {
      const { document } = place;
      const values: [string, unknown][] = [];
      const properties = propertiesOf(place);
      for (const { name, node } of properties) {
        const path = [...place.path, name];
        if (!Object.hasOwn(fields, name)) {
          const message = () => `unknown field${unknownField(name, names)}`;
          document.error(path, message, { atName: true });
          continue;
        }
        const value = readAs(fields[name]!.shape, { ...place, node, path });
        if (value !== undefined) values.push([name, value]);
      }
      for (const name of required) {
        if (properties.some((property) => property.name === name)) continue;
        const { expected } = fields[name]!.shape;
        document.error(place.path, `the field ${name} is missing: ${expected}`);
      }
      return Object.fromEntries(values) as FieldValues<Own>;
    },
  };
}

/** One of several shapes, which differ by their JSON types. */
export function either<Shapes extends readonly Shape<unknown>[]>(
  ...shapes: Shapes
): Shape<ValueOf<Shapes[number]>> {
  const all = shapes.map((shape) => shape.expected);
  return {
    expected: all.length > 2
      ? `${all.slice(0, -1).join(", ")} or ${all.at(-1)}`
      : all.join(", or "),
    isFree: shapes.some(({ isFree }) => isFree),
    types: shapes.flatMap(({ types }) => types),
    fields: shapes.find(({ fields }) => fields)?.fields,
    schema: { anyOf: shapes.map(({ schema }) => schema) },
    read(place) {
      const { type, value } = place.node;
      const fitting = shapes.filter(({ types }) => types.includes(type));
      const shape = fitting.find(({ schema }) => schema.const === value) ?? fitting[0]!;
      return shape.read(place) as ValueOf<Shapes[number]> | undefined;
    },
  };
}

/** Reads a value if it has one of the shape's JSON types, and reports it otherwise. */
export function readAs<Value>(shape: Shape<Value>, place: Place): Value | undefined {
  const { type, value } = place.node;
  if (shape.types.includes(type)) return shape.read(place);
  const isPlain = type === "number" || type === "boolean";
  const meant = shape.isFree && isPlain
    ? `; write ${JSON.stringify(String(value))}`
    : shape.types.includes("array") && type === "string"
    ? `; write [${quoted(value)}]`
    : "";
  place.document.error(
    place.path,
    `expected ${shape.expected}, not ${describe(place.node)}${meant}`,
  );
}

/** The schema of a field, with all that an editor shows about it. */
function fieldSchema(
  { shape, description, default: fallback, otherwise }: Field<unknown>,
): JsonSchema {
  const end = fallback !== undefined
    ? ` Default: ${JSON.stringify(fallback)}.`
    : otherwise !== undefined
    ? ` Default: ${otherwise}.`
    : "";
  return {
    ...shape.schema,
    description: `${description}${end}`,
    ...fallback !== undefined && { default: fallback },
  };
}

function unknownField(name: string, names: readonly string[]): string {
  const suggestion = didYouMean(nearest(name, names));
  return suggestion === "" ? `; the fields here are ${names.join(", ")}` : suggestion;
}

/** The value of a number or a boolean, perhaps from a variable. */
function scalar(place: Place): unknown {
  if (place.node.type !== "string") return place.node.value;
  if (!String(place.node.value).includes("${")) return place.node.value;
  const given = place.variables.expand(place);
  if (!given?.isExpanded) return undefined;
  if (/^(?:true|false|-?\d+(?:\.\d+)?)$/.test(given.text)) return JSON.parse(given.text);
  return given.text;
}

/** The text of a duration or a size. */
function measure(place: Place): string | undefined {
  if (place.node.type === "number") return String(place.node.value);
  const given = place.variables.expand(place);
  return given?.isExpanded ? given.text : undefined;
}

function propertiesOf({ node }: Place): { name: string; node: Node }[] {
  return (node.children ?? []).flatMap(({ children: [name, value] = [] }) =>
    name && value ? [{ name: String(name.value), node: value }] : []
  );
}

/** Reports a value that is not what is expected. */
function mismatch(
  { node, path, document }: Place,
  expected: string,
): undefined {
  document.error(path, `expected ${expected}, not ${describe(node)}`);
}

function describe({ type, value }: Node): string {
  if (type === "array") return "a list";
  if (type === "object") return "an object";
  return type === "string" ? quoted(value) : String(value);
}

/** Runs a check, and reports its error. Returns whether there was none. */
function attempt(
  { path, document }: Place,
  check: () => unknown,
  options: ReportOptions = {},
): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    document.error(path, error.message, options);
    return false;
  }
}
