/**
 * The command-line options of processes that run a server, and what their values become.
 *
 * @module
 */
import { resolve } from "node:path";
import {
  type CommandUnknownOpts,
  InvalidArgumentError,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import {
  formatLogLevel,
  LOG_FORMATS,
  type LogFormat,
  type LogLevel,
  type LogOptions,
  parseLogLevel,
} from "../runtime/ensemble/log_options.ts";
import { InvalidInputError } from "../runtime/errors.ts";
import { type Address, parseAddresses } from "../runtime/wire/address.ts";
import { parseStoreLocation, type StoreLocation } from "./open_store.ts";

/** The options of the commands that run a server. */
export interface ServerOptions {
  /** The least severe level that is logged. */
  log: LogLevel;
  /** The file to log to; `-` for the log in the server's directory; standard error when absent. */
  logFile?: string;
  /** What a record of the log looks like. */
  logFormat: LogFormat;
  /** Addresses to listen to besides the default UNIX socket. */
  listen: Address[];
  /** Addresses to tell the registry; those that the server listens to when absent. */
  announce?: Address[];
}

/** Makes a reader of values one whose refusals commander reports with the option's name. */
export function reading<T>(read: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      if (error instanceof InvalidInputError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}

/** The same for an option that is a list, and grows each time the option is given. */
export function collecting<T>(read: (text: string) => T[]): (text: string, earlier?: T[]) => T[] {
  const readValue = reading(read);
  const collect = (text: string, earlier: T[] = []) => [...earlier, ...readValue(text)];
  collectors.add(collect);
  return collect;
}

const collectors = new WeakSet<object>();

/** Whether an option can be given more than once, to some effect. */
export function isRepeatable(option: Option): boolean {
  return option.parseArg !== undefined && collectors.has(option.parseArg);
}

/** An option that every command has. The help shows it apart from the command's own. */
export class GlobalOption<Usage extends string = string> extends Option<Usage> {}

/** What `--gerbil-path` becomes: an absolute path, for servers and commands may change their directory. */
export function parseGerbilPath(text: string): string {
  if (text === "") throw new InvalidInputError("no directory");
  return resolve(text);
}

/** Gives a command `--gerbil-path`, which sets the environment variable before the command runs. */
export function addGerbilPath(command: CommandUnknownOpts): void {
  const option = new GlobalOption(
    "-G, --gerbil-path <dir>",
    "where the state of the ensemble is: in <dir>/ensemble",
  ).default(undefined, "$GERBIL_PATH").argParser(reading(parseGerbilPath));
  command.addOption(option).hook("preAction", (self) => {
    const { gerbilPath } = self.opts() as { gerbilPath?: string };
    if (gerbilPath !== undefined) Deno.env.set("GERBIL_PATH", gerbilPath);
  });
}

/** `--log`, with the level that holds when it is not given. */
export const logOption = (level: LogLevel) =>
  new Option("--log <logging>", "specifies the log level to run with")
    .default(level, formatLogLevel(level)).argParser<LogLevel>(reading(parseLogLevel));

/** `--log-file`. */
export const logFileOption = () =>
  new Option(
    "--log-file <logging-file>",
    "specifies a log file instead of logging to stderr; if it is - then the log will be written " +
      "into the ensemble server directory log",
  ).default(undefined, "#f");

/** `--log-format`. */
export const logFormatOption = () =>
  new Option(
    "--log-format <format>",
    "the form of the log: text for people, or json for programs, an object a line",
  ).choices(LOG_FORMATS).default<LogFormat>("text", "text");

/** What `--log`, `--log-file` and `--log-format` say, as a server takes it. */
export function logOptions({ log, logFile, logFormat }: ServerOptions): LogOptions {
  return { level: log, file: logFile, format: logFormat };
}

/** `--listen`. */
export const listenOption = () =>
  new Option(
    "-l, --listen <listen>",
    "additional addresses to listen to; by default the server listens at unix " +
      "/tmp/ensemble/<server-id>",
  ).default<Address[]>([], "()").argParser<Address[]>(collecting(parseAddresses));

/** `--announce`. */
export const announceOption = () =>
  new Option(
    "-a, --announce <announce>",
    "public addresses to announce to the registry; by default these are the listen addresses",
  ).default(undefined, "#f").argParser<Address[] | undefined>(collecting(parseAddresses));

/** `--no-loader`. */
export const noLoaderOption = () =>
  new Option(
    "--no-loader",
    "takes no code from others: load, eval and repl are refused, whoever asks",
  );

/** `--store`. */
export const storeOption = () =>
  new Option(
    "--store <store>",
    "where the registry keeps its entries: sqlite: in the ensemble server directory, " +
      "sqlite:<path>, or memory:",
  ).default<StoreLocation>({ kind: "sqlite" }, "sqlite:")
    .argParser<StoreLocation>(reading(parseStoreLocation));
