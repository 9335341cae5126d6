/**
 * The options and arguments of the commands that work in a set of servers: `a,b`, `--role`, `--all`.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
  Option,
  type OptionValues,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { type ActorId, checkActorId } from "../../runtime/actor/references.ts";
import { InvalidInputError } from "../../runtime/errors.ts";
import type { ServerState } from "../../runtime/server/registry_protocol.ts";
import { parseSymbols } from "../../runtime/notation.ts";
import { quoted } from "../../runtime/safe_text.ts";
import { collecting, completing, reading } from "./declaration.ts";
import {
  namedActor,
  parseRole,
  readDestination,
  readOperand,
  readServerId,
  registryOption,
  SEVERAL_SERVERS,
  supervisorOption,
  timeoutOption,
} from "./options.ts";

/** The servers of a command. */
export type ServerSet =
  | { readonly ids: readonly string[] }
  /** All servers that run and have one of these roles. */
  | { readonly roles: readonly string[] }
  /** All servers that run, but the registry. */
  | "all";

/** The servers of a command for a group: all in these states that have members. */
export interface GroupServers {
  /** The group. */
  readonly group: string;
  /** The states. */
  readonly states: readonly ServerState[];
}

/** The options that name servers in place of their ids. */
export interface SetOptions {
  /** Their roles. */
  readonly role?: readonly string[] | undefined;
  /** Whether all servers are meant. */
  readonly all?: boolean;
}

/** The options of work in several servers at the same time. */
export interface ParallelOptions {
  /** The number of servers to work in at the same time. */
  readonly concurrency?: number;
  /** Whether to start in no other server after the first failure. */
  readonly failFast?: boolean;
}

/** The default number of servers that a command works in at the same time. Each needs a connection. */
export const AT_ONCE: number = 64;

/** The maximum of `--concurrency`. */
const MAX_AT_ONCE = 10_000;

/**
 * Stands in the place of the server id when an option names the servers, so that the other
 * arguments keep their places. No argument of a process can contain it.
 */
const REPLACED = "\0";

/**
 * A command whose first argument is {@linkcode serverListArgument} or one like it, which `--role`
 * and `--all` replace.
 */
export class ServersCommand extends Command {
  /** Parses options as commander does, and keeps the place of the server id. */
  override parseOptions(args: string[]): ReturnType<Command["parseOptions"]> {
    const parsed = super.parseOptions(args);
    const flag = replacingOption(this.opts());
    if (flag === undefined) return parsed;
    const excess = parsed.operands[this.registeredArguments.length - 1];
    if (excess !== undefined && !this.registeredArguments.at(-1)!.variadic) {
      this.error(`error: ${flag} takes the place of the server id: ${quoted(excess)} is too much`);
    }
    return { ...parsed, operands: [REPLACED, ...parsed.operands] };
  }
}

/** Whether a command's first argument is absent when one of these options, by their names, is given. */
export function replacesServers(command: CommandUnknownOpts, given: readonly string[]): boolean {
  return command instanceof ServersCommand &&
    given.some((name) => ["--role", "--all"].includes(name));
}

/** The option that names the servers, if one does. */
export function replacingOption({ role, all }: SetOptions): "--role" | "--all" | undefined {
  return role ? "--role" : all ? "--all" : undefined;
}

/**
 * `<server-id>` of commands that take several servers: `a,b` or `(a b)`. None are named when an
 * option takes its place.
 */
export const serverListArgument = () =>
  completing(
    "server list",
    new Argument("<server-id>", "the server id").argParser(reading(parseNames)),
  );

/** The same for servers or actors in them: `counter@a,counter@b`. */
export const destinationListArgument = () =>
  completing(
    "destination list",
    new Argument("<server-id>", "the server id").argParser(reading(parseNames)),
  );

/** `--role`, of those commands. */
export const rolesOption = () =>
  completing(
    "roles",
    new Option(
      "--role <roles>",
      "all running servers with this role, or with one of several, in place of the server id",
    ).argParser<string[] | undefined>(collecting(parseRoles)).conflicts("all")
      .helpGroup(SEVERAL_SERVERS),
  );

/** `--all`, of those commands. */
export const allOption = () =>
  new Option("--all", "all running servers but the registry, in place of the server id")
    .default(false).helpGroup(SEVERAL_SERVERS);

/** `--concurrency`, of those that work in servers at the same time. */
export const concurrencyOption = () =>
  completing(
    "nothing",
    new Option("--concurrency <number>", "the most servers to work in at the same time")
      .default<number>(AT_ONCE, `${AT_ONCE}`).argParser<number>(reading(parseCount))
      .helpGroup(SEVERAL_SERVERS),
  );

