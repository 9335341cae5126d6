/**
 * What the declaration of a command says beyond what commander knows: how values are read, what completes them, which
 * options the help shows apart.
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
import { quoted } from "../../runtime/safe_text.ts";

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

/** The longest time that a command line may ask for, in s: a day. */
const MAX_SECONDS = 86_400;

/**
 * Reads a time in seconds, such as `5` or `0.5`; gives it in ms.
 *
 * @param options.isZeroAllowed whether there may be no time at all.
 * @throws {InvalidInputError} when the text is none.
 */
export function parseSeconds(
  text: string,
  { isZeroAllowed }: { isZeroAllowed: boolean },
): number {
  const seconds = /^\d+(\.\d+)?$|^\.\d+$/.test(text) ? Number(text) : NaN;
  if (seconds <= MAX_SECONDS && (seconds > 0 || (isZeroAllowed && seconds === 0))) {
    return seconds * 1000;
  }
  const range = isZeroAllowed ? `from 0 to ${MAX_SECONDS}` : `above 0 and up to ${MAX_SECONDS}`;
  throw new InvalidInputError(`not a number of seconds ${range}: ${quoted(text)}`);
}

/** What completes an argument, or the value of an option. */
export type Source =
  /** Nothing can be known of it. */
  | "nothing"
  /** The shell completes the names of files. */
  | "files"
  /** The commands. */
  | "commands"
  /** The servers that the registry knows, and itself. */
  | "servers"
  /** The same; after an `@` the server of an actor, `actor@server`. */
  | "destinations"
  /** The servers that the registry knows. */
  | "servers but the registry"
  /** The same, several in a list; with `--role` the roles. */
  | "server list"
  /** The same, but each server may be one of an actor: `actor@server`. */
  | "destination list"
  /** The servers that the registry knows, or with `--role` their roles. */
  | "servers or roles"
  /** The actors in the server that the first argument names. */
  | "actors"
  /** Those that have capabilities in the server that the first argument names. */
  | "authorized"
  /** The servers in the file `known-servers`. */
  | "known"
  /** The servers that have certificates which can be revoked. */
  | "certified"
  /** The roles that servers have, in a list. */
  | "roles"
  | FixedWords;

/** Words that are always the same; in small letters where those are typed; several in a list. */
export interface FixedWords {
  /** What they are. */
  readonly noun: string;
  /** All of them. */
  readonly words: readonly string[];
  /** Whether they are read in small letters, too. */
  readonly anyCase?: boolean;
  /** Whether the value is a list of them. */
  readonly list?: boolean;
}

const sources = new WeakMap<object, Source>();

/** Says what completes an argument, or the value of an option; gives that back. */
export function completing<Taker extends Argument | Option>(source: Source, taker: Taker): Taker {
  sources.set(taker, source);
  return taker;
}

/** What completes an argument, or the value of an option; undefined where its declaration does not say. */
export function sourceOf(taker: Argument | Option): Source | undefined {
  if (!taker.argChoices) return sources.get(taker);
  const noun = "flags" in taker ? /<([^>]+)/.exec(taker.flags)?.[1] : taker.name();
  return { noun: noun ?? "", words: taker.argChoices };
}

/** An environment variable: its name, what it says, and what holds without it. */
export type Variable = readonly [name: string, meaning: string, fallback: string];

const variables = new WeakMap<Option, readonly Variable[]>();

/** Says which environment variables a command with this option reads; gives the option back. */
export function withVariables<Own extends Option>(names: readonly Variable[], option: Own): Own {
  variables.set(option, names);
  return option;
}

/** The environment variables that a command with this option reads. */
export function variablesOf(option: Option): readonly Variable[] {
  return variables.get(option) ?? [];
}

/** An argument that the help shows as required, and that only the command's `--list` does without. */
export class ArgumentUnlessListing extends Argument<`[${string}]`> {
  /** Makes the argument. */
  constructor(name: string, description: string) {
    super(`[${name}]`, description);
  }
}

/** Leaves everything after a command's first argument to a program that it runs. */
export function passOptionsThrough<Own extends CommandUnknownOpts>(command: Own): Own {
  passing.add(command);
  command.passThroughOptions();
  return command;
}

const passing = new WeakSet<object>();

/** Whether what follows a command's first argument is not for the command. */
export function passesOptionsThrough(command: CommandUnknownOpts): boolean {
  return passing.has(command);
}
