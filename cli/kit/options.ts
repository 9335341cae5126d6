/**
 * The options and arguments that several commands share, and the parsers of their values.
 *
 * @module
 */
import { resolve } from "node:path";
import {
  Argument,
  type Command,
  type CommandUnknownOpts,
  Option,
  type OptionValues,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { DEFAULT_ASK_TIMEOUT } from "../../runtime/actor/messaging.ts";
import { checkGroupName } from "../../runtime/actor/memberships.ts";
import {
  type ActorId,
  ActorRef,
  checkServerId,
  parseActorId,
  REGISTRY_ID,
} from "../../runtime/actor/references.ts";
import { DEFAULT_GRACE, type StartServerOptions } from "../../runtime/ensemble/start_options.ts";
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import { type Denial, parseDenials, PERMISSIONS } from "../../runtime/home/denials.ts";
import {
  formatLogLevel,
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  type LogOptions,
  parseLogLevel,
} from "../../runtime/home/log_options.ts";
import { parseSeconds } from "../../runtime/measures.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import { formatNotation, parseSymbols, symbol } from "../../runtime/notation.ts";
import { checkCapabilities } from "../../runtime/server/capability_names.ts";
import type { ServerState } from "../../runtime/server/registry_protocol.ts";
import {
  type Address,
  formatAddress,
  formatAddressUrl,
  parseAddresses,
  readAddresses,
} from "../../runtime/wire/address.ts";
import {
  collecting,
  completing,
  passOptionsThrough,
  reading,
  type Variable,
  withVariables,
} from "./declaration.ts";
import { httpOption, type HttpOptions, httpTokenOption } from "./http_options.ts";

// Every command.

/** The help's heading for options that every command has. */
export const GLOBAL_OPTIONS = "Global Options:";

/** The help's heading for options of commands that take several servers. */
export const SEVERAL_SERVERS = "Several Servers:";

/** The help's heading for the way through a supervisor. */
export const THROUGH_A_SUPERVISOR = "Through a Supervisor:";

/** The help's heading for options of roll-outs. */
export const ROLL_OUTS = "Roll-outs:";

/**
 * Resolves `--gerbil-path` to an absolute path, since servers and commands may change their
 * directory.
 */
export function parseGerbilPath(text: string): string {
  if (text === "") throw new InvalidInputError("the directory is empty");
  return resolve(text);
}

/**
 * Gives a command `--gerbil-path`, which sets the environment variable before the command runs. One that has
 * the option already gives it a meaning of its own.
 */
export function addGerbilPath(command: CommandUnknownOpts): void {
  if (command.options.some(({ long }) => long === "--gerbil-path")) return;
  const option = new Option(
    "-G, --gerbil-path <dir>",
    "directory of the ensemble's state, <dir>/ensemble",
  ).default(undefined, "$GERBIL_PATH").argParser(reading(parseGerbilPath))
    .helpGroup(GLOBAL_OPTIONS);
  const variables: Variable[] = [
    ["GERBIL_PATH", "the ensemble's state is in $GERBIL_PATH/ensemble", "~/.gerbil"],
  ];
  command.addOption(withVariables(variables, completing("files", option))).hook(
    "preAction",
    (self) => {
      const { gerbilPath } = self.opts() as { gerbilPath?: string };
      if (gerbilPath !== undefined) Deno.env.set("GERBIL_PATH", gerbilPath);
    },
  );
}

/** `--log`, with its default level. */
export const logOption = (level: LogLevel) =>
  completing(
    { noun: "log level", words: LOG_LEVELS, anyCase: true },
    new Option("--log <logging>", "specifies the log level to run with")
      .default(level, formatLogLevel(level)).argParser<LogLevel>(reading(parseLogLevel)),
  );

// Commands that print a result.

/** The option of the commands that have a result. */
export interface OutputOptions {
  /** Whether to print the result as JSON. */
  json: boolean;
}

/** `--json`. */
export const jsonOption = (what = "prints the result as JSON") =>
  new Option("--json", what).default(false);

/** `--long`, with a description of what it adds. */
export const longOption = (what: string) =>
  new Option("--long", `${what}: a table on a terminal, tabs between values elsewhere`)
    .default(false);

/** `--view`, for commands that generate something. */
export const viewOption = () =>
  new Option(
    "-v, --view",
    "prints fingerprints, and changes nothing",
  ).default(false).conflicts("force");

/** `--force`, with a description of its effect. */
export const forceOption = (what: string) =>
  new Option("-f, --force", `force the action: ${what}`).default(false);

/** `--passphrase-file`. */
export const passphraseFileOption = () =>
  completing(
    "files",
    new Option(
      "--passphrase-file <file>",
      "file whose first line is the passphrase; by default you are asked for it",
    ),
  );

// Commands about the configuration of a host.

/** The option of the commands that read the configuration of a host. */
export interface ConfigOptions {
  /** The file. Default: `ensemble.jsonc` in the state directory. */
  config?: string | undefined;
}

/** `--config`. */
export const configOption = () =>
  completing(
    "files",
    new Option("--config <file>", "the configuration of the host's supervisor")
      .default<string | undefined>(undefined, "$GERBIL_PATH/ensemble/ensemble.jsonc"),
  );

/** The absolute path of the configuration. */
export function configurationPath({ config }: ConfigOptions): string {
  if (config === "") throw new InvalidInputError("the name of the configuration is empty");
  return config === undefined ? findPlaces().configuration : resolve(config);
}

// Commands that talk to servers.

/** The options of every command that talks to the servers of the ensemble. */
export interface ClientOptions {
  /** The least severe level that is logged. */
  log: LogLevel;
  /** The registry's addresses; empty if not given. */
  registry: Address[];
  /** Timeout for each answer, in ms; by default, each command has its own. */
  timeout?: number | undefined;
  /** The supervisor through which servers are reached. */
  supervisor?: string | undefined;
}

/** Adds the options of a command that asks servers and prints the answer. */
export function addClientOptions(command: Command) {
  return command
    .addOption(registryOption())
    .addOption(supervisorOption())
    .addOption(supervisorPassphraseOption())
    .addOption(timeoutOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"));
}

/** The environment variable for the socket directory. */
const SOCKET_DIRECTORY: Variable = [
  "ENSEMBLE_SOCKET_DIR",
  "the directory of the unix sockets: a server listens at $ENSEMBLE_SOCKET_DIR/<server-id>",
  "/tmp/ensemble",
];

/** The environment variable for the registry's addresses. */
const REGISTRY: Variable = [
  "ENSEMBLE_REGISTRY",
  "registry addresses, if --registry is not given",
  "those in the file known-servers, else $ENSEMBLE_SOCKET_DIR/registry",
];

/** `--registry`. The section on the environment in the help gives the exact default. */
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

/** `--supervisor`. */
export const supervisorOption = () =>
  completing(
    "supervisors",
    new Option(
      "-s, --supervisor <server-id>",
      "reaches the servers through the supervisor of their host, at their UNIX sockets there",
    ).argParser<string | undefined>(reading(checkServerId)).helpGroup(THROUGH_A_SUPERVISOR),
  );

/** `--passphrase-file`, of commands that take no capability but that for `--supervisor`. */
export const supervisorPassphraseOption = () =>
  passphraseFileOption().helpGroup(THROUGH_A_SUPERVISOR);

/**
 * Parses the registry's addresses. An empty text is an error, since a variable in a script may be
 * unset.
 */
function parseRegistry(text: string): Address[] {
  const addresses = parseAddresses(text);
  if (addresses.length === 0) throw new InvalidInputError("no registry address given");
  return addresses;
}

/** `--timeout`, in ms; the help shows `usual` as its default. */
export const timeoutOption = (usual = `${DEFAULT_ASK_TIMEOUT / 1000}`) =>
  completing(
    "nothing",
    new Option("--timeout <seconds>", "seconds to wait for each answer")
      .default<number | undefined>(undefined, usual)
      .argParser<number | undefined>(
        reading((text) => parseSeconds(text, { isZeroAllowed: false })),
      ),
  );

/** The default of `--timeout` for commands that wait for user code. */
export const NO_LIMIT = "no limit";

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

/** `--role`, of commands that do not name servers. */
export const ofRoleOption = () =>
  completing(
    "role",
    new Option("--role <role>", "only servers with this role")
      .argParser<string | undefined>(reading(parseRole)),
  );

/** `--group`, of commands that do not name servers. */
export const ofGroupOption = () =>
  completing(
    "groups",
    new Option("--group <group>", "only servers with actors in this group")
      .argParser<string | undefined>(reading(parseGroup)).conflicts("role"),
  );

/** Parses the name of a group. */
export function parseGroup(text: string): string {
  return checkGroupName(text);
}

/** All states: those of the protocol, which would take long to load at the start. */
const STATES = ["starting", "up", "draining", "unreachable"] as const satisfies ServerState[];

/** The states of servers that are running, as far as the registry knows. */
export const RUNNING_STATES: readonly ServerState[] = ["starting", "up", "draining"];

/** `--state`; the help shows `usual` as its default. */
export const stateOption = (usual: string) =>
  new Option("--state <state>", "only servers in this state, or any: in every state")
    .choices([...STATES, "any"] as const)
    .default<ServerState | "any" | undefined>(undefined, usual);

/** The states that `--state` names; without it, `usual`. */
export function namedStates(
  state: ServerState | "any" | undefined,
  usual: readonly ServerState[] = STATES,
): readonly ServerState[] {
  return state === "any" ? STATES : state === undefined ? usual : [state];
}

/**
 * Adds the options that end the list of a command that works in servers: the proof of an
 * administrator, the result, the log.
 */
export function addResultOptions<Args extends unknown[], Options extends OptionValues>(
  command: Command<Args, Options>,
) {
  return command
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"));
}

/** Parses an operand whose meaning depends on options. A wrong one is wrong usage. */
export function readOperand<Value>(parse: () => Value, command: CommandUnknownOpts): Value {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    command.error(error.message);
  }
}

/** Parses an argument that is a server id unless an option says otherwise. */
export function readServerId(text: string, command: CommandUnknownOpts): string {
  return readOperand(() => checkServerId(text), command);
}

/** A server, or an actor in it, that is parsed once the options are known. */
export function readDestination(text: string, command: CommandUnknownOpts): NamedDestination {
  return readOperand(() => parseDestination(text), command);
}

/** The role after `--role`. */
export function readRole(text: string, command: CommandUnknownOpts): string {
  return readOperand(() => parseRole(text), command);
}

/** Refuses an empty role: a variable in a script may be unset. */
export function parseRole(text: string): string {
  if (text === "") throw new InvalidInputError("the role is empty");
  return text;
}

/** `[actor-id]`. */
export const actorIdArgument = () =>
  completing(
    "actors",
    new Argument("[actor-id]", "the actor's registered name").default(undefined, "#f")
      .argParser<ActorId | undefined>(parseActorId),
  );

/** `--library-prefix`; the default is always included. */
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

/**
 * Refuses an option in place of the module id: commander passes everything after the server id of
 * `run` through.
 */
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
  /** The file to log to; `-` for the log in the server's directory. Default: standard error. */
  logFile?: string;
  /** The format of log records. */
  logFormat: LogFormat;
  /** Addresses to listen to besides the default UNIX socket. */
  listen: Address[];
  /** Addresses to announce to the registry. Default: the addresses it listens on. */
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
    "log format: text, or json with one object per line",
  ).choices(LOG_FORMATS).default<LogFormat>("text", "text");