/** `--fail-fast`, of the same. */
export const failFastOption = () =>
  new Option("--fail-fast", "starts in no other server after the first failure").default(false)
    .helpGroup(SEVERAL_SERVERS);

/**
 * Adds the options that say which servers are meant, where they are, and how long to wait for each.
 *
 * @param usual what the help shows as the default of `--timeout`.
 */
export function addServersOptions<Args extends unknown[], Options extends OptionValues>(
  command: Command<Args, Options>,
  usual?: string,
) {
  return command
    .addOption(registryOption())
    .addOption(supervisorOption())
    .addOption(timeoutOption(usual))
    .addOption(rolesOption())
    .addOption(allOption());
}

/** Adds the options of work in several servers at the same time. */
export function addParallelOptions<Args extends unknown[], Options extends OptionValues>(
  command: Command<Args, Options>,
) {
  return command.addOption(concurrencyOption()).addOption(failFastOption());
}

/** Parses one or several names, and removes duplicates. */
export function parseNames(text: string): string[] {
  if (text === REPLACED) return [];
  const names = splitNames(text);
  if (names.length === 0) throw new InvalidInputError("no server id given");
  return [...new Set(names)];
}

/** Parses names once the options are known. */
export function readNames(text: string, command: CommandUnknownOpts): string[] {
  return readOperand(() => parseNames(text), command);
}

/** Parses the value of `--role`. */
export function parseRoles(text: string): string[] {
  const roles = splitNames(text);
  if (roles.length === 0) throw new InvalidInputError("no role given");
  return roles.map(parseRole);
}

function splitNames(text: string): string[] {
  return /[\s,()]/.test(text) ? parseSymbols(text) : [text];
}

/** Parses a number of servers. */
export function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_AT_ONCE) return count;
  throw new InvalidInputError(`not a number from 1 to ${MAX_AT_ONCE}: ${quoted(text)}`);
}

/**
 * Resolves the names of {@linkcode serverListArgument} and the options to a set of servers, once
 * both are known.
 */
export function namedServers(
  names: readonly string[],
  { role, all, command }: SetOptions & { command: CommandUnknownOpts },
): ServerSet {
  if (role) return { roles: [...new Set(role)] };
  if (all) return "all";
  return { ids: names.map((name) => readServerId(name, command)) };
}

/**
 * Resolves names and options, of which none are needed, to a set of servers; undefined if none are
 * given.
 */
export function chosenServers(
  names: readonly string[],
  { role, all, command }: SetOptions & { command: CommandUnknownOpts },
): ServerSet | undefined {
  const flag = replacingOption({ role, all });
  if (flag !== undefined && names.length > 0) {
    command.error(`${flag} takes the place of the server ids: ${quoted(names[0]!)} is too much`);
  }
  if (flag === undefined && names.length === 0) return undefined;
  return namedServers(names, { role, all, command });
}

/** A set of servers, and the actor in each of them that is meant; none for the server itself. */
export interface ActorSet {
  /** The servers. */
  readonly servers: ServerSet;
  /** The actor in a server. */
  actorIn(server: string): ActorId | undefined;
}

/**
 * Resolves the names of {@linkcode destinationListArgument}, `[actor-id]` and the options to actors
 * in a set of servers.
 */
export function namedActors(
  names: readonly string[],
  { actorId: given, command, ...options }: SetOptions & {
    actorId: ActorId | undefined;
    command: CommandUnknownOpts;
  },
): ActorSet {
  const actorId = given === undefined ? undefined : actorAlone(given, { ...options, command });
  if (!names.some((name) => name.includes("@"))) {
    return { servers: namedServers(names, { ...options, command }), actorIn: () => actorId };
  }
  const actors = new Map<string, ActorId | undefined>();
  for (const name of names) {
    const destination = readDestination(name, command);
    const { server } = destination;
    if (actors.has(server)) {
      command.error(`${server} is named twice: name its actors in one command each`);
    }
    actors.set(server, namedActor(destination, { actorId, command }));
  }
  return { servers: { ids: [...actors.keys()] }, actorIn: (server) => actors.get(server) };
}

/** Checks the name of an actor that is given apart from servers. A wrong one is wrong usage. */
function actorAlone(
  actorId: ActorId,
  { command, ...options }: SetOptions & { command: CommandUnknownOpts },
): ActorId {
  const flag = replacingOption(options);
  if (flag !== undefined && `${actorId}`.includes("@")) {
    command.error(`${flag} names the servers: give the name of the actor alone, without @`);
  }
  return readOperand(() => checkActorId(actorId), command);
}

/** Whether results are those of a set, even if it has one server: each is labelled with its id. */
export function isSet(servers: ServerSet | GroupServers): boolean {
  return servers === "all" || !("ids" in servers) || servers.ids.length > 1;
}
