/**
 * The formats of log records: text, and JSON.
 *
 * @module
 */
import { getTextFormatter, type LogLevel, type LogRecord } from "npm:@logtape/logtape@^2.4.2";
import { inspectBounded, Narrowing } from "../inspection.ts";
import { escapeControls, shorten, visibleText, writeAsJson } from "../safe_text.ts";
import { asError, describeThrown, reportThrown } from "../error_report.ts";
import { formatLogLevel, type LogFormat } from "./log_options.ts";
import { currentLogTrace, type LogTrace } from "./log_trace.ts";

/** The maximum length of a value in a record, in UTF-16 code units. */
const MAX_VALUE_LENGTH = 10_000;

/** The maximum length of a list that is written as comma-separated words. */
const MAX_WORDS = 100;

/** The maximum number of parts of a value in JSON; larger values are written as text. */
const MAX_JSON_PARTS = 100;

/**
 * The total length of the texts of a JSON record, in UTF-16 code units, and the length that each
 * further text is truncated to.
 */
const MAX_JSON_LENGTH = 50_000;
const MIN_JSON_LENGTH = 100;

/** The maximum depth of causes, arrays and objects in JSON. */
const MAX_JSON_DEPTH = 4;

/**
 * The indentation of an error's lines below its record, so that no such line looks like a record.
 */
const INDENT = "    ";

/** The parts of a record that both formats share: time, level, and the message with its values. */
const SHARED = {
  timestamp: "rfc3339",
  level: formatLogLevel,
  value: (value: unknown) => renderValue(value),
  sanitize: false, // All of the line is escaped.
} as const;

const FORMATTERS = {
  /**
   * One line: time, level, category, message, and the properties that the message does not contain:
   * `2026-01-02T03:04:05.678Z INFO server: connected peer=httpd1`. Errors among the properties
   * follow on indented lines, with stacks and causes.
   */
  text: getTextFormatter({
    ...SHARED,
    category: (parts) => shortCategory(parts.join(".")),
    format({ timestamp, level, category, message, record }) {
      const { fields, errors } = describeProperties(record, currentLogTrace());
      const line = `${timestamp} ${level} ${category}: ${message}${fields}`;
      return [escapeControls(line), ...errors.map(formatError)].join("\n");
    },
  }),
  /**
   * A JSON object on one line, with `time`, `level`, `category`, `message` and `properties`, and the
   * fields of a {@linkcode LogTrace} if it belongs to one. An error among the properties is an object
   * with `name`, `message`, `stack`, and `cause` and `errors` if any.
   */
  json: getTextFormatter({
    ...SHARED,
    category: ".",
    format({ timestamp, level, category, message, record }) {
      const properties = new JsonValues(MAX_JSON_LENGTH).ofAll(record.properties);
      const trace = currentLogTrace();
      const json = JSON.stringify({
        ...{ time: timestamp, level, category, message },
        ...trace,
        properties,
      });
      return escapeControls(json, { write: writeAsJson });
    },
  }),
};

/**
 * Formats a record, with its newline. Never throws: a record that cannot be formatted is replaced
 * by a note.
 */
export function formatRecord(record: LogRecord, format: LogFormat): string {
  try {
    return FORMATTERS[format](record);
  } catch (error) {
    return FORMATTERS[format](unwritable(record, error));
  }
}

/** A category as lines of text show it: without the first part of the runtime's own. */
export function shortCategory(category: string): string {
  return category.replace(/^gxensemble(?:\.|$)/, "");
}

/** The note in place of a record with an invalid time or a getter that throws, made by a program. */
function unwritable({ category, level }: LogRecord, error: unknown): LogRecord {
  const properties = { whose: inspectBounded(category), reason: describeThrown(error) };
  return ownRecord(level, "a record of {whose} cannot be written: {reason}", properties);
}

/**
 * The properties that a record's message does not contain, and its trace, as fields, and the errors
 * among them.
 */
function describeProperties(
  record: LogRecord,
  trace: LogTrace | undefined,
): { fields: string; errors: Error[] } {
  const template = typeof record.rawMessage === "string" ? record.rawMessage : "";
  const errors: Error[] = [];
  let fields = "";
  for (const [key, value] of Object.entries(record.properties)) {
    const error = asError(value);
    if (error) errors.push(error);
    else if (!template.includes(`{${key}}`)) {
      fields += ` ${key}=${quoteWhereNeeded(renderValue(value))}`;
    }
  }
  if (trace) fields += ` trace_id=${trace.trace_id} span_id=${trace.span_id}`;
  return { fields, errors };
}

/** The parts of a record, as plain text and JSON. */
export interface RecordParts {
  /** The message, with the values in it. */
  readonly message: string;
  /** The properties that the message does not contain, each as ` name=value`. */
  readonly fields: string;
  /** The lines of the errors among the properties, indented, with stacks and causes. */
  readonly errors: string;
  /** The properties, and the trace: what JSON has no form for, and large values, are text. */
  readonly properties: Readonly<Record<string, unknown>>;
}

