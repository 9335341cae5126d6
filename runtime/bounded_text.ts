/**
 * Short texts of any value: bounded in length and in the time they take.
 *
 * Everything that comes from a peer passes through here before it goes into an error, a log line or an answer.
 * A value of a few hundred bytes can expand to gigabytes of text: an array that holds another array twice, which
 * holds a third one twice, and so on.
 *
 * @module
 */

/** How much of a peer's text is quoted in an error or a log line, in UTF-16 code units. */
export const QUOTED_LENGTH = 200;

/** How many items of an array, a map, a set or a typed array are shown, as in Deno's REPL. */
const ITEMS = 100;

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
    const estimate = new LengthEstimate(limit);
    for (const size of sizes) {
      if (estimate.exceeds(value, size)) continue;
      const text = Deno.inspect(value, {
        colors: false,
        depth: size.depth,
        iterableLimit: ITEMS,
        strAbbreviateSize: size.stringLength,
        ...(oneLine && { compact: true, breakLength: Infinity }),
      });
      return shorten(text, limit);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return `[${describeValue(value)}]`;
    }
    return `[an object of ${estimate.keysOf(value).length} properties: look at some of them]`;
  } catch (error) {
    const reason = error instanceof Error ? String(error.message) : "it cannot be inspected";
    return `[a value that cannot be shown: ${shorten(reason, limit)}]`;
  }
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

/**
 * About how long the text of a value is; what is above the limit is not looked at. `Deno.inspect` itself
 * bounds neither the properties of an object nor the whole.
 */
class LengthEstimate {
  readonly #limit: number;
  /** All at once is the only way to get them, and takes a second for a million. */
  readonly #keys = new Map<object, PropertyKey[]>();
  // Loaded when it is needed, which at the start of a command it is not.
  readonly #types = process.getBuiltinModule("node:util").types;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The keys of an object. */
  keysOf(object: object): PropertyKey[] {
    let keys = this.#keys.get(object);
    if (!keys) this.#keys.set(object, keys = Reflect.ownKeys(object));
    return keys;
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
      if (typeof part !== "object" || part === null || left < 0) return;
      // A proxy is shown as its target, which only the inspection can see. A part that holds itself is
      // shown once, and one that several hold as often as that.
      if (above.has(part) || this.#types.isProxy(part)) return;
      above.add(part);
      for (const item of this.#itemsOf(part)) {
        if (length > this.#limit) break;
        visit(item, left - 1);
      }
      above.delete(part);
    };
    visit(value, depth);
    return length > this.#limit;
  }

  *#itemsOf(container: object): Generator<unknown> {
    if (ArrayBuffer.isView(container)) return;
    if (Array.isArray(container)) {
      for (let index = 0; index < Math.min(container.length, ITEMS); index++) {
        yield Object.getOwnPropertyDescriptor(container, index)?.value;
      }
      return;
    }
    if (this.#types.isMap(container)) {
      for (const pair of firstItems(Map.prototype.entries.call(container))) {
        yield* pair as unknown[];
      }
    } else if (this.#types.isSet(container)) {
      yield* firstItems(Set.prototype.values.call(container));
    }
    for (const key of this.keysOf(container)) {
      yield key;
      yield Object.getOwnPropertyDescriptor(container, key)?.value;
    }
  }
}

function firstItems(iterator: IteratorObject<unknown>): Iterable<unknown> {
  return iterator.take(ITEMS);
}
