/**
 * The messages that commands send: a type, and its arguments as `key=value`, as JSON, or from
 * standard input.
 *
 * @module
 */
import { Argument, type CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import { quoted } from "../../runtime/safe_text.ts";
import { completing } from "./declaration.ts";

/** `<type>`: the type of a message. */
export const messageTypeArgument = () =>
  completing("message types", new Argument("<type>", "the message's type"));

/** `[<argument>] ...`: the rest of a message. */
export const messageArgument = () =>
  completing(
    "nothing",
    new Argument(
      "[argument...]",
      "the message's arguments: each as key=value, or all in one JSON object, or - to read that " +
        "from standard input",
    ),
  );

/**
 * Makes the message `{ type, ...arguments }` of {@linkcode messageTypeArgument} and {@linkcode
 * messageArgument}. Wrong arguments are wrong usage of the command.
 *
 * @throws {EnsembleError} if standard input has no JSON object.
 */
export async function readMessage(
  type: string,
  texts: readonly string[],
  command: CommandUnknownOpts,
): Promise<{ readonly type: string }> {
  const isPiped = texts.length === 1 && texts[0] === "-";
  const text = isPiped ? await (await import("./input.ts")).readStandardInput() : undefined;
  try {
    if (type === "") throw new InvalidInputError("the message's type is empty");
    const parts = text === undefined ? parseArguments(texts) : parseObject(text, "standard input");
    if (Object.hasOwn(parts, "type")) {
      throw new InvalidInputError(`the message's type is given once, as ${quoted(type)}`);
    }
    return { ...parts, type };
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    if (isPiped) throw new EnsembleError(error.message, { cause: error });
    command.error(error.message);
  }
}

/**
 * Parses the arguments of a message: `key=value` each, or one JSON object. A value is JSON if it
 * parses as JSON, else text. An integer with more digits than a number holds becomes a bigint.
 *
 * @throws {InvalidInputError} if an argument is neither, or a key is repeated.
 */
export function parseArguments(texts: readonly string[]): Record<string, unknown> {
  const [first] = texts;
  if (texts.length === 1 && isObjectLike(first!)) return parseObject(first!, "the argument");
  const pairs = texts.map(parsePair);
  const keys = new Set<string>();
  for (const [key] of pairs) {
    if (keys.has(key)) throw new InvalidInputError(`the argument ${quoted(key)} is given twice`);
    keys.add(key);
  }
  return Object.fromEntries(pairs);
}

function isObjectLike(text: string): boolean {
  return /^\s*[{[]/.test(text);
}

function parsePair(text: string): [key: string, value: unknown] {
  const end = text.indexOf("=");
  if (end > 0 && !isObjectLike(text)) {
    return [text.slice(0, end), parseValue(text.slice(end + 1))];
  }
  const what = quoted(text);
  if (text === "-") throw new InvalidInputError("- takes all arguments from standard input");
  if (isObjectLike(text)) {
    throw new InvalidInputError(`${what} is not alone: JSON takes the place of all arguments`);
  }
  throw new InvalidInputError(`not an argument: ${what}; write key=value, or one JSON object`);
}

function parseValue(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

function parseObject(text: string, where: string): Record<string, unknown> {
  if (text.trim() === "") throw new InvalidInputError(`${where} is empty; it takes a JSON object`);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw new InvalidInputError(`${where} is not JSON: ${(error as Error).message}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new InvalidInputError(`${where} is not a JSON object: ${quoted(text.trim())}`);
}

/** TypeScript's declaration lacks the source text, which every reviver gets. */
type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;

/** Parses JSON, without losing digits of integers. */
function parseJson(text: string): unknown {
  const revive: Reviver = (_key, value, { source = "" }) => {
    const isLossy = typeof value === "number" && !Number.isSafeInteger(value);
    return isLossy && /^-?\d+$/.test(source) ? BigInt(source) : value;
  };
  return JSON.parse(text, revive as Parameters<typeof JSON.parse>[1]);
}
