/**
 * The log of a process, on standard error or in a file, unless its program configures LogTape
 * itself.
 *
 * @module
 */
import { resolve } from "node:path";
import type { LogRecord, Sink } from "npm:@logtape/logtape@^2.4.2";
import { EnsembleError } from "../errors.ts";
import { formatRecord, ownRecord } from "./log_format.ts";
import { type LogFormat, type LogOptions, parseLogFormat, parseLogLevel } from "./log_options.ts";
import { attachSink, detachSink, isConfigured, root } from "./root_logger.ts";
import {
  finishAtEnd,
  StandardStream,
  standardStream,
  writeErrors,
  writeReady,
} from "./standard_stream.ts";

/** The file in the server's directory that `-` stands for. */
const SERVER_LOG = "log";

/** The log as configured by {@linkcode startLogging}. */
interface DefaultLog {
  readonly sink: Sink;
  /** Its file, unless it goes to standard error. */
  readonly file: LogFile | undefined;
}

/** Writes lines, or returns why they are lost. */
interface Destination {
  write(lines: string): Error | undefined;
}

let current: DefaultLog | undefined;

/**
 * Sends the logs of this process, both the program's own and those of loaded code, to standard
 * error or a file. Each record is written at once, so that the last ones before a crash are there.
 * A later call replaces an earlier one. If the program has configured LogTape, nothing happens; if
 * it does so later, its configuration takes over.
 *
 * @param directory the directory of this process's server, for the file `-`. Without it, the
 * process is a command, and waits until standard error accepts a line.
 * @throws {EnsembleError} if the file cannot be opened.
 * @throws {InvalidInputError} if an option is invalid.
 */
export function startLogging(options: LogOptions = {}, directory?: string): void {
  const level = parseLogLevel(options.level ?? "info");
  const format = parseLogFormat(options.format ?? "text");
  if (isConfigured()) return;
  const file = options.file === undefined ? undefined : openLog(options.file, directory);
  const errors = directory === undefined ? { write: writeErrors } : standardStream("stderr");
  const sink = recordSink(format, file ?? errors);
  stopLogging();
  attachSink(sink, { level });
  root.lowestLevel = level; // Even if the records are also kept.
  current = { sink, file };
}

/** Undoes {@linkcode startLogging}. */
export function stopLogging(): void {
  if (!current) return;
  detachSink(current.sink);
  current.file?.[Symbol.dispose]();
  current = undefined;
}

/**
 * Continues the log in the file that is now at its path, after `logrotate` has renamed the previous
 * one.
 *
 * @throws {EnsembleError} if that cannot be opened; then the log continues in the previous file.
 */
export function reopenLog(): void {
  current?.file?.reopen();
}

/**
 * Writes each record. If some were lost, as on a full disk, the next line that is written tells how
 * many.
 */
function recordSink(format: LogFormat, destination: Destination): Sink {
  let lost: Loss | undefined;
  return (record) => {
    if (lost && !destination.write(formatRecord(lost.record(), format))) lost = undefined;
    const lines = formatRecord(record, format);
    const error = destination.write(lines);
    if (error) (lost ??= new Loss(error, record.timestamp)).add(lines);
  };
}

/** The lines that a log has lost in a row. */
class Loss {
  #lines = 0;
  readonly #message: string;
  readonly #since: number;

  constructor({ message }: Error, since: number) {
    this.#message = message;
    this.#since = since;
  }

  add(lines: string): void {
    this.#lines += lines.split("\n").length - 1;
  }

  /** The record that reports them. */
  record(): LogRecord {
    return ownRecord("warning", "{lines} lines were lost since {since}: {reason}", {
      lines: this.#lines,
      since: new Date(this.#since).toISOString(),
      reason: this.#message,
    });
  }
}

function openLog(file: string, directory: string | undefined): LogFile {
  if (file !== "-" || directory === undefined) return new LogFile(file);
  const path = `${directory}/${SERVER_LOG}`;
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { message } = error as Error;
    throw new EnsembleError(`cannot write the log file ${path}: ${message}`, { cause: error });
  }
  return new LogFile(path);
}

/** Mode 0600, since logs may contain private data. */
const MODE = 0o600;

const encoder = new TextEncoder();

/**
 * The file of a log. Each write is complete when it returns. A pipe or terminal in place of the
 * file is written to as standard error is.
 */
export class LogFile implements Disposable {
  readonly #path: string;
  #file: Deno.FsFile | OpenPipe;
  /** Whether the last write ended in the middle of a line, for lack of space. */
  #isTorn = false;

  /**
   * Opens the file at a path, and creates it if it is missing.
   *
   * @throws {EnsembleError} if it cannot be opened.
   */
  constructor(path: string) {
    this.#path = resolve(path);
    this.#file = open(this.#path);
  }

  /**
   * Continues in the file that is now at the path, since the previous one may have been renamed.
   *
   * @throws {EnsembleError} if that cannot be opened; then the previous file stays in use.
   */
  reopen(): void {
    const file = open(this.#path);
    this.#file[Symbol.dispose]();
    this.#file = file;
    this.#isTorn = false;
  }

  /**
   * Writes whole lines.
   *
   * @returns the reason if they are lost, even in part; undefined if they were written.
   */
  write(lines: string): Error | undefined {
    if (this.#file instanceof OpenPipe) return this.#file.stream.write(lines);
    const bytes = encoder.encode(this.#isTorn ? `\n${lines}` : lines);
    const { count, error } = writeReady(this.#file, bytes);
    if (error === undefined) this.#isTorn = false;
    else if (count > 0) this.#isTorn = bytes[count - 1] !== 0x0a;
    return error as Error | undefined;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/** A pipe, or another non-regular file whose reader may be slow. */
class OpenPipe implements Disposable {
  readonly #descriptor: number;
  readonly stream: StandardStream;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    const { writeSync } = nodeFs();
    const writeSome = (bytes: Uint8Array) => writeSync(descriptor, bytes);
    this.stream = finishAtEnd(new StandardStream({ writeSync: writeSome }));
  }

  [Symbol.dispose](): void {
    this.stream[Symbol.dispose]();
    nodeFs().closeSync(this.#descriptor);
  }
}

/** Loaded when it is needed: commands do without it, and it takes a third of their time. */
function nodeFs() {
  return process.getBuiltinModule("node:fs");
}

function open(path: string): Deno.FsFile | OpenPipe {
  try {
    return openPipe(path) ?? Deno.openSync(path, { append: true, create: true, mode: MODE });
  } catch (error) {
    throw new EnsembleError(`cannot write the log file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Opens a pipe or terminal without blocking; undefined for a regular file, and for anything that
 * cannot be opened.
 */
function openPipe(path: string): OpenPipe | undefined {
  const { closeSync, constants, fstatSync, openSync } = nodeFs();
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
    const descriptor = openSync(path, flags, MODE);
    if (!fstatSync(descriptor).isFile()) return new OpenPipe(descriptor);
    closeSync(descriptor);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENXIO") return undefined;
    throw new Error("it is a pipe without a reader, or a socket");
  }
}