/** Converts `--log`, `--log-file` and `--log-format` to a server's log options. */
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
    "refuses load, eval and repl from every client",
  );

/** Refuses the registry's id for other servers.
 *
 * @throws {EnsembleError} if it is the registry's id.
 */
export function requireOrdinaryId(id: string): void {
  if (id !== REGISTRY_ID) return;
  throw new EnsembleError(
    'the id "registry" is reserved: to run the registry, use gxensemble registry',
  );
}

/** Options of `run` and of server executables. */
export interface RunOptions extends ServerOptions, HttpOptions {
  /** The registry's addresses; empty if not given. */
  registry: Address[];
  /** The server's roles. */
  roles: string[];
  /** Time that the server has to stop, in ms. */
  grace: number;
  /** Whether it accepts code from clients. */
  loader: boolean;
  /** The permissions to deny. */
  deny: Denial[];
  /** The capabilities of other servers in it. */
  authorize: Authorization[];
}

/** The capabilities of another server. */
export interface Authorization {
  /** Its id. */
  readonly server: string;
  /** Its capabilities. */
  readonly capabilities: readonly string[];
}

/** A program's own defaults for options that its command line leaves out. */
export type RunDefaults = Pick<
  StartServerOptions,
  "roles" | "listen" | "announce" | "registry" | "grace" | "log"
