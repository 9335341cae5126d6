/**
 * Printing records of servers' logs, as their lines of text or as lines of JSON, and log levels.
 *
 * @module
 */
import { shortCategory } from "../../runtime/home/log_format.ts";
import { formatLogLevel } from "../../runtime/home/log_options.ts";
import type { CategoryLevel } from "../../runtime/home/log_levels.ts";
import type { LoggedRecord, RecordLevel } from "../../runtime/observation/log_protocol.ts";
import {
  printError,
  printJson,
  printNotice,
  printStyled,
  type Style,
  type StyledText,
} from "./output.ts";
import type { Column } from "./table.ts";

/** A record, and the server that logged it. */
export interface ServerRecord {
  /** The id of the server. */
  readonly server: string;
  /** The record. */
  readonly record: LoggedRecord;
}

/** The styles of levels that stand out. */
const LEVEL_STYLES: Readonly<Partial<Record<RecordLevel, Style>>> = {
  trace: [90, 39],
  debug: [90, 39],
  warning: [33, 39],
  error: [31, 39],
  fatal: [31, 39],
};

/** The styles of server ids: none looks like that of a level. */
const SERVER_STYLES: readonly Style[] = [36, 32, 35, 34, 96, 92, 95, 94].map((code) => [code, 39]);

/** Prints records, each with its server's id before it if there may be several. */
export class RecordPrinter {
  readonly #isJson: boolean;
  readonly #isLabelled: boolean;
  /** The styles of the servers, in the order in which they came. */
  readonly #styles = new Map<string, Style>();

  /** Prints nothing yet. */
  constructor({ json, isLabelled }: { json: boolean; isLabelled: boolean }) {
    this.#isJson = json;
    this.#isLabelled = isLabelled;
  }

  /** Prints a record. */
  print({ server, record }: ServerRecord): void {
    if (this.#isJson) return printJson(recordToJson(server, record), { oneLine: true });
    const { at, level, category, message, fields, errors } = record;
    const label = this.#label(server);
    const word = formatLogLevel(level);
    const style = LEVEL_STYLES[level];
    printStyled([
      ...label,
      `${new Date(at).toISOString()} `,
      style ? [word, style] : word,
      ` ${shortCategory(category)}: ${message}${fields}`,
    ]);
    if (errors !== "") { for (const line of errors.split("\n")) printStyled([...label, line]); }
  }

  /** Tells that records of a server were dropped before they could be read. */
  printLoss(server: string, lost: number): void {
    if (this.#isJson) return printJson({ server, lost }, { oneLine: true });
    const records = lost === 1 ? `1 record of ${server} was` : `${lost} records of ${server} were`;
    printNotice(`... ${records} dropped before they were read`);
  }

  /** Tells that a server cannot be read. */
  printFailure(server: string, { message, code }: { message: string; code: string }): void {
    printError(`${server}: ${message}`);
    if (this.#isJson) printJson({ server, error: message, code }, { oneLine: true });
  }

  #label(server: string): StyledText[] {
    if (!this.#isLabelled) return [];
    let style = this.#styles.get(server);
    if (!style) {
      style = SERVER_STYLES[this.#styles.size % SERVER_STYLES.length]!;
      this.#styles.set(server, style);
    }
    return [[`${server}: `, style]];
  }
}

/** Converts a record for `--json`: as in a log of JSON, with its server. */
function recordToJson(server: string, record: LoggedRecord): object {
  const { sequence, at, level, category, message, properties } = record;
  return {
    server,
    sequence,
    time: new Date(at).toISOString(),
    level: formatLogLevel(level),
    category,
    message,
    properties: parsed(properties),
  };
}

/** Parses the properties, which come from a server. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

/** The columns of log levels. */
export const LEVEL_COLUMNS: readonly Column[] = [
  { heading: "category" },
  { heading: "level" },
  { heading: "before" },
  { heading: "until" },
];

/** The level of a category in {@linkcode LEVEL_COLUMNS}. */
export function levelToRow({ category, level, before, until }: CategoryLevel): string[] {
  return [
    category === "" ? "all" : category,
    formatLogLevel(level),
    before === undefined ? "-" : formatLogLevel(before),
    until === undefined ? "-" : new Date(until).toISOString(),
  ];
}

/** Converts the level of a category for `--json`. */
export function levelToJson({ category, level, before, until }: CategoryLevel): object {
  return {
    category,
    level: formatLogLevel(level),
    before: before === undefined ? null : formatLogLevel(before),
    until: until === undefined ? null : new Date(until).toISOString(),
  };
}
