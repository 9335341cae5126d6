/**
 * What a command's declaration adds to commander's: parsers of values, completion, and arguments
 * that depend on options.
 *
 * @module
 */
import {
  Argument,
  type CommandUnknownOpts,
  InvalidArgumentError,
  type Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { InvalidInputError } from "../../runtime/errors.ts";

/** Wraps a parser so that commander reports its errors with the option's name. */
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

/** The same for a list option that may be repeated; each use adds to the list. */
export function collecting<T>(read: (text: string) => T[]): (text: string, earlier?: T[]) => T[] {
  const readValue = reading(read);
  const collect = (text: string, earlier: T[] = []) => [...earlier, ...readValue(text)];
  collectors.add(collect);
  return collect;
}

const collectors = new WeakSet<object>();

/** Whether an option can be repeated. */
export function isRepeatable(option: Option): boolean {
  return option.parseArg !== undefined && collectors.has(option.parseArg);
}

/** The candidates for an argument, or for the value of an option. */
export type Source =
  /** No candidates. */
  | "nothing"
  /** File names, completed by the shell. */
  | "files"
  /** The commands. */
  | "commands"
  /** The registered servers, and the registry. */
  | "servers"
  /** The registered servers. */
  | "servers but the registry"
  /** The supervisors of hosts. */
  | "supervisors"
  /** The hosts of supervisors. */
  | "supervised hosts"
  /** A list of the servers that supervisors have, whether they run or not. */
  | "supervised servers"
  /** A list of them. */
  | "server list"
  /** The same, but each server may be one of an actor: `actor@server`. */
  | "destination list"
  /** The registered servers, or with `--role` their roles. */
  | "servers or roles"
  /** The actors in the server that the first argument names, or in those of `--role` or `--all`. */
  | "actors"
  /** References of actors: `actor@server`; with `--role` or `--all`, the names of actors. */
  | "references"
  /** The types of the messages that the actor of the first argument takes. */
  | "message types"
  /** The groups that have members. */
  | "groups"
  /** The types of the messages that the members of the group in the first argument take. */
  | "message types of a group"
  /** The servers that have capabilities in the server that the first argument names. */
  | "authorized"
  /** The servers in the file `known-servers`. */
  | "known"
  /** The processes in the configuration of the host. */
  | "configured servers"
  /** The servers that have certificates which can be revoked. */
  | "certified"
  /** A role that servers have. */
  | "role"
  /** A list of them. */
  | "roles"
  | FixedWords;

/** Fixed words. */
export interface FixedWords {
  /** The noun for one of them, such as "log level". */
  readonly noun: string;
  /** All of them. */
  readonly words: readonly string[];
  /** Whether lower case is accepted, too. */
  readonly anyCase?: boolean;
  /** Whether the value is a list of them. */
  readonly list?: boolean;
}

const sources = new WeakMap<object, Source>();

/** Sets the candidates for an argument or option, and returns it. */
export function completing<Taker extends Argument | Option>(source: Source, taker: Taker): Taker {
  sources.set(taker, source);
  return taker;
}

/** Returns the candidates for an argument or option; undefined if its declaration has none. */
export function sourceOf(taker: Argument | Option): Source | undefined {
  if (!taker.argChoices) return sources.get(taker);
  const noun = "flags" in taker ? /<([^>]+)/.exec(taker.flags)?.[1] : taker.name();
  return { noun: noun ?? "", words: taker.argChoices };
}

/** An environment variable: its name, its meaning, and its default. */
export type Variable = readonly [name: string, meaning: string, fallback: string];

const variables = new WeakMap<Option, readonly Variable[]>();

/**
 * Declares the environment variables that a command with this option reads, and returns the option.
 */
export function withVariables<Own extends Option>(names: readonly Variable[], option: Own): Own {
  variables.set(option, names);
  return option;
}

/** The environment variables that a command with this option reads. */
export function variablesOf(option: Option): readonly Variable[] {
  return variables.get(option) ?? [];
}

/** An argument that is required, and shown so in the help, unless an option is given. */
export class ArgumentUnless extends Argument<`[${string}]`> {
  /** The options, any of which replaces it: `--list`. */
  readonly options: readonly string[];

  /** Makes the argument. */
  constructor(
    name: string,
    { description, options }: { description: string; options: readonly string[] },
  ) {
    super(`[${name}]`, description);
    this.options = options;
  }
}

/** Passes everything after a command's first argument to the program that it runs. */
export function passOptionsThrough<Own extends CommandUnknownOpts>(command: Own): Own {
  passing.add(command);
  command.passThroughOptions();
  return command;
}

const passing = new WeakSet<object>();

/** Whether a command passes everything after its first argument on. */
export function passesOptionsThrough(command: CommandUnknownOpts): boolean {
  return passing.has(command);
}