>;

/**
 * Adds the options of `run` to a command. Given roles and listen addresses are added to the
 * program's own; all other options replace the program's defaults.
 */
export function addRunOptions(command: Command, defaults: RunDefaults = {}) {
  const { roles, listen, announce, registry, grace, log } = defaults;
  const { level = "info", file, format } = log || {};
  const addresses = (list: readonly string[]) =>
    readAddresses(list).map(formatAddressUrl).join(",");
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
    .addOption(httpOption())
    .addOption(httpTokenOption())
    .addOption(noLoaderOption())
    .addOption(denyOption())
    .addOption(authorizeOption());
}

/** Changes an option's default, if one is given. */
function withDefault<Own extends Option>(
  option: Own,
  { value, text }: { value?: unknown; text?: string | number | undefined } = {},
): Own {
  if (text !== undefined) option.default(value ?? option.defaultValue, String(text));
  return option;
}

/** `--roles`. */
export const rolesOption = () =>
  completing(
    "roles",
    new Option("--roles <roles>", "server role(s); a list of symbols")
      .default<string[]>([], "()").argParser<string[]>(collecting(parseRoles)),
  );

function parseRoles(text: string): string[] {
  const roles = parseSymbols(text);
  if (roles.includes("")) throw new InvalidInputError("a role must not be empty");
  return roles;
}

