/**
 * The levels of `--log`.
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
  const name = text.toUpperCase();
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
