/**
 * Short texts of any value: bounded in length and in the time they take.
 *
 * Everything that comes from a peer passes through here before it goes into an error, a log line or an answer.
 * A value of a few hundred bytes can expand to gigabytes of text: an array that holds another array twice, which
 * holds a third one twice, and so on.
 *
 * @module
 */
import { ITEMS, Narrowing } from "./narrowed_value.ts";

/** How much of a peer's text is quoted in an error or a log line, in UTF-16 code units. */
export const QUOTED_LENGTH = 200;

/** How many properties of an object are shown. */
const PROPERTIES = 1_000;

/** How many properties of an object are shown where it is shown whole otherwise. */
const WHOLE_PROPERTIES = 10_000;

/** How deep objects are shown inside each other, the deepest first: that is as deep as in Deno's REPL. */
const DEPTHS = [4, 3, 2, 1, 0];

/** The longest piece of a string that is shown inside an object, in UTF-16 code units. */
const STRING_LENGTH = 10_000;

/** How much of the strings is shown in an object of too many parts for more, in UTF-16 code units. */
const SHORT_STRING_LENGTH = 100;

/** About as much text as a value, a brace or a separator takes, in UTF-16 code units. */
const TOKEN_LENGTH = 8;

/** Integers from here on are not written in digits, which takes quadratic time. */
const HUGE_INTEGER = 2n ** 1024n;

/** Cuts a text to `limit` UTF-16 code units, and says in them how much was cut. */
export function shorten(text: string, limit: number = QUOTED_LENGTH): string {
  if (text.length <= limit) return text;
  let end = limit - `... ${text.length} more characters`.length;
  // Not between the two halves of one character.
  if (/[\ud800-\udbff]/.test(text[end - 1] ?? "")) end--;
  return `${text.slice(0, end)}... ${text.length - end} more characters`;
}

/** A text in quotes, cut when it is long: for errors that say what they were given. */
export function quoted(text: string): string {
  return JSON.stringify(shorten(text));
}

/** Options of {@linkcode inspectBounded}. */
export interface InspectOptions {
  /** The longest text, in UTF-16 code units. */
  limit?: number;
  /** Whether the text goes on one line as far as that is possible, for logs and programs to read. */
  oneLine?: boolean;
}

/**
 * A value as `Deno.inspect` shows it, less deep where it would be long. No getter is run and no trap of
 * a proxy; a custom inspection is, and when that throws the text says so.
 */
export function inspectBounded(value: unknown, options: InspectOptions = {}): string {
  const { limit = QUOTED_LENGTH, oneLine = false } = options;
  const sizes = [
    ...DEPTHS.map((depth) => ({ depth, stringLength: Math.min(STRING_LENGTH, limit) })),
    { depth: 0, stringLength: SHORT_STRING_LENGTH },
  ];
  try {
    const narrowing = new Narrowing(PROPERTIES);
    const estimate = new LengthEstimate(limit, narrowing);
    for (const size of sizes) {
      if (estimate.exceeds(value, size)) continue;
      const text = Deno.inspect(narrowing.narrow(value, size.depth), {
        colors: false,
        depth: size.depth,
        iterableLimit: ITEMS,
        strAbbreviateSize: size.stringLength,
        ...(oneLine && { compact: true, breakLength: Infinity }),
      });
      return shorten(text, limit);
    }
    const [message] = narrowing.messagesOf(value);
    if (message) return shorten(`Error: ${message}`, limit);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return `[${describeValue(value)}]`;
    }
    return `[an object of ${narrowing.keysOf(value).length} properties: look at some of them]`;
  } catch (error) {
    return `[a value that cannot be shown: ${shorten(reasonOf(error), limit)}]`;
  }
}

/** Why an inspection failed. What it throws may itself refuse to be looked at. */
function reasonOf(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return String(thrown.message);
  } catch {
    // A proxy, or a getter that throws.
  }
  return "it cannot be inspected";
}

/**
 * A value as `Deno.inspect` shows it, of an object its first {@linkcode WHOLE_PROPERTIES} properties; or
 * undefined where the text would be longer than `limit`, in UTF-16 code units.
 */
export function inspectWhole(value: unknown, limit: number): string | undefined {
  const narrowing = new Narrowing(WHOLE_PROPERTIES);
  const size = { depth: DEPTHS[0]!, stringLength: STRING_LENGTH };
  if (new LengthEstimate(limit, narrowing).exceeds(value, size)) return undefined;
  // Only the value itself is shown whole: strings inside it multiply.
  const whole = typeof value === "string" ? { strAbbreviateSize: limit } : {};
  const text = Deno.inspect(narrowing.narrow(value, size.depth), { colors: false, ...whole });
  return text.length <= limit ? text : undefined;
}

/**
 * Describes a peer's value in a few words: a string quoted and cut, other primitives as they are, and only the
 * kind of anything that has parts. No part is read.
 */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "bigint":
      return isHuge(value) ? "a huge bigint" : `${value}n`;
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return `an array of ${value.length}`;
      return `an object of the class ${
        shorten(Object.prototype.toString.call(value).slice(8, -1))
      }`;
    default:
      return String(value);
  }
}

function isHuge(integer: bigint): boolean {
  return integer >= HUGE_INTEGER || integer <= -HUGE_INTEGER;
}

/** About how long the text of a value is; what is above the limit is not looked at. */
class LengthEstimate {
  readonly #limit: number;
  readonly #narrowing: Narrowing;

  constructor(limit: number, narrowing: Narrowing) {
    this.#limit = limit;
    this.#narrowing = narrowing;
  }

  /** Whether the text is too long. */
  exceeds(value: unknown, size: { depth: number; stringLength: number }): boolean {
    const { depth, stringLength } = size;
    let length = 0;
    const above = new Set<object>();
    const visit = (part: unknown, left: number): void => {
      length += TOKEN_LENGTH;
      if (typeof part === "string") length += Math.min(part.length, stringLength);
      if (typeof part === "bigint" && isHuge(part)) length = Infinity;
      // Inspection shortens no message, of causes neither.
      for (const message of this.#narrowing.messagesOf(part)) {
        if (message.length > STRING_LENGTH) length = Infinity;
      }
      // A part that holds itself is shown once, and one that several hold as often as that.
      if (left < 0 || !this.#narrowing.hasParts(part) || above.has(part)) return;
      above.add(part);
      for (const item of this.#narrowing.partsOf(part)) {
        if (length > this.#limit) break;
        visit(item, left - 1);
      }
      above.delete(part);
    };
    visit(value, depth);
    return length > this.#limit;
  }
}
