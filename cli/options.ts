/**
 * The options and arguments that several commands share, and what their values become.
 *
 * @module
 */
import { Argument, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { parseStoreLocation, type StoreLocation } from "../registry/open_store.ts";
import { parseServerId, type ServerId } from "../runtime/actor/server_id.ts";
import { InvalidInputError } from "../runtime/errors.ts";
import { type Address, parseAddresses } from "../runtime/wire/address.ts";
import { parseSymbols } from "../runtime/wire/notation.ts";
import { formatLogLevel, type LogLevel, parseLogLevel } from "./log_level.ts";

/** The options of every command that talks to the servers of the ensemble. */
export interface ClientOptions {
  /** The least severe level that is logged. */
  log: LogLevel;
  /** Where registries are reached besides the default address; none when not given. */
  registry: Address[];
}

/** The options of the commands that run a server. */
export interface ServerOptions {
  /** The least severe level that is logged. */
  log: LogLevel;
  /** The file to log to; `-` for the log in the server's directory; standard error when absent. */
  logFile?: string;
  /** Addresses to listen to besides the default UNIX socket. */
  listen: Address[];
  /** Addresses to tell the registry; those that the server listens to when absent. */
  announce?: Address[];
}

/** The option of the commands that have a result. */
export interface OutputOptions {
  /** Whether the result is printed as JSON. */
  json: boolean;
}

/** Makes a reader of values one whose refusals commander reports with the option's name. */
function reading<T>(read: (text: string) => T): (text: string) => T {
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
function collecting<T>(read: (text: string) => T[]): (text: string, earlier?: T[]) => T[] {
  const readValue = reading(read);
  return (text, earlier = []) => [...earlier, ...readValue(text)];
}

function parseRoles(text: string): string[] {
  const roles = parseSymbols(text);
  if (roles.includes("")) throw new InvalidInputError("a role is not empty");
  return roles;
}

/** `run` leaves what follows the server id alone: an option there was meant for `run` itself. */
function parseModuleId(text: string): string {
  if (text.startsWith("-")) throw new InvalidInputError("options come before the server id");
  return text;
}

/** `<server-id>`. */
export const serverIdArgument = () =>
  new Argument("<server-id>", "the server id").argParser(reading(parseServerId));

/** `[server-id]`, of the command that without one means the whole ensemble. */
export const optionalServerIdArgument = () =>
  new Argument("[server-id]", "the server id").default(undefined, "#f")
    .argParser<ServerId | undefined>(reading(parseServerId));

/** `[actor-id]`. */
export const actorIdArgument = () =>
  new Argument("[actor-id]", "the actor's registered name").default(undefined, "#f");

/** `<module-id>`. */
export const moduleIdArgument = () =>
  new Argument("<module-id>", "the module id").argParser(reading(parseModuleId));

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

/** `--registry`. */
export const registryOption = () =>
  new Option(
    "--registry <registry>",
    "additional registry addresses; by default the registry is reachable at unix " +
      "/tmp/ensemble/registry",
  ).default<Address[]>([], "#f").argParser<Address[]>(collecting(parseAddresses));

/** `--roles`. */
export const rolesOption = () =>
  new Option("--roles <roles>", "server role(s); a list of symbols")
    .default<string[]>([], "()").argParser<string[]>(collecting(parseRoles));

/** `--library-prefix`; the default is always part of the list. */
export const libraryPrefixOption = () =>
  new Option(
    "--library-prefix <library-prefix>",
    "list of package prefixes to consider as library modules installed in the server",
  ).default<string[]>(["@gxensemble/"], "(@gxensemble/)").argParser<string[]>(
    collecting(parseSymbols),
  );

/** `--store`. */
export const storeOption = () =>
  new Option(
    "--store <store>",
    "where the registry keeps its entries: sqlite: in the ensemble server directory, " +
      "sqlite:<path>, or memory:",
  ).default<StoreLocation>({ kind: "sqlite" }, "sqlite:")
    .argParser<StoreLocation>(reading(parseStoreLocation));

/** `--force`. */
export const forceOption = () => new Option("-f, --force", "force the action").default(false);

/** `--json`. */
export const jsonOption = () => new Option("--json", "prints the result as JSON").default(false);
