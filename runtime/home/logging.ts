/**
 * Where the logs of a process go: to standard error or a file, unless its program configures LogTape itself.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { getLogger, inspectLogger, type LogRecord, type Sink } from "npm:@logtape/logtape@^2.4.2";
import { EnsembleError } from "../errors.ts";
import { formatRecord, ownRecord } from "./log_format.ts";
import {
  type LogFormat,
  type LogLevel,
  type LogOptions,
  parseLogFormat,
  parseLogLevel,
} from "./log_options.ts";
import {
  finishAtEnd,
  StandardStream,
  standardStream,
  writeErrors,
  writeReady,
} from "./standard_stream.ts";

/** The file that `-` stands for, in the server's directory. */
const SERVER_LOG = "log";

/** The log that goes where {@linkcode startLogging} said. */
interface DefaultLog {
  readonly sink: Sink;
  /** The file that it goes to, if it does not go to standard error. */
  readonly file: LogFile | undefined;
}

/** Takes lines, or says why they are lost. */
interface Destination {
  write(lines: string): Error | undefined;
}

let current: DefaultLog | undefined;

/**
 * The logger above all others, as LogTape keeps it. The default log is attached to it directly: a
 * `configure` of LogTape then finds nothing configured, succeeds, and takes the sinks of all loggers away, this one
 * included. After a `configure` of our own, that of the program would fail.
 */
const root = getLogger([]) as unknown as { sinks: Sink[]; lowestLevel: LogLevel | "trace" };

/**
 * Sends the logs of this process, the program's own and those of loaded code, to standard error or a
 * file. Each record is written at once, so that the last ones before a crash are there. A later call replaces an
 * earlier one. Nothing happens in a program that has configured LogTape itself; and when it does so later, it
 * takes over.
 *
 * @param directory the directory of the server that this process runs, for the file `-`. Without it the process is a
 * command, and waits until standard error has taken a line.
 * @throws {EnsembleError} when the file cannot be opened.
 * @throws {InvalidInputError} when an option has no meaning.
 */
export function startLogging(options: LogOptions = {}, directory?: string): void {
  const level = parseLogLevel(options.level ?? "info");
  const format = parseLogFormat(options.format ?? "text");
  if (isConfigured()) return;
  const file = options.file === undefined ? undefined : openLog(options.file, directory);
  const errors = directory === undefined ? { write: writeErrors } : standardStream("stderr");
  const sink = recordSink(format, file ?? errors);
  stopLogging();
  root.sinks.push(sink);
  root.lowestLevel = level;
  current = { sink, file };
}

/** Ends what {@linkcode startLogging} began. */
export function stopLogging(): void {
  if (!current) return;
  const index = root.sinks.indexOf(current.sink);
  if (index >= 0) {
    root.sinks.splice(index, 1);
    root.lowestLevel = "trace"; // As it is before LogTape is configured.
  }
  current.file?.[Symbol.dispose]();
  current = undefined;
}

/**
 * Goes on with the log in the file that is at its path now, as after `logrotate` has renamed the one before.
 *
 * @throws {EnsembleError} when that cannot be opened; then the log stays in the file that it is in.
 */
export function reopenLog(): void {
  current?.file?.reopen();
}

/** Whether the program has configured LogTape, or another copy of it or of this runtime has. */
function isConfigured(): boolean {
  return inspectLogger([]).source !== "unconfigured" ||
    root.sinks.some((sink) => sink !== current?.sink);
}

/** Writes each record. When some were lost, as on a full disk, the next line that is written says how many. */
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

  /** What the log says of them. */
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

/** Only the owner may read it: what is in a log may be nobody else's business. */
const MODE = 0o600;

const encoder = new TextEncoder();

/**
 * A log's file. Each write is done when it returns. A pipe or a terminal in the place of the file is written to as
 * standard error is.
 */
export class LogFile implements Disposable {
  readonly #path: string;
  #file: Deno.FsFile | OpenPipe;
  /** Whether the last write ended in the middle of a line, for lack of space. */
  #isTorn = false;

  /**
   * Opens the file at a path, and makes it where it is missing.
   *
   * @throws {EnsembleError} when it cannot be opened.
   */
  constructor(path: string) {
    this.#path = resolve(path);
    this.#file = open(this.#path);
  }

  /**
   * Goes on in the file that is at the path now: the one that was there may have been renamed.
   *
   * @throws {EnsembleError} when that cannot be opened; then the one before stays in use.
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
   * @returns why they are lost, wholly or in part; undefined when they were written.
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

/** A pipe, or anything else that is no file and may be read late. */
class OpenPipe implements Disposable {
  readonly #descriptor: number;
  readonly stream: StandardStream;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    const writeSome = (bytes: Uint8Array) => writeSync(descriptor, bytes);
    this.stream = finishAtEnd(new StandardStream({ writeSync: writeSome }));
  }

  [Symbol.dispose](): void {
    this.stream[Symbol.dispose]();
    closeSync(this.#descriptor);
  }
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

/** Opens what does not block; undefined for a file, and for what cannot be opened in any way. */
function openPipe(path: string): OpenPipe | undefined {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
    const descriptor = openSync(path, flags, MODE);
    if (!fstatSync(descriptor).isFile()) return new OpenPipe(descriptor);
    closeSync(descriptor);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENXIO") return undefined;
    throw new Error("it is a pipe that nobody reads, or a socket");
  }
}
