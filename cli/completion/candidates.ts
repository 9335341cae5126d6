/**
 * Finds completion candidates, and formats the answer to a shell's completion script.
 *
 * The first line is the kind of words that follow, or `files` if the shell is to complete file
 * names. Then come the words, one per line: for bash, the quoted replacement for the end of the
 * typed word; for zsh and fish, the word itself, a tab, and its description. An empty answer is
 * valid.
 *
 * @module
 */
import type { CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import {
  type ActorId,
  ActorRef,
  checkServerId,
  parseActorId,
  REGISTRY_ID,
} from "../../runtime/actor/references.ts";
import { hasControls } from "../../runtime/safe_text.ts";
import { type Address, parseAddresses } from "../../runtime/wire/address.ts";
import { ArgumentUnless, isRepeatable, type Source, sourceOf } from "../kit/declaration.ts";
import { parseGerbilPath } from "../kit/options.ts";
import { parseRoles, replacesServers, type ServerSet } from "../kit/server_set_options.ts";
import type { Shell } from "./scripts.ts";
import {
  argumentAt,
  completeBashWord,
  optionsOf,
  readTypedLine,
  splitBashLine,
  type TypedLine,
} from "./typed_line.ts";

/** A completion candidate. */
export interface Candidate {
  /** The word, unquoted, as the program will receive it. */
  readonly word: string;
  /** A short description; empty if the word needs none. */
  readonly description: string;
}

/** The ensemble to ask for names. */
export interface Place {
  /** The registry's addresses; empty if the line has none. */
  readonly registry: readonly Address[];
  /** The value of `--gerbil-path` in the line, if any. */
  readonly gerbilPath: string | undefined;
}

/** An actor in a server, or of the same name in each of a set. */
export interface NamedActor {
  /** Where it is. */
  readonly servers: ServerSet;
  /** Its name or serial number. */
  readonly actor: ActorId;
}

/** The source of names from the ensemble. */
export interface LiveNames {
  /** The servers, each with its roles, and the registry. */
  servers(place: Place): Promise<Candidate[]>;
  /** The supervisors of hosts. */
  supervisors(place: Place): Promise<Candidate[]>;
  /** The hosts of supervisors. */
  supervisedHosts(place: Place): Promise<Candidate[]>;
  /** The servers that supervisors have, each with its state. */
  supervisedServers(place: Place): Promise<Candidate[]>;
  /** The roles, each with the servers that have it. */
  roles(place: Place): Promise<Candidate[]>;
  /** The actors in a server; of a set of servers, in the first. */
  actors(place: Place, servers: ServerSet): Promise<Candidate[]>;
  /** References of actors that are no parts of their servers. */
  references(place: Place): Promise<Candidate[]>;
  /** The types of the requests that an actor answers; of a set of servers, in the first. */
  types(place: Place, actor: NamedActor): Promise<Candidate[]>;
  /** The groups, each with the servers that have members. */
  groups(place: Place): Promise<Candidate[]>;
  /** The types of the requests that a member of a group answers. */
  typesOfGroup(place: Place, group: string): Promise<Candidate[]>;
  /** The servers that have capabilities in a server, each with those. */
  authorized(place: Place, server: string): Promise<Candidate[]>;
  /** The servers in the file `known-servers`, each with its addresses. */
  known(place: Place): Promise<Candidate[]>;
  /** The registry and the servers in a configuration, each with its role. */
  configured(place: Place, file: string | undefined): Promise<Candidate[]>;
  /** The servers that have valid certificates. */
  certified(place: Place): Promise<Candidate[]>;
}

/** Words of one kind. */
export interface Words {
  /** The kind. */
  readonly noun: string;
  /** The text before each of them that is kept: `--log=`, `admin,`. */
  readonly kept: string;
  /** The words. */
  readonly candidates: readonly Candidate[];
}

/** Words, or file names, which shells complete best themselves. */
export type Candidates = Words | "files";

/**
 * Finds candidates at the cursor, including some that do not match the typed text, since shells
 * have their own ways to match.
 */
export async function findCandidates(line: TypedLine, live: LiveNames): Promise<Candidates> {
  const { command, operands, literal, option, typed } = line;
  if (option) return await fromSource(line, sourceOf(option), live);
  if (!literal && typed.startsWith("-")) return options(line);
  if (command.commands.length > 0 && operands.length === 0) return commandsOf(command);
  const argument = argumentAt(command, operands.length + (isReplaced(line) ? 1 : 0));
  const isAbsent = argument instanceof ArgumentUnless &&
    argument.options.some((option) => isGiven(line, option));
  if (argument && !isAbsent) return await fromSource(line, sourceOf(argument), live);
  // `help` accepts the names of nested commands as excess arguments.
  if (command.name() === "help") return commandsWithin(command.parent!, operands);
  return typed === "" && !literal ? options(line) : NONE;
}

const NONE: Words = { noun: "", kept: "", candidates: [] };

async function fromSource(
  line: TypedLine,
  source: Source | undefined,
  live: LiveNames,
): Promise<Candidates> {
  const place = placeOf(line);
  const roles = async () => named(line, "role", await live.roles(place));
  const servers = async () => named(line, "server", await live.servers(place));
  switch (source) {
    case undefined:
    case "nothing":
      return NONE;
    case "files":
      return "files";
    case "commands":
      return commandsWithin(line.command.parent!, line.operands);
    case "role":
      return await roles();
    case "roles":
      return inList(line, await roles());
    case "servers or roles":
      return isGiven(line, "--role") ? await roles() : withoutRegistry(await servers());
    case "server list":
      return inList(line, await servers());
    case "destination list":
      return afterActor(line, inList(line, await servers()));
    case "servers":
      return await servers();
    case "servers but the registry":
      return withoutRegistry(await servers());
    case "supervisors":
      return named(line, "supervisor", await live.supervisors(place));
    case "supervised hosts":
      return inList(line, named(line, "host", await live.supervisedHosts(place)));
    case "supervised servers":
      return inList(line, named(line, "server", await live.supervisedServers(place)));
    case "certified":
      return named(line, "server", await live.certified(place));
    case "configured servers": {
      const [file] = valuesOf(line, "--config", (text) => text);
      return named(line, "server", await live.configured(place, file));
    }
    case "known":
      return named(line, "server", await live.known(place));
    case "actors": {
      const servers = setOf(line) ?? readServer(line.operands[0]);
      return servers ? named(line, "actor", await live.actors(place, servers)) : NONE;
    }
    case "references": {
      const set = setOf(line);
      if (set) return named(line, "actor", await live.actors(place, set));
      if (line.typed.includes("@")) return afterActor(line, inList(line, await servers()));
      return named(line, "actor", await live.references(place));
    }
    case "message types": {
      const actor = readActor(line);
      return actor ? named(line, "message type", await live.types(place, actor)) : NONE;
    }
    case "groups":
      return named(line, "group", await live.groups(place));
    case "message types of a group": {
      const [group] = line.operands;
      return group === undefined
        ? NONE
        : named(line, "message type", await live.typesOfGroup(place, group));
    }
    case "authorized": {
      const [server] = readServer(line.operands[0])?.ids ?? [];
      return server ? named(line, "server", await live.authorized(place, server)) : NONE;
    }
    default: {
      const { noun, words, anyCase, list } = source;
      const isSmall = anyCase && /^[^A-Z]+$/.test(line.typed);
      const candidates = words.map((word) => ({
        word: isSmall ? word.toLowerCase() : word,
        description: "",
      }));
      const found = { noun, kept: line.kept, candidates };
      return list ? inList(line, found) : found;
    }
  }
}

function commandsOf(parent: CommandUnknownOpts): Words {
  const visible = parent.createHelp().visibleCommands(parent);
  const candidates = visible.filter((command) => parent.commands.includes(command))
    .map((command) => ({ word: command.name(), description: command.description() }));
  return { noun: "command", kept: "", candidates };
}

/** The commands below the command that a path of names leads to. */
function commandsWithin(root: CommandUnknownOpts, path: readonly string[]): Words {
  let command: CommandUnknownOpts | undefined = root;
  for (const name of path) command = command?.commands.find((each) => each.name() === name);
  return command ? commandsOf(command) : NONE;
}

/** The options that were not given, or can be repeated, by both of their names. */
function options(line: TypedLine): Words {
  const candidates = optionsOf(line.command)
    .filter((option) => !line.given.has(option) || isRepeatable(option))
    .flatMap((option) =>
      [option.long, option.short].flatMap((word) =>
        word ? [{ word, description: option.description }] : []
      )
    );
  return { noun: "option", kept: "", candidates };
}

/** Names from elsewhere: those that can be typed, and do not look like options. */
function named(line: TypedLine, noun: string, found: readonly Candidate[]): Words {
  const isSafe = line.literal || line.option !== undefined;
  const candidates = found.filter(({ word }) =>
    !hasControls(word) && (isSafe || !word.startsWith("-"))
  ).map(({ word, description }) => ({
    word,
    description: hasControls(description) ? "" : description,
  }));
  return { noun, kept: line.kept, candidates };
}

function withoutRegistry({ candidates, ...rest }: Words): Words {
  return { ...rest, candidates: candidates.filter(({ word }) => word !== REGISTRY_ID) };
}

/** Candidates for the next symbol of a list: `a,b` or `(a b`. */
function inList(line: TypedLine, found: Words): Words {
  const [before] = /^.*[\s,(]/s.exec(line.typed) ?? [""];
  // Without the actors of `actor@server`.
  const earlier = before!.split(/[\s,()]+/).map((name) => name.replace(/^.*@/, ""));
  const candidates = found.candidates.filter(({ word }) => !earlier.includes(word));
  return { ...found, kept: line.kept + before, candidates };
}

/** Candidates for the server of an actor, where one is typed with its `@`. */
function afterActor(line: TypedLine, found: Words): Words {
  const [before] = /^.*?@/s.exec(line.typed.slice(found.kept.length - line.kept.length)) ?? [""];
  return { ...found, kept: found.kept + before };
}

function isGiven(line: TypedLine, long: string): boolean {
  return [...line.given.keys()].some((option) => option.long === long);
}

/** The ensemble that the line names. Incomplete addresses and directories are left out. */
function placeOf(line: TypedLine): Place {
  return {
    registry: valuesOf(line, "--registry", parseAddresses).flat(),
    gerbilPath: valuesOf(line, "--gerbil-path", parseGerbilPath).at(-1),
  };
}

/** Whether an option takes the place of the first argument. */
function isReplaced({ command, given }: TypedLine): boolean {
  return replacesServers(command, [...given.keys()].map(({ long }) => long ?? ""));
}

/** The servers that options of the line name in place of ids. */
function setOf(line: TypedLine): ServerSet | undefined {
  const roles = valuesOf(line, "--role", parseRoles).flat();
  return roles.length > 0 ? { roles } : isGiven(line, "--all") ? "all" : undefined;
}

/** The actor that the first argument of a line names. */
function readActor(line: TypedLine): NamedActor | undefined {
  const [text = ""] = line.operands;
  const set = setOf(line);
  try {
    if (set) return { servers: set, actor: parseActorId(text) };
    const { server, actor } = ActorRef.parse(text.replace(/,.*/, ""));
    return { servers: { ids: [server] }, actor };
  } catch {
    return undefined;
  }
}

/** The valid values given to an option. */
function valuesOf<Value>(line: TypedLine, long: string, read: (text: string) => Value): Value[] {
  const texts = [...line.given].filter(([option]) => option.long === long)
    .flatMap(([, values]) => values);
  return texts.flatMap((text) => {
    try {
      return [read(text)];
    } catch {
      return [];
    }
  });
}

function readServer(text: string | undefined): { ids: [string] } | undefined {
  try {
    return text === undefined ? undefined : { ids: [checkServerId(text)] };
  } catch {
    return undefined;
  }
}

/** A question of a completion script. */
export interface Question {
  /** The shell. */
  readonly shell: Shell;
  /**
   * For zsh and fish, the unquoted words up to the one at the cursor, without the name of the
   * executable. For bash, two texts: the line up to the cursor, and the end of it to be replaced.
   */
  readonly words: readonly string[];
  /** The source of names from the ensemble. */
  readonly live: LiveNames;
}

/** Answers a completion script, with the lines to print. */
export async function answer(
  root: CommandUnknownOpts,
  { shell, words, live }: Question,
): Promise<string[]> {
  if (shell === "bash") {
    const [text = "", replaced = ""] = words;
    const { words: before, current, isRedirection } = splitBashLine(text);
    if (isRedirection) return ["files"];
    const line = readTypedLine(root, before.slice(1), current.value);
    return toLines(
      await findCandidates(line, live),
      (_candidate, whole) => completeBashWord(current, replaced, whole),
    );
  }
  const line = readTypedLine(root, words.slice(0, -1), words.at(-1) ?? "");
  return toLines(await findCandidates(line, live), ({ description }, whole) => {
    // fish completes whole words; in zsh, the script keeps `--log=` itself.
    const word = shell === "zsh" ? whole.slice(line.kept.length) : whole;
    return `${word}\t${description}`;
  });
}

function toLines(
  found: Candidates,
  write: (candidate: Candidate, whole: string) => string | undefined,
): string[] {
  if (found === "files") return ["files"];
  const lines = found.candidates.flatMap((candidate) =>
    write(candidate, found.kept + candidate.word) ?? []
  );
  return lines.length > 0 ? [found.noun, ...lines] : [];
}
