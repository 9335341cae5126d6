/**
 * The options and arguments that several commands share, and what their values become.
 *
 * @module
 */
import { Argument, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { collecting, reading } from "../registry/options.ts";
import { checkCapabilities } from "../runtime/actor/capability.ts";
import { DEFAULT_ASK_TIMEOUT } from "../runtime/actor/messaging.ts";
import type { ActorId } from "../runtime/actor/ref.ts";
import { parseServerId, REGISTRY_ID, type ServerId } from "../runtime/actor/server_id.ts";
import { EnsembleError, InvalidInputError } from "../runtime/errors.ts";
import { DEFAULT_GRACE } from "../runtime/ensemble/grace.ts";
import { parseSeconds } from "../runtime/ensemble/seconds.ts";
import type { LogLevel } from "../runtime/ensemble/log_options.ts";
import { type Address, parseAddresses } from "../runtime/wire/address.ts";
import { parseSymbols } from "../runtime/wire/notation.ts";
import { TARGETS } from "./executables/target.ts";

/** The options of every command that talks to the servers of the ensemble. */
export interface ClientOptions {
  /** The least severe level that is logged. */
  log: LogLevel;
  /** Where the registry is; none when not given. */
  registry: Address[];
  /** How long to wait for each answer, in ms; when not given, each command as long as makes sense for it. */
  timeout?: number | undefined;
}

/** The option of the commands that have a result. */
export interface OutputOptions {
  /** Whether the result is printed as JSON. */
  json: boolean;
}

/** An argument that the help shows as required, and that only the command's `--list` does without. */
export class ArgumentUnlessListing extends Argument<`[${string}]`> {
  /** Read by the form of the help. */
  readonly shownAsRequired = true;

  /** Makes the argument. */
  constructor(name: string, description: string) {
    super(`[${name}]`, description);
  }
}

function parseRoles(text: string): string[] {
  const roles = parseSymbols(text);
  if (roles.includes("")) throw new InvalidInputError("a role is not empty");
  return roles;
}

/** `run` leaves what follows the server id alone: an option there was meant for `run` itself. */
function parseModuleId(text: string): string {
  if (text.startsWith("-")) {
    throw new InvalidInputError(
      `options come before the arguments; a file of that name is ./${text}`,
    );
  }
  return text;
}

/** `<server-id>`. */
export const serverIdArgument = () =>
  new Argument("<server-id>", "the server id").argParser(reading(parseServerId));

/**
 * Refuses the id of the registry to other servers.
 *
 * @throws {EnsembleError} when it is that.
 */
export function requireOrdinaryId(id: ServerId): void {
  if (id !== REGISTRY_ID) return;
  throw new EnsembleError(
    "the id registry is that of the registry: run it with gxensemble registry",
  );
}

/** `<server-id>` of the commands that take several servers, `a,b` or `(a b)`, or roles with `--role`. */
export const serverListArgument = () =>
  new Argument("<server-id>", "the server id").argParser(reading(parseNames));

/** `--role`, of those commands. */
export const roleOption = () =>
  new Option("--role", "the server id is a role, and stands for the servers that have it")
    .default(false);

/** `<server-id> ...`, any number of them. */
export const serverIdsArgument = () =>
  new Argument("<server-id...>", "the server ids").argParser<ServerId[]>(
    collecting(parseServerIds),
  );

/** `[server-id]`, one or several, of the command that without one means the whole ensemble. */
export const optionalServerListArgument = () =>
  new Argument("[server-id]", "the server id").default(undefined, "#f")
    .argParser<string[] | undefined>(reading(parseNames));

/** Reads one server id or several, each once. */
function parseServerIds(text: string): ServerId[] {
  return parseNames(text).map(parseServerId);
}

/** Reads one name or several, each once: ids or roles, which the options say. */
function parseNames(text: string): string[] {
  const names = /[\s,()]/.test(text) ? parseSymbols(text) : [text];
  if (names.length === 0) throw new InvalidInputError("no server id is given");
  return [...new Set(names)];
}

/** `[actor-id]`. */
export const actorIdArgument = () =>
  new Argument("[actor-id]", "the actor's registered name").default(undefined, "#f")
    .argParser<ActorId | undefined>(parseActorId);

/** Digits alone are a serial number, as in references. */
function parseActorId(text: string): ActorId {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** `<module-id>`. */
export const moduleIdArgument = () =>
  new Argument("<module-id>", "the module id").argParser(reading(parseModuleId));

/** `<module-id>` of `load`, whose `--list` does without it. */
export const loadedModuleIdArgument = () =>
  new ArgumentUnlessListing("module-id", "the module id").argParser<string | undefined>(
    reading(parseModuleId),
  );

/** `--grace`, in ms. */
export const graceOption = () =>
  new Option(
    "--grace <seconds>",
    "how long the server may take to stop, its actors and main together",
  ).default<number>(DEFAULT_GRACE, `${DEFAULT_GRACE / 1000}`).argParser<number>(
    reading((text) => parseSeconds(text, { isZeroAllowed: true })),
  );

/** Where the registry is, is not left open by an empty text: a variable in a script may not be set. */
function parseRegistry(text: string): Address[] {
  const addresses = parseAddresses(text);
  if (addresses.length === 0) throw new InvalidInputError("no address of the registry");
  return addresses;
}

/** `--registry`; the default is the seed's, which the help's part on the environment makes precise. */
export const registryOption = () =>
  new Option(
    "--registry <registry>",
    "additional registry addresses; by default the registry is reachable at unix " +
      "/tmp/ensemble/registry [default: #f]; when given, only these are used",
  ).default<Address[]>([]).argParser<Address[]>(collecting(parseRegistry));

/** `--timeout`, in ms; where it is not given, `usual` says how long. */
export const timeoutOption = (usual = `${DEFAULT_ASK_TIMEOUT / 1000}`) =>
  new Option("--timeout <seconds>", "how long to wait for an answer")
    .default<number | undefined>(undefined, usual)
    .argParser<number | undefined>(
      reading((text) => parseSeconds(text, { isZeroAllowed: false })),
    );

/** What `--timeout` is where a command waits for code of others. */
export const AS_LONG_AS_IT_TAKES = "as long as it takes";

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

/** `--force`, with what it forces. */
export const forceOption = (what: string) =>
  new Option("-f, --force", `force the action: ${what}`).default(false);

/** `--view`, of the commands that generate something. */
export const viewOption = () =>
  new Option(
    "-v, --view",
    "prints what there is, by fingerprints and without its secrets, instead",
  ).default(false).conflicts("force");

/** `--json`. */
export const jsonOption = () => new Option("--json", "prints the result as JSON").default(false);

/** `--passphrase-file`. */
export const passphraseFileOption = () =>
  new Option(
    "--passphrase-file <file>",
    "reads the passphrase from the first line of a file instead of asking for it",
  );

/** `<authorized-server-id>` of `authorize`, whose `--list` does without it. */
export const authorizedServerIdArgument = () =>
  new ArgumentUnlessListing("authorized-server-id", "the server to authorize capabilities for")
    .argParser<ServerId | undefined>(reading(parseServerId));

/** `[capabilities]`. */
export const capabilitiesArgument = () =>
  new Argument("[capabilities]", "the server capabilities to authorize")
    .default<string[]>(["admin"], "(admin)").argParser<string[]>(reading(readCapabilities));

function readCapabilities(text: string): string[] {
  return checkCapabilities(parseSymbols(text));
}

/** `<authorized-server-id>`, of `retract`. */
export const retractedServerIdArgument = () =>
  new Argument("<authorized-server-id>", "the server to retract capabilities from")
    .argParser(reading(parseServerId));

/** `--output`. */
export const outputOption = () =>
  new Option(
    "-o, --output <file>",
    "the executable to write; by default it is named after the module, in this directory",
  );

/** `--include`. */
export const includeOption = () =>
  new Option(
    "--include <path>",
    "a file or directory that the program reads at run time, below the directory of its module; " +
      "may be given several times",
  ).default<string[]>([], "none").argParser<string[]>(collecting((path) => [path]));

/** `--target`. */
export const targetOption = () =>
  new Option(
    "--target <platform>",
    `the platform to compile for, by default this one: ${TARGETS.join(", ")}`,
  )
    .choices(TARGETS);

/** `--portable`. */
export const portableOption = () =>
  new Option(
    "--portable",
    "makes the form that takes no runtime from the internet: the executable has a whole Deno, " +
      "and unpacks it at its first start",
  ).default(false);