/**
 * Describes a record in parts that refer to nothing of the program, and have limited lengths. Never
 * throws, like {@linkcode formatRecord}.
 *
 * @param options.limit the maximum length of each part, in UTF-16 code units; twice that as JSON.
 * @param options.trace the trace that it belongs to. It becomes a part of its fields and properties.
 */
export function describeRecord(
  record: LogRecord,
  options: { readonly limit: number; readonly trace?: LogTrace | undefined },
): RecordParts {
  const { limit, trace } = options;
  try {
    const message = record.message.map((part, index) =>
      index % 2 === 0 ? String(part) : renderValue(part)
    ).join("");
    const { fields, errors } = describeProperties(record, trace);
    return {
      message: shorten(message, limit),
      fields: shorten(fields, limit),
      errors: shorten(errors.map(formatError).join("\n"), limit),
      properties: { ...new JsonValues(limit).ofAll(record.properties), ...trace },
    };
  } catch (error) {
    return describeRecord(unwritable(record, error), options);
  }
}

/** Makes a record about the log itself, since one from a logger could get lost like the others. */
export function ownRecord(
  level: LogLevel,
  rawMessage: string,
  properties: Record<string, unknown>,
): LogRecord {
  const message = rawMessage.split(/\{(\w+)\}/)
    .map((part, index) => index % 2 === 0 ? part : properties[part]);
  const category = ["gxensemble", "log"];
  return { category, level, timestamp: Date.now(), rawMessage, message, properties };
}

function formatError(error: Error): string {
  const text = visibleText(reportThrown(error, MAX_VALUE_LENGTH));
  return text.split("\n").map((line) => `${INDENT}${line}`).join("\n");
}

/**
 * Truncates a value, since it may come from a peer: nothing in a line is longer than a long stack.
 */
function renderValue(value: unknown, limit = MAX_VALUE_LENGTH): string {
  if (typeof value === "string") return shorten(value, limit);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (asError(value)) return shorten(describeThrown(value), limit);
  const words = listOfWords(value);
  if (words !== undefined) return shorten(words, limit);
  return inspectBounded(value, { limit, oneLine: true });
}

/**
 * A short list of words, such as capabilities. A longer list is inspected, which shows only its
 * beginning.
 */
function listOfWords(value: unknown): string | undefined {
  try {
    const isWord = (item: unknown) => typeof item === "string" && /^[\w.:-]+$/.test(item);
    if (!Array.isArray(value) || value.length === 0 || value.length > MAX_WORDS) return undefined;
    return value.every(isWord) ? value.join(",") : undefined;
  } catch {
    return undefined; // A proxy that throws, or was revoked.
  }
}

/**
 * Quotes values with non-ASCII characters, since some look like a space or an equals sign, and a
 * value could look like another field.
 */
function quoteWhereNeeded(text: string): string {
  return /^[!#-<>-~]+$/.test(text) ? text : JSON.stringify(text);
}

/**
 * Converts the values of a record to JSON. Values without a JSON form, and large objects, become
 * text.
 */
class JsonValues {
  readonly #narrowing = new Narrowing(MAX_JSON_PARTS);
  #partsLeft = MAX_JSON_PARTS;
  #lengthLeft: number;

  constructor(length: number) {
    this.#lengthLeft = length;
  }

  ofAll(properties: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(properties).map(([key, value]) => [key, this.of(value)]),
    );
  }

  of(value: unknown, depth = 0): unknown {
    if (value === undefined || value === null || typeof value === "boolean") return value;
    if (Number.isFinite(value)) return value;
    if (typeof value === "string") return this.#text(value);
    if (depth >= MAX_JSON_DEPTH || this.#partsLeft <= 0) return this.#text(value);
    try {
      const error = asError(value);
      if (error) return this.#ofError(error, depth);
    } catch {
      return this.#text(value); // A getter that throws.
    }
    const keys = this.#keysOf(value);
    if (keys === undefined || keys.length > this.#partsLeft) return this.#text(value);
    this.#partsLeft -= keys.length;
    const parts = keys.map((key) => {
      // Getters are not called.
      const part = Object.getOwnPropertyDescriptor(value, key)?.value;
      return [key, this.of(part, depth + 1)] as const;
    });
    return Array.isArray(value) ? parts.map(([, part]) => part) : Object.fromEntries(parts);
  }

  #ofError(error: Error, depth: number): unknown {
    this.#partsLeft--;
    const { name, message, stack, cause, errors } = error as Partial<AggregateError>;
    return {
      name: this.#text(name),
      message: this.#text(message),
      stack: this.#text(stack),
      ...(cause !== undefined && { cause: this.of(cause, depth + 1) }),
      ...(Array.isArray(errors) && { errors: this.of(errors, depth + 1) }),
    };
  }

  #text(value: unknown): string {
    const text = renderValue(value, Math.min(MAX_VALUE_LENGTH, this.#lengthLeft));
    this.#lengthLeft = Math.max(MIN_JSON_LENGTH, this.#lengthLeft - text.length);
    return text;
  }

  /** The keys of an array or a plain object. */
  #keysOf(value: unknown): string[] | undefined {
    if (!this.#narrowing.hasParts(value)) return undefined;
    const prototype = Object.getPrototypeOf(value);
    if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) {
      return undefined;
    }
    return Object.keys(value);
  }
}
