/**
 * The options of a server's log: level, format and destination.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";

/** The least severe level that is logged, as LogTape names it. */
export type LogLevel = "debug" | "info" | "warning" | "error";

const LEVELS: Record<string, LogLevel> = {
  DEBUG: "debug",
  INFO: "info",
  WARN: "warning",
  WARNING: "warning",
  ERROR: "error",
};

/** The levels of `--log`, most verbose first. */
export const LOG_LEVELS = ["DEBUG", "INFO", "WARN", "ERROR"] as const;

/**
 * Parses a level: DEBUG, INFO, WARN (or WARNING) or ERROR, in any case.
 *
 * @throws {InvalidInputError} for anything else.
 */
export function parseLogLevel(text: string): LogLevel {
  const name = String(text).toUpperCase();
  if (!Object.hasOwn(LEVELS, name)) {
    throw new InvalidInputError(
      `not a log level: ${JSON.stringify(text)}; use DEBUG, INFO, WARN or ERROR`,
    );
  }
  return LEVELS[name]!;
}

/** Formats a level for help and log lines. */
export function formatLogLevel(level: string): string {
  return level === "warning" ? "WARN" : level.toUpperCase();
}

/** The format of a log: lines of text, or one JSON object per line. */
export type LogFormat = "text" | "json";

/** The values of `--log-format`. */
export const LOG_FORMATS: readonly LogFormat[] = ["text", "json"];

/**
 * Parses a format.
 *
 * @throws {InvalidInputError} for anything else.
 */
export function parseLogFormat(text: string): LogFormat {
  const format = LOG_FORMATS.find((each) => each === text);
  if (format) return format;
  throw new InvalidInputError(
    `not a log format: ${JSON.stringify(text)}; use ${LOG_FORMATS.join(" or ")}`,
  );
}

/**
 * Options of the log of a process whose program has not configured LogTape.
 *
 * @example Lines of JSON, in the directory of the server
 * ```ts
 * import { type LogOptions, startServer } from "@gxensemble/ensemble";
 *
 * const log: LogOptions = { level: "debug", file: "-", format: "json" };
 * await using server = await startServer("web1", { log });
 * ```
 */
export interface LogOptions {
  /**
   * The least severe level that is logged. Default: `info`. A higher one leaves gaps in the audit
   * log.
   */
  readonly level?: "debug" | "info" | "warning" | "error";
  /** The file to append to; `-` for `log` in the server's directory. Default: standard error. */
  readonly file?: string | undefined;
  /** Lines of text, or one JSON object per line. Default: `text`. */
  readonly format?: "text" | "json";
}
