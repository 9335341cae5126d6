/**
 * How a server logs: from which level on, in which form, and where to.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";

/** The least severe level that is logged; in the words of LogTape. */
export type LogLevel = "debug" | "info" | "warning" | "error";

const LEVELS: Record<string, LogLevel> = {
  DEBUG: "debug",
  INFO: "info",
  WARN: "warning",
  WARNING: "warning",
  ERROR: "error",
};

/** The levels as `--log` takes them, the most talkative first. */
export const LOG_LEVELS = ["DEBUG", "INFO", "WARN", "ERROR"] as const;

/**
 * Reads a level: DEBUG, INFO, WARN (or WARNING) or ERROR, in any case.
 *
 * @throws {InvalidInputError} for anything else.
 */
export function parseLogLevel(text: string): LogLevel {
  const name = String(text).toUpperCase();
  if (!Object.hasOwn(LEVELS, name)) {
    throw new InvalidInputError(
      `not a log level: ${JSON.stringify(text)}: there are DEBUG, INFO, WARN and ERROR`,
    );
  }
  return LEVELS[name]!;
}

/** Writes a level as help and log lines show it. */
export function formatLogLevel(level: string): string {
  return level === "warning" ? "WARN" : level.toUpperCase();
}

/** The form of a log: lines for people, or one JSON object a line. */
export type LogFormat = "text" | "json";

/** The forms that `--log-format` takes. */
export const LOG_FORMATS: readonly LogFormat[] = ["text", "json"];

/**
 * Reads a format.
 *
 * @throws {InvalidInputError} when it is none.
 */
export function parseLogFormat(text: string): LogFormat {
  const format = LOG_FORMATS.find((each) => each === text);
  if (format) return format;
  throw new InvalidInputError(
    `not a log format: ${JSON.stringify(text)}: there are ${LOG_FORMATS.join(" and ")}`,
  );
}

/** How a process logs where its program has not configured LogTape. */
export interface LogOptions {
  /** The least severe level that is logged; default `info`. Above it the audit log has gaps. */
  readonly level?: "debug" | "info" | "warning" | "error";
  /** The file to append to; `-` for `log` in the server's directory; standard error when absent. */
  readonly file?: string | undefined;
  /** Lines for people, or one JSON object a line; default `text`. */
  readonly format?: "text" | "json";
}
