/**
 * Short texts that were read before. Most messages repeat a few keys and types, and finding a text
 * is faster than making it.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** The longest text that is looked up here, in bytes. */
export const MAX_KNOWN_TEXT = 24;

/** Makes a text of bytes, each of which is a character of Latin-1. */
export const latin1Slice = (Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
}).latin1Slice;

/**
 * A text, and words that contain all its bytes: up to three from its start, and as many up to its
 * end.
 */
interface KnownText {
  readonly text: string;
  readonly length: number;
  readonly first: number;
  readonly second: number;
  readonly third: number;
  readonly last: number;
  readonly secondLast: number;
  readonly thirdLast: number;
}

const NONE: KnownText = {
  text: "",
  length: -1,
  first: 0,
  second: 0,
  third: 0,
  last: 0,
  secondLast: 0,
  thirdLast: 0,
};

/** By the hash of their words. A text replaces another with the same hash. */
const known: KnownText[] = new Array(1024).fill(NONE);

/**
 * The text of `length` bytes from `start`, at most {@linkcode MAX_KNOWN_TEXT}. Each byte is a
 * character of Latin-1.
 */
export function knownText(bytes: DataView, start: number, length: number): string {
  const end = start + length;
  let first = 0, second = 0, third = 0, last = 0, secondLast = 0, thirdLast = 0;
  if (length < 4) {
    for (let i = start; i < end; i++) first = first << 8 | bytes.getUint8(i);
  } else {
    first = bytes.getInt32(start);
    last = bytes.getInt32(end - 4);
    if (length > 8) {
      second = bytes.getInt32(start + 4);
      secondLast = bytes.getInt32(end - 8);
    }
    if (length > 16) {
      third = bytes.getInt32(start + 8);
      thirdLast = bytes.getInt32(end - 12);
    }
  }
  // The multipliers of MurmurHash3 and xxHash, which spread the bits well.
  let hash = Math.imul(first ^ length, 0x9e3779b1) ^ last;
  hash = Math.imul(hash ^ hash >>> 15 ^ second, 0x85ebca6b) ^ secondLast;
  hash = Math.imul(hash ^ hash >>> 13 ^ third, 0xc2b2ae35) ^ thirdLast;
  const slot = (hash ^ hash >>> 16) & (known.length - 1);
  const found = known[slot]!;
  if (
    found.length === length && found.first === first && found.last === last &&
    found.second === second && found.secondLast === secondLast &&
    found.third === third && found.thirdLast === thirdLast
  ) return found.text;
  const text = textOf(bytes, start, end);
  known[slot] = { text, length, first, second, third, last, secondLast, thirdLast };
  return text;
}

function textOf(bytes: DataView, start: number, end: number): string {
  if (end - start > 8) {
    const { buffer, byteOffset } = bytes;
    return latin1Slice.call(new Uint8Array(buffer, byteOffset), start, end);
  }
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes.getUint8(i));
  return text;
}
