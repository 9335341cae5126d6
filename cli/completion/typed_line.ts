/**
 * A command line that is still being typed, read against the command tree.
 *
 * @module
 */
import type { Argument, CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";

/** What has been typed before the word at the cursor, and what of that word is to be completed. */
export interface TypedLine {
  /** The command that is meant so far; the program itself when none was named. */
  readonly command: CommandUnknownOpts;
  /** The options that were given, of those that the command belongs to as well, each with its values; flags with an empty text. */
  readonly given: ReadonlyMap<Option, readonly string[]>;
  /** What was typed besides options, after the names of commands. */
  readonly operands: readonly string[];
  /** Whether options are over: after `--`, or where a program's own arguments begin. */
  readonly literal: boolean;
  /** The option whose value is being typed. */
  readonly option: Option | undefined;
  /** The part of the word that stays as it is: `--log=` of `--log=DE`. */
  readonly kept: string;
  /** The part of the word that is completed: `DE` of `--log=DE`. */
  readonly typed: string;
}

/** What was read of a line so far; a {@linkcode TypedLine} in the making. */
class Reading {
  given = new Map<Option, string[]>();
  operands: string[] = [];
  literal = false;
  /** The option that the next word is the value of. */
  pending: Option | undefined;

  constructor(public command: CommandUnknownOpts) {}

  take(word: string): void {
    if (this.pending) {
      this.#give(this.pending, word);
      this.pending = undefined;
    } else if (this.literal || word.length < 2 || !word.startsWith("-")) this.#takeOperand(word);
    else if (word === "--") this.literal = true;
    else this.#takeOption(word);
  }

  #takeOperand(word: string): void {
    const next = this.operands.length === 0 &&
      this.command.commands.find((command) =>
        command.name() === word || command.aliases().includes(word)
      );
    if (next) {
      this.command = next;
      return;
    }
    this.operands.push(word);
    if (passesOptionsThrough(this.command)) this.literal = true;
  }

  /** `--name`, `--name=value`, `-n`, `-nvalue`, or flags together: `-ab`. */
  #takeOption(word: string): void {
    const [name, value] = splitOption(word);
    const option = findOption(this.command, name);
    if (option) {
      if (!takesValue(option)) this.#give(option, "");
      else if (value === undefined) this.pending = option;
      else this.#give(option, value);
    } else if (!word.startsWith("--") && word.length > 2) {
      const short = findOption(this.command, word.slice(0, 2));
      if (!short) return;
      if (takesValue(short)) return this.#give(short, word.slice(2));
      this.#give(short, "");
      this.#takeOption(`-${word.slice(2)}`);
    }
  }

  #give(option: Option, value: string): void {
    this.given.set(option, [...this.given.get(option) ?? [], value]);
  }
}

/**
 * Reads a line as commander would, but forgives what is wrong in it.
 *
 * @param words the words before the one at the cursor, without the name of the program.
 * @param word the word at the cursor, as much of it as stands before the cursor.
 */
export function readTypedLine(
  program: CommandUnknownOpts,
  words: readonly string[],
  word: string,
): TypedLine {
  const reading = new Reading(program);
  for (const each of words) reading.take(each);
  const { command, given, operands, literal } = reading;
  const line = {
    command,
    given,
    operands,
    literal,
    option: reading.pending,
    kept: "",
    typed: word,
  };
  if (literal || reading.pending) return line;
  const [name, value] = splitOption(word);
  const option = value === undefined ? undefined : findOption(command, name);
  if (!option || !takesValue(option)) return line;
  return { ...line, option, kept: `${name}=`, typed: value! };
}

/** The options that a command can be given, its help among them. */
export function optionsOf(command: CommandUnknownOpts): Option[] {
  return command.createHelp().visibleOptions(command);
}

/** Whether an option needs a value. */
export function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

/** The argument of a command that an operand is for, counted from 0. */
export function argumentAt(command: CommandUnknownOpts, index: number): Argument | undefined {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic ? last : undefined);
}

function findOption(command: CommandUnknownOpts, name: string): Option | undefined {
  return optionsOf(command).find((option) => option.short === name || option.long === name);
}

/** `--name=value` as name and value; anything else as a name. */
function splitOption(word: string): [name: string, value?: string] {
  const [, name, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  return name === undefined ? [word] : [name, value!];
}

/** Whether what follows a command's first argument is not for the command; commander does not declare it. */
function passesOptionsThrough(command: CommandUnknownOpts): boolean {
  return (command as unknown as { _passThroughOptions: boolean })._passThroughOptions;
}
