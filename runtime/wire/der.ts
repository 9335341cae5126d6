/**
 * DER, the bytes of certificates and revocation lists: their elements, and no more of ASN.1 than those
 * two are made of.
 *
 * It is read here, and not by the runtime, because Node's `X509Certificate.subjectAltName` is one text
 * in which, in Deno, a DNS name with a comma passes for two names.
 *
 * @see ITU-T X.690
 * @module
 */
import { InvalidInputError } from "../errors.ts";

/** The tags of the elements that are told apart; `CONTEXT + n` is what a structure tags `[n]` in. */
export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  CONTEXT: 0x80,
  CONSTRUCTED_CONTEXT: 0xa0,
} as const;

/** One element. Its bytes are views of those that it was read from. */
export interface DerElement {
  /** What kind it is of: see {@linkcode Tag}. */
  readonly tag: number;
  /** The bytes of its value. */
  readonly content: Uint8Array;
  /** All its bytes, tag and length included: what a signature covers. */
  readonly encoded: Uint8Array;
}

/**
 * Reads the elements that follow each other in `bytes`.
 *
 * @throws {InvalidInputError} when the bytes are anything but whole elements. Lengths that are not in
 * their shortest form are refused: the same certificate must not have two forms.
 */
export function readDer(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    if ((tag & 0x1f) === 0x1f) throw malformed("a tag of more than one byte");
    const { start, end } = readLength(bytes, at + 1);
    elements.push({ tag, content: bytes.subarray(start, end), encoded: bytes.subarray(at, end) });
    at = end;
  }
  return elements;
}

/**
 * Reads the one element that `bytes` are, and the elements in it.
 *
 * @throws {InvalidInputError} when they are not one element of that tag.
 */
export function readInside(bytes: Uint8Array, tag: number): DerElement[] {
  const [element, ...others] = readDer(bytes);
  if (others.length > 0) throw malformed("bytes after the end");
  return readDer(expectTag(element, tag).content);
}

/**
 * Makes sure that an element is there and of a tag.
 *
 * @throws {InvalidInputError} when not.
 */
export function expectTag(element: DerElement | undefined, tag: number): DerElement {
  if (element?.tag !== tag) throw malformed(`no element ${tag.toString(16)} where one belongs`);
  return element;
}

/**
 * Reads a serial number as openssl writes it: capital hexadecimal digits, two for a byte.
 *
 * @throws {InvalidInputError} when it is not a positive integer of at most 20 bytes (RFC 5280, 4.1.2.2).
 */
export function readSerial(element: DerElement | undefined): string {
  const { content } = expectTag(element, Tag.INTEGER);
  const digits = content[0] === 0 && content.length > 1 ? content.subarray(1) : content;
  if (content.length === 0 || content[0]! >= 0x80 || digits.length > 20) {
    throw malformed("a serial number that is none");
  }
  return digits.toHex().toUpperCase();
}

/**
 * Reads a time, `UTCTime` or `GeneralizedTime` in the forms that RFC 5280, 4.1.2.5 allows.
 *
 * @throws {InvalidInputError} when it is none.
 */
export function readTime(element: DerElement | undefined): Date {
  const digits = readAscii(element?.content ?? new Uint8Array());
  const pattern = element?.tag === Tag.UTC_TIME
    ? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/
    : /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;
  const isTime = element?.tag === Tag.UTC_TIME || element?.tag === Tag.GENERALIZED_TIME;
  const match = isTime ? pattern.exec(digits) : null;
  if (match === null) throw malformed("a time that is none");
  const [, year, month, day, hour, minute, second] = match;
  // Two digits mean 1950 to 2049.
  const century = year!.length === 4 ? "" : Number(year) < 50 ? "20" : "19";
  const time = new Date(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(time.getTime())) throw malformed("a time that is none");
  return time;
}

/**
 * Reads text that may only be ASCII.
 *
 * @throws {InvalidInputError} when it is more.
 */
export function readAscii(content: Uint8Array): string {
  if (content.some((byte) => byte >= 0x80)) throw malformed("a name that is not ASCII");
  return new TextDecoder().decode(content);
}

/**
 * Reads the bytes of a bit string.
 *
 * @throws {InvalidInputError} when it is none, or of bits that are no whole bytes.
 */
export function readBits(element: DerElement | undefined): Uint8Array {
  const { content } = expectTag(element, Tag.BIT_STRING);
  // The first byte counts the bits that the last one leaves unused.
  if (content[0] !== 0) throw malformed("a bit string that is not whole bytes");
  return content.subarray(1);
}

/** Reads the length whose first byte is at `at`: where the value starts and ends. */
function readLength(bytes: Uint8Array, at: number): { start: number; end: number } {
  const first = bytes[at];
  if (first === undefined) throw malformed("it ends too early");
  let start = at + 1;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    // No file or frame that is read here needs more than three bytes of length.
    if (count === 0 || count > 3) throw malformed("a length that is none");
    start += count;
    length = 0;
    for (const byte of bytes.subarray(at + 1, start)) length = length * 256 + byte;
    const isShortest = length >= (count === 1 ? 0x80 : 256 ** (count - 1));
    if (!isShortest) throw malformed("a length that is not in its shortest form");
  }
  const end = start + length;
  if (end > bytes.length) throw malformed("it ends too early");
  return { start, end };
}

function malformed(what: string): InvalidInputError {
  return new InvalidInputError(`malformed DER: ${what}`);
}
