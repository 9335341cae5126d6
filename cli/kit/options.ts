/**
 * The options and arguments that several commands share, and what their values become.
 *
 * @module
 */
import { resolve } from "node:path";
import {
  Argument,
  type Command,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { DEFAULT_ASK_TIMEOUT } from "../../runtime/actor/messaging.ts";
import {
  type ActorId,
  ActorRef,
  checkServerId,
  parseActorId,
  REGISTRY_ID,
} from "../../runtime/actor/references.ts";
import {
  type AddressList,
  DEFAULT_GRACE,
  readAddresses,
  type StartServerOptions,
} from "../../runtime/ensemble/start_options.ts";
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import {
  formatLogLevel,
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  type LogOptions,
  parseLogLevel,
} from "../../runtime/home/log_options.ts";
import { formatNotation, parseSymbols, symbol } from "../../runtime/notation.ts";
import { type Address, formatAddressUrl, parseAddresses } from "../../runtime/wire/address.ts";
import {
  collecting,
  completing,
  parseSeconds,
  passOptionsThrough,
  reading,
  type Variable,
  withVariables,
} from "./declaration.ts";
import { type Denial, parseDenials, PERMISSIONS } from "./permissions.ts";

// Every command.

/** Where the help shows an option that every command has. */
export const GLOBAL_OPTIONS = "Global Options:";

/** What `--gerbil-path` becomes: an absolute path, for servers and commands may change their directory. */
export function parseGerbilPath(text: string): string {
  if (text === "") throw new InvalidInputError("no directory");
  return resolve(text);
}

/** Gives a command `--gerbil-path`, which sets the environment variable before the command runs. */
export function addGerbilPath(command: CommandUnknownOpts): void {
  const option = new Option(
    "-G, --gerbil-path <dir>",
    "where the state of the ensemble is: in <dir>/ensemble",
  ).default(undefined, "$GERBIL_PATH").argParser(reading(parseGerbilPath))
    .helpGroup(GLOBAL_OPTIONS);
  const variables: Variable[] = [
    ["GERBIL_PATH", "the state of the ensemble is in $GERBIL_PATH/ensemble", "~/.gerbil"],
  ];
  command.addOption(withVariables(variables, completing("files", option))).hook(
    "preAction",
    (self) => {
      const { gerbilPath } = self.opts() as { gerbilPath?: string };
      if (gerbilPath !== undefined) Deno.env.set("GERBIL_PATH", gerbilPath);
    },
  );
}

/** `--log`, with the level that holds when it is not given. */
export const logOption = (level: LogLevel) =>
  completing(
    { noun: "log level", words: LOG_LEVELS, anyCase: true },
    new Option("--log <logging>", "specifies the log level to run with")
      .default(level, formatLogLevel(level)).argParser<LogLevel>(reading(parseLogLevel)),
  );

// Commands that print a result.

/** The option of the commands that have a result. */
export interface OutputOptions {
  /** Whether the result is printed as JSON. */
  json: boolean;
}

/** `--json`. */
export const jsonOption = () => new Option("--json", "prints the result as JSON").default(false);

/** `--view`, of the commands that generate something. */
export const viewOption = () =>
  new Option(
    "-v, --view",
    "prints what there is, by fingerprints and without its secrets, instead",
  ).default(false).conflicts("force");

/** `--force`, with what it forces. */
export const forceOption = (what: string) =>
  new Option("-f, --force", `force the action: ${what}`).default(false);

/** `--passphrase-file`. */
export const passphraseFileOption = () =>
  completing(
    "files",
    new Option(
      "--passphrase-file <file>",
      "reads the passphrase from the first line of a file instead of asking for it",
    ),
  );

// Commands that talk to servers.

/** The options of every command that talks to the servers of the ensemble. */
export interface ClientOptions {
  /** The least severe level that is logged. */
  log: LogLevel;
  /** Where the registry is; none when not given. */
  registry: Address[];
  /** How long to wait for each answer, in ms; when not given, each command as long as makes sense for it. */
  timeout?: number | undefined;
}

/** Adds the options of a command that asks servers and prints the answer. */
export function addClientOptions(command: Command) {
  return command
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"));
}

/** Where the sockets of a host are. */
const SOCKET_DIRECTORY: Variable = [
  "ENSEMBLE_SOCKET_DIR",
  "the directory of the unix sockets: a server listens at $ENSEMBLE_SOCKET_DIR/<server-id>",
  "/tmp/ensemble",
];

/** Where the registry is. */
const REGISTRY: Variable = [
  "ENSEMBLE_REGISTRY",
  "where the registry is when --registry is not given",
  "what the file known-servers says, else $ENSEMBLE_SOCKET_DIR/registry",
];

/** `--registry`; the default is the seed's, which the help's part on the environment makes precise. */
export const registryOption = () =>
  withVariables(
    [REGISTRY, SOCKET_DIRECTORY],
    completing(
      "nothing",
      new Option(
        "--registry <registry>",
        "additional registry addresses; by default the registry is reachable at unix " +
          "/tmp/ensemble/registry [default: #f]; when given, only these are used",
      ).default<Address[]>([]).argParser<Address[]>(collecting(parseRegistry)),
    ),
  );

/** Where the registry is, is not left open by an empty text: a variable in a script may not be set. */
function parseRegistry(text: string): Address[] {
  const addresses = parseAddresses(text);
  if (addresses.length === 0) throw new InvalidInputError("no address of the registry");
  return addresses;
}

/** `--timeout`, in ms; where it is not given, `usual` says how long. */
export const timeoutOption = (usual = `${DEFAULT_ASK_TIMEOUT / 1000}`) =>
  completing(
    "nothing",
    new Option("--timeout <seconds>", "how long to wait for an answer")
      .default<number | undefined>(undefined, usual)
      .argParser<number | undefined>(
        reading((text) => parseSeconds(text, { isZeroAllowed: false })),
      ),
  );

/** What `--timeout` is where a command waits for code of others. */
export const AS_LONG_AS_IT_TAKES = "as long as it takes";

/** `<server-id>`. */
export const serverIdArgument = () =>
  completing(
    "servers",
    new Argument("<server-id>", "the server id").argParser(reading(checkServerId)),
  );

/** A server, or an actor in it. */
export interface NamedDestination {
  /** The server. */
  readonly server: string;
  /** The actor; undefined for the server itself. */
  readonly actor: ActorId | undefined;
}

/** `<server-id>` of the commands that also take `[actor-id]`: an actor can be given in one word, `actor@server`. */
export const destinationArgument = () =>
  completing(
    "destinations",
    new Argument("<server-id>", "the server id").argParser(reading(parseDestination)),
  );

/** Reads `server` or `actor@server`. */
export function parseDestination(text: string): NamedDestination {
  if (!text.includes("@")) return { server: checkServerId(text), actor: undefined };
  return ActorRef.parse(text);
}

/** The actor of a command, which is named as `[actor-id]` or before an `@`, and not twice. */
export function namedActor(
  { server, actor }: NamedDestination,
  { actorId, command }: { actorId: ActorId | undefined; command: CommandUnknownOpts },
): ActorId | undefined {
  if (actor !== undefined && actorId !== undefined) {
    command.error(`two actors are named: ${actor}@${server} and ${actorId}`);
  }
  return actor ?? actorId;
}

/** `<server-id>` of the commands that take several servers, `a,b` or `(a b)`, or roles with `--role`. */
export const serverListArgument = () =>
  completing(
    "server list",
    new Argument("<server-id>", "the server id").argParser(reading(parseNames)),
  );

/** `--role`, of those commands. */
export const roleOption = () =>
  new Option("--role", "the server id is a role, and stands for the servers that have it")
    .default(false);

/** Reads one name or several, each once: ids or roles, which the options say. */
export function parseNames(text: string): string[] {
  const names = /[\s,()]/.test(text) ? parseSymbols(text) : [text];
  if (names.length === 0) throw new InvalidInputError("no server id is given");
  return [...new Set(names)];
}

/** The servers of a command. */
export type NamedServers =
  | { readonly ids: readonly string[] }
  /** All that have one of these. */
  | { readonly roles: readonly string[] };

/** What {@linkcode serverListArgument} names, once the options are known. */
export function namedServers(
  names: readonly string[],
  { role, command }: { role: boolean; command: CommandUnknownOpts },
): NamedServers {
  if (role) return { roles: names.map((name) => readRole(name, command)) };
  return { ids: names.map((name) => readServerId(name, command)) };
}

/** An argument that is a server id only without `--role` is read once the options are known. */
export function readServerId(text: string, command: CommandUnknownOpts): string {
  try {
    return checkServerId(text);
  } catch (error) {
    command.error((error as Error).message);
  }
}

/** A server, or an actor in it, that is read once the options are known. */
export function readDestination(text: string, command: CommandUnknownOpts): NamedDestination {
  try {
    return parseDestination(text);
  } catch (error) {
    command.error((error as Error).message);
  }
}

/** The role after `--role`. It must not be empty: a variable in a script may be unset. */
export function readRole(text: string, command: CommandUnknownOpts): string {
  if (text === "") command.error("the role is empty");
  return text;
}

/** `[actor-id]`. */
export const actorIdArgument = () =>
  completing(
    "actors",
    new Argument("[actor-id]", "the actor's registered name").default(undefined, "#f")
      .argParser<ActorId | undefined>(parseActorId),
  );

/** `--library-prefix`; the default is always part of the list. */
export const libraryPrefixOption = () =>
  completing(
    "nothing",
    new Option(
      "--library-prefix <library-prefix>",
      "list of package prefixes to consider as library modules installed in the server",
    ).default<string[]>(["@gxensemble/"], "(@gxensemble/)").argParser<string[]>(
      collecting(parseSymbols),
    ),
  );

/** `<module-id>`. */
export const moduleIdArgument = () =>
  completing(
    "files",
    new Argument("<module-id>", "the module id").argParser(reading(parseModuleId)),
  );

/** `run` leaves what follows the server id alone: an option there was meant for `run` itself. */
export function parseModuleId(text: string): string {
  if (text.startsWith("-")) {
    throw new InvalidInputError(
      `options come before the arguments; a file of that name is ./${text}`,
    );
  }
  return text;
}

// Commands that run a server.

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

/** `--log-file`. */
export const logFileOption = () =>
  completing(
    "files",
    new Option(
      "--log-file <logging-file>",
      "specifies a log file instead of logging to stderr; if it is - then the log will be written " +
        "into the ensemble server directory log",
    ).default(undefined, "#f"),
  );

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
  withVariables(
    [SOCKET_DIRECTORY],
    completing(
      "nothing",
      new Option(
        "-l, --listen <listen>",
        "additional addresses to listen to; by default the server listens at unix " +
          "/tmp/ensemble/<server-id>",
      ).default<Address[]>([], "()").argParser<Address[]>(collecting(parseAddresses)),
    ),
  );

/** `--announce`. */
export const announceOption = () =>
  completing(
    "nothing",
    new Option(
      "-a, --announce <announce>",
      "public addresses to announce to the registry; by default these are the listen addresses",
    ).default(undefined, "#f").argParser<Address[] | undefined>(collecting(parseAddresses)),
  );

/** `--no-loader`. */
export const noLoaderOption = () =>
  new Option(
    "--no-loader",
    "takes no code from others: load, eval and repl are always refused",
  );

/**
 * Refuses the id of the registry to other servers.
 *
 * @throws {EnsembleError} when it is that.
 */
export function requireOrdinaryId(id: string): void {
  if (id !== REGISTRY_ID) return;
  throw new EnsembleError(
    "the id registry is that of the registry: run it with gxensemble registry",
  );
}

/** What `run` is told, and the executables of servers. */
export interface RunOptions extends ServerOptions {
  /** Where the registry is; none when not given. */
  registry: Address[];
  /** What the server does in the ensemble. */
  roles: string[];
  /** How long the server may take to stop, in ms. */
  grace: number;
  /** Whether it takes code from others. */
  loader: boolean;
  /** The permissions that it does without. */
  deny: Denial[];
}

/** What a program says itself, where its command line does not. */
export type RunDefaults = Pick<
  StartServerOptions,
  "roles" | "listen" | "announce" | "registry" | "grace" | "log"
>;

/**
 * Adds the options of `run` to a command. Roles and addresses to listen at that are given are added to the program's
 * own; all other options replace what the program says.
 */
export function addRunOptions(command: Command, defaults: RunDefaults = {}) {
  const { roles, listen, announce, registry, grace, log } = defaults;
  const { level = "info", file, format } = log || {};
  const addresses = (list: AddressList) => readAddresses(list).map(formatAddressUrl).join(",");
  return passOptionsThrough(command)
    .addOption(logOption(level))
    .addOption(withDefault(logFileOption(), { value: file, text: file }))
    .addOption(
      withDefault(
        listenOption(),
        listen && { value: readAddresses(listen), text: addresses(listen) },
      ),
    )
    .addOption(withDefault(announceOption(), announce && { text: addresses(announce) }))
    .addOption(withDefault(registryOption(), registry && { text: addresses(registry) }))
    .addOption(
      withDefault(
        rolesOption(),
        roles && { value: [...roles], text: formatNotation(roles.map(symbol)) },
      ),
    )
    .addOption(withDefault(logFormatOption(), { value: format, text: format }))
    .addOption(withDefault(graceOption(), { value: grace, text: grace && `${grace / 1000}` }))
    .addOption(noLoaderOption())
    .addOption(denyOption());
}

/** An option with another default, if there is one. */
function withDefault<Own extends Option>(
  option: Own,
  { value, text }: { value?: unknown; text?: string | number | undefined } = {},
): Own {
  if (text !== undefined) option.default(value ?? option.defaultValue, String(text));
  return option;
}

const rolesOption = () =>
  completing(
    "roles",
    new Option("--roles <roles>", "server role(s); a list of symbols")
      .default<string[]>([], "()").argParser<string[]>(collecting(parseRoles)),
  );

function parseRoles(text: string): string[] {
  const roles = parseSymbols(text);
  if (roles.includes("")) throw new InvalidInputError("a role is not empty");
  return roles;
}

const graceOption = () =>
  completing(
    "nothing",
    new Option(
      "--grace <seconds>",
      "how long the server may take to stop, its actors and main together",
    ).default<number>(DEFAULT_GRACE, `${DEFAULT_GRACE / 1000}`).argParser<number>(
      reading((text) => parseSeconds(text, { isZeroAllowed: true })),
    ),
  );

const denyOption = () =>
  completing(
    { noun: "permission", words: PERMISSIONS, list: true },
    new Option(
      "--deny <permissions>",
      "permissions of Deno that main, and code that is loaded later, do without: read, write, net, env, run, " +
        "ffi, sys, import, or a part like write=/etc; what the server itself needs it keeps",
    ).default<Denial[]>([], "none").argParser<Denial[]>(collecting(parseDenials)),
  );