const graceOption = () =>
  completing(
    "nothing",
    new Option(
      "--grace <seconds>",
      "time that the actors and main have to stop, in seconds",
    ).default<number>(DEFAULT_GRACE, `${DEFAULT_GRACE / 1000}`).argParser<number>(
      reading((text) => parseSeconds(text, { isZeroAllowed: true })),
    ),
  );

const denyOption = () =>
  completing(
    { noun: "permission", words: PERMISSIONS, list: true },
    new Option(
      "--deny <permissions>",
      "Deno permissions to take away from main and loaded code: read, write, net, env, run, ffi, sys, import, or a part like write=/etc; the server keeps what it needs",
    ).default<Denial[]>([], "none").argParser<Denial[]>(collecting(parseDenials)),
  );

const authorizeOption = () =>
  completing(
    "nothing",
    new Option(
      "--authorize <server-id=capabilities>",
      "capabilities of another server in this one, such as deployer=loader,shutdown; may be repeated",
    ).default<Authorization[]>([], "none").argParser<Authorization[]>(
      collecting((text) => [parseAuthorization(text)]),
    ),
  );

/** Parses `deployer=loader,shutdown`, or `deployer=(loader shutdown)`. */
function parseAuthorization(text: string): Authorization {
  const [, server, list] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (server === undefined || list === undefined) {
    throw new InvalidInputError(
      `write <server-id>=<capabilities>, such as deployer=loader,shutdown`,
    );
  }
  return { server: checkServerId(server), capabilities: checkCapabilities(parseSymbols(list)) };
}

/** Capabilities by server id, in the form for `startServer`: those of a program, and those given. */
export function capabilitiesById(
  given: readonly Authorization[],
  own: StartServerOptions["capabilities"] = {},
): Record<string, readonly string[]> {
  const all = new Map(Object.entries(own));
  for (const { server, capabilities } of given) {
    all.set(server, [...new Set([...all.get(server) ?? [], ...capabilities])]);
  }
  return Object.fromEntries(all);
}

/**
 * The addresses of options in the form for `startServer` that keeps the host of a UNIX socket.
 */
export function addressTexts(
  { listen, announce, registry = [] }: {
    listen: readonly Address[];
    announce?: readonly Address[] | undefined;
    registry?: readonly Address[];
  },
): { listen: string[]; announce: string[] | undefined; registry: string[] } {
  return {
    listen: listen.map(formatAddress),
    announce: announce?.map(formatAddress),
    registry: registry.map(formatAddress),
  };
}
