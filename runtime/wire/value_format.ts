/**
 * The wire format of values, and their weights against the limits.
 *
 * A value is a byte for its type, followed by its contents. A byte below 0xe0 contains a small
 * value or size; the others are those of {@linkcode Tag}. Numbers and sizes are little-endian. A
 * size is a `u32`: the number of bytes in a text, an integer or binary data, of elements in an
 * array or a Set, of entries in a record or a Map.
 *
 * | first byte | value |
 * | --- | --- |
 * | 0x00-0x7f | the integer 0 to 127 |
 * | 0x80-0xbf | a text of up to 63 characters of Latin-1, a byte each |
 * | 0xc0-0xcf | a record of up to 15 keys |
 * | 0xd0-0xdf | an array of up to 15 elements |
 * | 0xe0-0xff | see {@linkcode Tag} |
 *
 * @module
 */

/** The first byte of short texts. */
export const SHORT_TEXT = 0x80;

/** The first byte of small records. */
export const SMALL_RECORD = 0xc0;

/** The first byte of small arrays. */
export const SMALL_ARRAY = 0xd0;

/** The longest short text, in characters. */
export const MAX_SHORT_TEXT = 63;

/** The maximum number of keys or elements of a small record or array. */
export const MAX_SMALL_SIZE = 15;

/** The first bytes of all other values. Part of the protocol: never renumber. */
export enum Tag {
  /** Null. */
  Null = 0xe0,
  /** Undefined. */
  Undefined = 0xe1,
  /** False. */
  False = 0xe2,
  /** True. */
  True = 0xe3,
  /** An integer of 32 bits. */
  Int32 = 0xe4,
  /** Any other number, of 64 bits (IEEE 754). */
  Double = 0xe5,
  /** A text with a byte for each character: size, Latin-1. */
  Latin1 = 0xe6,
  /** A text: size, UTF-8. */
  Utf8 = 0xe7,
  /** A text with lone surrogates: size, UTF-16. */
  Utf16 = 0xe8,
  /**
   * A BigInt: size, 1 if it is negative and 0 otherwise, its magnitude with the highest byte first.
   */
  BigInt = 0xe9,
  /** A Boolean, Number, String or BigInt object: its primitive. */
  Boxed = 0xea,
  /** An array: size, elements. */
  Array = 0xeb,
  /** An object: size, keys, which are texts, each with its value. */
  Record = 0xec,
  /** A Map: size, keys each with its value. */
  Map = 0xed,
  /** A Set: size, members. */
  Set = 0xee,
  /** An Error: {@linkcode ErrorPart} flags, name, message, and the parts that the flags name. */
  Error = 0xef,
  /** A Date: ms since 1970, as a double. */
  Date = 0xf0,
  /** A regular expression: source, flags, both texts. */
  RegExp = 0xf1,
  /** Binary data: its number in {@linkcode BINARY_CLASSES}, size, bytes. */
  Binary = 0xf2,
  /** A reference to an actor: server id, name or serial number. */
  ActorRef = 0xf3,
  /**
   * A value with cycles, or too deep or too large for a tree: the size of the contents, the
   * contents of its objects in turn, the number of objects, and each object without its contents.
   * The first object is the value.
   */
  Graph = 0xf4,
  /** Inside a graph: the number of an object. */
  Reference = 0xf5,
}

/** The parts of an Error besides its name and message, in this order. */
export enum ErrorPart {
  /** A text: its stack. */
  Stack = 1,
  /** Its cause. */
  Cause = 2,
  /** The errors of an AggregateError. */
  Errors = 4,
}

/** The classes of binary values, by number. Part of the protocol: never renumber. */
export const BINARY_CLASSES = [
  Uint8Array,
  ArrayBuffer,
  DataView,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float16Array,
  Float32Array,
  Float64Array,
] as const;

/** The weight of an object against `MAX_PARTS`. A value in an array or record counts as 1. */
export const OBJECT_WEIGHT = 4;

/**
 * The weight against `MAX_PARTS` of an object that uses much more memory: an Error, a Map, binary
 * data.
 */
export const HEAVY_WEIGHT = 16;

/**
 * The cost of a property escape (`\p{L}`) of a regular expression against `COSTLY_VALUES`: for
 * each, the engine looks at all of Unicode.
 */
export const PROPERTY_ESCAPE_COST = 16;

/** The cost of a regular expression against `COSTLY_VALUES`. */
export function regExpCost(source: string): number {
  return 1 + PROPERTY_ESCAPE_COST * (source.split(/\\p/i).length - 1);
}

/**
 * Whether a regular expression takes milliseconds to create: it has a property of strings
 * (ECMA-262, 22.2.2.9).
 */
export function isSlowRegExp(source: string): boolean {
  return /\\p\{(?:Basic_Emoji|Emoji_Keycap|RGI_)/i.test(source);
}
