/**
 * Where the logs of a process go, unless its program has a say in that: to standard error, or a file.
 *
 * @module
 */
import { getLogger, inspectLogger, type Sink } from "npm:@logtape/logtape@^2.4.2";
import type { ServerId } from "../actor/server_id.ts";
import { EnsembleError } from "../errors.ts";
import { formatRecord } from "./log_format.ts";
import {
  type LogFormat,
  type LogLevel,
  type LogOptions,
  parseLogFormat,
  parseLogLevel,
} from "./log_options.ts";
import { serverDirectory } from "./paths.ts";
import { type SyncWriter, writeAll } from "./write_all.ts";

/** The file that `-` stands for, in the server's directory. */
const SERVER_LOG = "log";

/** The log that goes where {@linkcode startLogging} said. */
interface DefaultLog {
  readonly sink: Sink;
  /** The file that it goes to, if it does not go to standard error. */
  readonly file: Deno.FsFile | undefined;
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
 * @param server the server that this process runs, which says what file `-` is.
 * @throws {EnsembleError} when the file cannot be opened.
 * @throws {InvalidInputError} when an option has no meaning.
 */
export function startLogging(options: LogOptions = {}, server?: ServerId): void {
  const level = parseLogLevel(options.level ?? "info");
  const format = parseLogFormat(options.format ?? "text");
  if (isConfigured()) return;
  const file = options.file === undefined ? undefined : openLog(options.file, server);
  const sink = recordSink(format, file ?? Deno.stderr);
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
  current.file?.close();
  current = undefined;
}

/** Whether the program has configured LogTape, or another copy of it or of this runtime has. */
function isConfigured(): boolean {
  return inspectLogger([]).source !== "unconfigured" ||
    root.sinks.some((sink) => sink !== current?.sink);
}

function recordSink(format: LogFormat, writer: SyncWriter): Sink {
  const encoder = new TextEncoder();
  return (record) => {
    try {
      writeAll(writer, encoder.encode(formatRecord(record, format)));
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
