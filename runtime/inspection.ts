/**
 * Formats any value with `Deno.inspect`, with limits for the length of the text and the time it
 * takes.
 *
 * Every value from a peer passes through here before it goes into an error, a log line or an
 * answer. A value of a few hundred bytes can expand to gigabytes of text: an array that contains
 * another array twice, which contains a third one twice, and so on. `Deno.inspect` limits the items
 * of arrays, maps and sets, but shows all properties of an object, and takes seconds for a million.
 *
 * @module
 */
import { quoted, QUOTED_LENGTH, shorten } from "./safe_text.ts";

/** The maximum number of shown properties of an object. */
const PROPERTIES = 1_000;

/** The maximum number of shown properties of an object that is otherwise shown whole. */
const WHOLE_PROPERTIES = 10_000;

/** The depths to try, deepest first: the first is that of Deno's REPL. */
const DEPTHS = [4, 3, 2, 1, 0];

/** The maximum length of a string inside an object, in UTF-16 code units. */
const STRING_LENGTH = 10_000;

/** The total length of strings in an object with too many parts for more, in UTF-16 code units. */
const SHORT_STRING_LENGTH = 100;

/** The approximate length of a value, a brace or a separator, in UTF-16 code units. */
const TOKEN_LENGTH = 8;

/** Larger integers are not written in digits, which would take quadratic time. */
const HUGE_INTEGER = 2n ** 1024n;

/** Options of {@linkcode inspectBounded}. */
export interface InspectOptions {
  /** The maximum length of the text, in UTF-16 code units. */
  limit?: number;
  /** Whether to use one line if possible, for logs and programs. */
  oneLine?: boolean;
}

/**
 * Formats a value with `Deno.inspect`, less deep if it would be long. Calls no getters and no proxy
 * traps; a custom inspection is called, and if it throws, the text says so.
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
    return `[a value that cannot be shown: ${shorten(messageOf(error), limit)}]`;
  }
}

/** The reason why an inspection failed. The thrown value may itself throw when inspected. */
function messageOf(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return String(thrown.message);
  } catch {
    // A proxy, or a getter that throws.
  }
  return "it cannot be inspected";
}

/**
 * Formats a value with `Deno.inspect`, an object with its first {@linkcode WHOLE_PROPERTIES}
 * properties; undefined if the text would be longer than `limit`, in UTF-16 code units.
 */
export function inspectWhole(value: unknown, limit: number): string | undefined {
  const narrowing = new Narrowing(WHOLE_PROPERTIES);
  const size = { depth: DEPTHS[0]!, stringLength: STRING_LENGTH };
  if (new LengthEstimate(limit, narrowing).exceeds(value, size)) return undefined;
  // Only the value itself is shown whole, since strings inside it multiply.
  const whole = typeof value === "string" ? { strAbbreviateSize: limit } : {};
  const text = Deno.inspect(narrowing.narrow(value, size.depth), { colors: false, ...whole });
  return text.length <= limit ? text : undefined;
}

/**
 * Describes a peer's value in a few words: a string quoted and truncated, other primitives as they
 * are, and only the kind of anything with parts. Reads no part.
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

/** Estimates the length of a value's text, up to the limit. */
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
      // Inspection does not shorten messages, including those of causes.
      for (const message of this.#narrowing.messagesOf(part)) {
        if (message.length > STRING_LENGTH) length = Infinity;
      }
      // A part that contains itself is shown once, and a shared part once for each of its
      // containers.
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

/** The number of items of an array, map, set or typed array that are shown, as in Deno's REPL. */
const ITEMS = 100;

/** Narrows values, and caches the keys of large objects. */
export class Narrowing {
  /** The maximum number of shown properties of an object. */
  readonly #most: number;
  readonly #keys = new Map<object, PropertyKey[]>();
  // Loaded on demand, since commands rarely need it.
  readonly #types = process.getBuiltinModule("node:util").types;

  /** Creates a narrowing to `most` properties of an object. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The keys of an object that are shown: the enumerable ones. */
  keysOf(object: object): PropertyKey[] {
    let keys = this.#keys.get(object);
    if (keys === undefined) {
      keys = Object.keys(object);
      // Symbols come last, and take extra time.
      if (keys.length <= this.#most) {
        const symbols = Object.getOwnPropertySymbols(object)
          .filter((symbol) => Object.prototype.propertyIsEnumerable.call(object, symbol));
        keys = [...keys, ...symbols];
      }
      this.#keys.set(object, keys);
    }
    return keys;
  }

