/**
 * Where the logs of a process go, and what a line of them looks like.
 *
 * @module
 */
import { configure, type LogRecord, type Sink } from "npm:@logtape/logtape@^2.4.2";
import type { ServerId } from "../actor/server_id.ts";
import { inspectBounded, shorten } from "../bounded_text.ts";
import { escapeControls } from "../control_characters.ts";
import { serverDirectory } from "./paths.ts";
import { EnsembleError } from "../errors.ts";
import { formatLogLevel, type LogLevel } from "./log_level.ts";
import { type SyncWriter, writeAll } from "./write_all.ts";

/** The file that `--log-file -` stands for, in the server's directory. */
const SERVER_LOG = "log";

/** The longest value in a line, in UTF-16 code units. */
const MAX_VALUE_LENGTH = 10_000;

/** Options of {@linkcode startLogging}. */
export interface LoggingOptions {
  /** The least severe level that is logged. */
  log: LogLevel;
  /** The file to append to; `-` for the one in the server's directory; standard error when absent. */
  logFile?: string;
}

/**
 * Sends the logs of this process, the program's own and those of loaded code, to standard error or a
 * file. Each record is written at once, so that the last ones before a crash are there.
 *
 * @param server the server that this process runs, which says what file `-` is.
 * @throws {EnsembleError} when the file cannot be opened.
 */
export async function startLogging(options: LoggingOptions, server?: ServerId): Promise<void> {
  const writer = options.logFile === undefined ? Deno.stderr : openLog(options.logFile, server);
  await configure({
    sinks: { log: lineSink(writer) },
    loggers: [
      { category: [], lowestLevel: options.log, sinks: ["log"] },
      // LogTape's notes about itself: it greets at level INFO.
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: [] },
    ],
  });
}

/**
 * Writes a record as one line without its newline: the time, the level, the category, the message,
 * and the properties that the message does not show:
 * `2026-01-02T03:04:05.678Z INFO server: connected peer=httpd1`.
 */
export function formatLogRecord(record: LogRecord): string {
  const category = record.category.slice(record.category[0] === "gxensemble" ? 1 : 0).join(".");
  const message = record.message
    .map((part, index) => index % 2 === 0 ? String(part) : renderValue(part)).join("");
  const template = typeof record.rawMessage === "string" ? record.rawMessage : "";
  const properties = Object.entries(record.properties)
    .filter(([key]) => !template.includes(`{${key}}`))
    .map(([key, value]) => ` ${key}=${quoteWhereNeeded(renderValue(value))}`).join("");
  const time = new Date(record.timestamp).toISOString();
  return escapeControls(
    `${time} ${formatLogLevel(record.level)} ${category}: ${message}${properties}`,
  );
}

function lineSink(writer: SyncWriter): Sink {
  const encoder = new TextEncoder();
  return (record) => {
    try {
      writeAll(writer, encoder.encode(`${formatLogRecord(record)}\n`));
    } catch {
      // The reader of the log has gone or the disk is full: the server goes on without its log.
    }
  };
}

function openLog(file: string, server: ServerId | undefined): Deno.FsFile {
  const isServerLog = file === "-" && server !== undefined;
  const path = isServerLog ? `${serverDirectory(server)}/${SERVER_LOG}` : file;
  try {
    if (isServerLog) Deno.mkdirSync(serverDirectory(server), { recursive: true, mode: 0o700 });
    return Deno.openSync(path, { append: true, create: true, mode: 0o600 });
  } catch (error) {
    throw new EnsembleError(`cannot write the log file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** A line is read by people, and what is in it may be a peer's: nothing in it is longer than a long stack. */
function renderValue(value: unknown): string {
  return typeof value === "string"
    ? shorten(value, MAX_VALUE_LENGTH)
    : inspectBounded(value, { limit: MAX_VALUE_LENGTH, oneLine: true });
}

function quoteWhereNeeded(text: string): string {
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