  /** The shown parts of an object, including keys. Calls no getter. */
  *partsOf(container: object): Generator<unknown> {
    if (ArrayBuffer.isView(container)) return;
    if (Array.isArray(container)) {
      for (let index = 0; index < Math.min(container.length, ITEMS); index++) {
        yield Object.getOwnPropertyDescriptor(container, index)?.value;
      }
      return;
    }
    if (this.#types.isMap(container)) {
      for (const pair of Map.prototype.entries.call(container).take(ITEMS)) yield* pair;
    } else if (this.#types.isSet(container)) {
      yield* Set.prototype.values.call(container).take(ITEMS);
    }
    for (const key of this.keysOf(container).slice(0, this.#most)) {
      yield key;
      yield Object.getOwnPropertyDescriptor(container, key)?.value;
    }
  }

  /** The messages of an error and of its first causes. Calls no getter. */
  *messagesOf(value: unknown): Generator<string> {
    const ownValue = (error: object, key: string): unknown =>
      Object.getOwnPropertyDescriptor(error, key)?.value;
    for (let count = 0; count < ITEMS && this.#types.isNativeError(value); count++) {
      const message = ownValue(value, "message");
      yield typeof message === "string" ? message : "";
      value = ownValue(value, "cause");
    }
  }

  /**
   * Whether a value has readable parts. A proxy is shown as its target, whose parts are not
   * readable.
   */
  hasParts(value: unknown): value is object {
    return typeof value === "object" && value !== null && !this.#types.isProxy(value);
  }

  /**
   * The value to show in place of another, to a depth; the value itself if no part is too large.
   */
  narrow(value: unknown, depth: number): unknown {
    return this.#isWide(value, depth, new Set()) ? this.#copy(value, depth, new Set()) : value;
  }

  /**
   * Whether an object with too many properties occurs, including below the shown depth, where
   * inspection still reads it.
   */
  #isWide(value: unknown, left: number, above: Set<object>): boolean {
    if (!this.hasParts(value) || above.has(value) || left < -1) return false;
    if (this.#hasMany(value)) return true;
    above.add(value);
    const isWide = this.partsOf(value).some((part) => this.#isWide(part, left - 1, above));
    above.delete(value);
    return isWide;
  }

  #hasMany(object: object): boolean {
    if (Array.isArray(object) || ArrayBuffer.isView(object)) return false;
    return this.keysOf(object).length > this.#most;
  }

  #copy(value: unknown, left: number, above: Set<object>): unknown {
    if (!this.hasParts(value) || ArrayBuffer.isView(value) || left < -1) return value;
    if (above.has(value)) return shownAs(() => "[Circular]");
    above.add(value);
    const copy = this.#copyObject(value, (part) => this.#copy(part, left - 1, above));
    above.delete(value);
    return copy;
  }

  #copyObject(object: object, copyPart: (part: unknown) => unknown): object {
    if (Array.isArray(object)) {
      const items = object.slice();
      for (let index = 0; index < Math.min(items.length, ITEMS); index++) {
        const { value } = Object.getOwnPropertyDescriptor(object, index) ?? {};
        if (value !== undefined) items[index] = copyPart(value);
      }
      return items;
    }
    if (this.#types.isMap(object)) {
      const pairs = Map.prototype.entries.call(object);
      return new Map([...pairs].map((pair, index) => index < ITEMS ? pair.map(copyPart) : pair) as [
        unknown,
        unknown,
      ][]);
    }
    if (this.#types.isSet(object)) {
      const items = [...Set.prototype.values.call(object)];
      return new Set(items.map((item, index) => index < ITEMS ? copyPart(item) : item));
    }
    const keys = this.keysOf(object);
    const copy = Object.create(Object.getPrototypeOf(object));
    for (const key of keys.slice(0, this.#most)) {
      const property = Object.getOwnPropertyDescriptor(object, key)!;
      const part = "value" in property ? { value: copyPart(property.value) } : {};
      Object.defineProperty(copy, key, { ...property, ...part });
    }
    const more = keys.length - this.#most;
    if (more <= 0) return copy;
    const rest = `... ${more} more ${more === 1 ? "property" : "properties"} }`;
    return shownAs((inspect, options) =>
      inspect(copy, options).replace(/,?\s*\}$/, `,${separator(options)}${rest}`)
    );
  }
}

type Inspect = (value: unknown, options: Deno.InspectOptions) => string;

function separator({ compact }: Deno.InspectOptions): string {
  return compact === true ? " " : "\n  ";
}

/** An object that is shown as a text. */
function shownAs(show: (inspect: Inspect, options: Deno.InspectOptions) => string): object {
  return {
    [Symbol.for("Deno.customInspect")]: (inspect: Inspect, options: Deno.InspectOptions) =>
      show(inspect, options),
  };
}
