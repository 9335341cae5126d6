/**
 * Encoding: values into the frame that an outbox is given.
 *
 * Everything that structured clone carries can be sent, and actor references. What the decoder requires is checked
 * here: what this writes can be read, and a message that nobody would read fails at its sender.
 *
 * @module
 */
import { ActorRef, isServerId, MAX_ACTOR_NAME } from "../actor/references.ts";
import { ProtocolError } from "../errors.ts";
import {
  BYTES_PER_COSTLY_VALUE,
  COSTLY_VALUES,
  MAX_BIGINT,
  MAX_DEPTH,
  MAX_FRAME,
  MAX_PARTS,
  MAX_PATTERN,
} from "./limits.ts";
import type { Outbox } from "./frames.ts";
import {
  BINARY_CLASSES,
  ErrorPart,
  HEAVY_WEIGHT,
  MAX_SHORT_TEXT,
  MAX_SMALL_SIZE,
  OBJECT_WEIGHT,
  PROPERTY_ESCAPE_COST,
  SHORT_TEXT,
  SMALL_ARRAY,
  SMALL_RECORD,
  Tag,
} from "./value_format.ts";

/** Thrown for what cannot travel; says where in the message it is. */
export class UnsendableError extends ProtocolError {
  readonly #what: string;
  readonly #path: string[] = [];

  /** Notes what was met. */
  constructor(what: string) {
    super(`cannot send ${what}`);
    this.#what = what;
  }

  /** Notes on the way out in which part it was. */
  within(part: string): this {
    this.#path.unshift(part);
    this.message = `cannot send ${this.#what}, at ${this.#path.join(".")}`;
    return this;
  }
}

/** Thrown when a value is too deep or too large for a tree, as one with a cycle is. */
class TreeError extends Error {}

/** Below this a character is a byte of Latin-1. */
const LATIN1_END = 0x100;

/** From this length on a text is first taken for one of a byte for each character, in characters. */
const LONG_TEXT = 64 * 1024;

/** How many bytes a character may take in UTF-8. */
const UTF8_BYTES = 3;

/** What is reserved for a value besides its texts and bytes: its tag and a number. */
const VALUE_ROOM = 16;

const utf8 = new TextEncoder();
const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);
const binaryNumbers = new Map<string, number>(
  BINARY_CLASSES.map(({ name }, number) => [name, number]),
);
const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get! as () => string | undefined;

/** The outbox that a frame is being written into, and its buffer. */
let outbox: Outbox | undefined;
let bytes = new Uint8Array();
/** Where the frame's body starts, and where it goes on. */
let start = 0;
let at = 0;
let parts = 0;
let costly = 0;
/** While a graph is written: its objects, in order of their numbers. */
let numbers: Map<object, number> | undefined;

/**
 * Starts a frame in an outbox. It is written with the functions below, and is there once
 * {@linkcode closeFrame} was called; {@linkcode leaveFrame} has to be called in any case.
 *
 * @throws {ProtocolError} when another is being written: a getter of a message sends one.
 */
export function openFrame(target: Outbox): void {
  if (outbox) throw new ProtocolError("cannot send a message while another is being encoded");
  outbox = target;
  bytes = target.open();
  start = at = target.bodyStart;
  parts = costly = 0;
}

/**
 * Ends the frame, which is now in the outbox.
 *
 * @param expires whether it has a timeout, in the place where a header has it.
 * @throws {ProtocolError} when it breaks a limit.
 */
export function closeFrame(expires: boolean): void {
  const size = at - start;
  requireSize(size);
  if (costly > COSTLY_VALUES + size / BYTES_PER_COSTLY_VALUE) {
    throw new ProtocolError(
      "the message has too many errors or regular expressions for its size: send it in pieces",
    );
  }
  outbox!.commit(at, expires);
  outbox = undefined;
}

/** Forgets what was not closed. */
export function leaveFrame(): void {
  outbox?.abandon();
  outbox = numbers = undefined;
  bytes = EMPTY;
}

const EMPTY = new Uint8Array();

/** How much of the frame's body is written, in bytes. */
export function written(): number {
  return at - start;
}

/** Writes two bytes over those `offset` bytes into the frame's body. */
export function patchUint16(offset: number, value: number): void {
  bytes[start + offset] = value;
  bytes[start + offset + 1] = value >>> 8;
}

/** Writes a byte. */
export function writeByte(value: number): void {
  reserve(VALUE_ROOM);
  bytes[at++] = value;
}

/** Writes a number as a double, without a tag. */
export function writeDouble(value: number): void {
  reserve(VALUE_ROOM);
  double[0] = value;
  for (let i = 0; i < 8; i++) bytes[at++] = doubleBytes[i]!;
}

/**
 * Writes the name or serial number of an actor.
 *
 * @throws {UnsendableError} when it is neither.
 */
export function writeActorId(id: unknown): void {
  if (typeof id === "string" && id.length <= MAX_ACTOR_NAME) writeText(id);
  else if (typeof id === "number") writeNumber(id);
  else throw new UnsendableError("a reference to an actor that has no name or serial number");
}

/**
 * Writes a message. Most are trees of a moderate depth, where an object that is referred to twice is written twice.
 * One with cycles, or deeper or larger than that, becomes a graph: each of its objects is written once.
 *
 * @throws {UnsendableError} for functions, symbols, promises and other things that are no values.
 * @throws {ProtocolError} when it has more parts than a message may have.
 */
export function writeMessage(message: unknown): void {
  const before = at;
  try {
    writeValue(message, 0);
  } catch (error) {
    if (!(error instanceof TreeError)) throw error;
    at = before;
    parts = costly = 0;
    writeGraph(message as object);
  }
}

function writeValue(value: unknown, depth: number): void {
  if (at + VALUE_ROOM > bytes.length) reserve(VALUE_ROOM);
  switch (typeof value) {
    case "string":
      return writeText(value);
    case "number":
      return writeNumber(value);
    case "boolean":
      bytes[at++] = value ? Tag.True : Tag.False;
      return;
    case "undefined":
      bytes[at++] = Tag.Undefined;
      return;
    case "object":
      if (value === null) bytes[at++] = Tag.Null;
      else if (numbers) writeReference(value, numbers);
      else writeObject(value, depth);
      return;
    case "bigint":
      return writeBigInt(value);
    default:
      throw new UnsendableError(`a ${typeof value}`);
  }
}

function writeNumber(value: number): void {
  reserve(VALUE_ROOM);
  const integer = value | 0;
  if (integer !== value || (value === 0 && Object.is(value, -0))) {
    bytes[at++] = Tag.Double;
    double[0] = value;
    for (let i = 0; i < 8; i++) bytes[at++] = doubleBytes[i]!;
  } else if (integer >= 0 && integer < SHORT_TEXT) {
    bytes[at++] = integer;
  } else {
    bytes[at++] = Tag.Int32;
    writeUint32(integer);
  }
}

function writeText(text: string): void {
  const { length } = text;
  if (length > MAX_SHORT_TEXT) return writeLongText(text);
  reserve(1 + length);
  const target = bytes;
  const first = at + 1;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code >= LATIN1_END) return writeLongText(text);
    target[first + i] = code;
  }
  target[at] = SHORT_TEXT | length;
  at = first + length;
}

function writeLongText(text: string): void {
  const { length } = text;
  requireSize(at - start + length);
  if (!text.isWellFormed()) return writeUtf16(text);
  const header = at;
  reserve(5 + (length < LONG_TEXT ? length * UTF8_BYTES : length));
  at += 5;
  let { read, written } = utf8.encodeInto(text, bytes.subarray(at));
  at += written;
  if (read < length) {
    reserve((length - read) * UTF8_BYTES);
    const rest = utf8.encodeInto(text.slice(read), bytes.subarray(at));
    at += rest.written;
    written += rest.written;
    read += rest.read;
  }
  const end = at;
  at = header;
  bytes[at++] = written === length ? Tag.Latin1 : Tag.Utf8;
  writeUint32(written);
  at = end;
}

function writeUtf16(text: string): void {
  writeTagged(Tag.Utf16, text.length * 2);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    bytes[at++] = code;
    bytes[at++] = code >>> 8;
  }
}

function writeBigInt(value: bigint): void {
  const digits = (value < 0n ? -value : value).toString(16);
  const magnitude = Uint8Array.fromHex(digits.length % 2 ? `0${digits}` : digits);
  if (magnitude.length > MAX_BIGINT) {
    throw new UnsendableError(`a BigInt of more than ${MAX_BIGINT} bytes`);
  }
  count(OBJECT_WEIGHT);
  writeTagged(Tag.BigInt, 1 + magnitude.length);
  bytes[at++] = value < 0n ? 1 : 0;
  bytes.set(magnitude, at);
  at += magnitude.length;
}

function writeObject(value: object, depth: number): void {
  if (depth >= MAX_DEPTH) throw new TreeError();
  const tag = tagOf(value);
  switch (tag) {
    case Tag.Record: {
      const keys = Object.keys(value);
      writeRecordSize(keys.length);
      return writeFields(value as Record<string, unknown>, keys, depth + 1);
    }
    case Tag.Array: {
      const { length } = value as unknown[];
      writeArraySize(length);
      return writeElements(value as unknown[], length, depth + 1);
    }
    case Tag.Map: {
      const entries = entriesOf(value as Map<unknown, unknown>);
      writeTagged(tag, 0, entries.length / 2);
      return writeElements(entries, entries.length, depth + 1);
    }
    case Tag.Set: {
      const members = membersOf(value as Set<unknown>);
      writeTagged(tag, 0, members.length);
      return writeElements(members, members.length, depth + 1);
    }
    case Tag.Error: {
      const present = partsOf(value as Error);
      writeErrorHead(value as Error, present);
      return writeErrorParts(value as Error, present, depth + 1);
    }
    default:
      writeLeaf(tag, value);
  }
}

/** What an object is. */
function tagOf(value: object): Tag {
  const constructor = Object.getPrototypeOf(value)?.constructor;
  if (constructor === Object || constructor === undefined) return Tag.Record;
  if (Array.isArray(value)) return Tag.Array;
  if (value instanceof ActorRef) return Tag.ActorRef;
  if (value instanceof Map) return Tag.Map;
  if (value instanceof Set) return Tag.Set;
  if (value instanceof Error) return Tag.Error;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return Tag.Binary;
  if (value instanceof Date) return Tag.Date;
  if (value instanceof RegExp) return Tag.RegExp;
  if (
    value instanceof Boolean || value instanceof Number || value instanceof String ||
    value instanceof BigInt
  ) return Tag.Boxed;
  const name = Object.prototype.toString.call(value);
  if (name !== "[object Object]") throw new UnsendableError(name);
  // An instance of a class travels as its own fields, as in a structured clone.
  return Tag.Record;
}

/** Not by its own methods, which may be those of a subclass; and all at once, for a getter may change it. */
function entriesOf(map: Map<unknown, unknown>): unknown[] {
  const entries: unknown[] = [];
  Map.prototype.forEach.call(map, (value, key) => void entries.push(key, value));
  count(HEAVY_WEIGHT + entries.length);
  return entries;
}

function membersOf(set: Set<unknown>): unknown[] {
  const members: unknown[] = [];
  Set.prototype.forEach.call(set, (member) => void members.push(member));
  count(HEAVY_WEIGHT + members.length);
  return members;
}

function partsOf(error: Error): number {
  count(HEAVY_WEIGHT);
  costly++;
  return (typeof error.stack === "string" ? ErrorPart.Stack : 0) |
    ("cause" in error ? ErrorPart.Cause : 0) |
    (error instanceof AggregateError ? ErrorPart.Errors : 0);
}

function writeRecordSize(size: number): void {
  if (size > MAX_SMALL_SIZE) writeTagged(Tag.Record, 0, size);
  else bytes[at++] = SMALL_RECORD | size;
}

function writeArraySize(size: number): void {
  if (size > MAX_SMALL_SIZE) writeTagged(Tag.Array, 0, size);
  else bytes[at++] = SMALL_ARRAY | size;
}

function writeFields(
  value: Record<string, unknown>,
  keys: readonly string[],
  depth: number,
): void {
  count(OBJECT_WEIGHT + keys.length);
  let key = "";
  try {
    for (let i = 0; i < keys.length; i++) {
      key = keys[i]!;
      writeText(key);
      writeValue(value[key], depth);
    }
  } catch (error) {
    throw inPart(error, key);
  }
}

function writeElements(elements: readonly unknown[], length: number, depth: number): void {
  count(OBJECT_WEIGHT + length);
  let i = 0;
  try {
    for (; i < length; i++) writeValue(elements[i], depth);
  } catch (error) {
    throw inPart(error, String(i));
  }
}

function writeErrorHead(error: Error, present: number): void {
  writeByte(Tag.Error);
  writeByte(present);
  writeText(String(error.name));
}

function writeErrorParts(error: Error, present: number, depth: number): void {
  writeText(String(error.message));
  if (present & ErrorPart.Stack) writeText(String(error.stack));
  let part = "cause";
  try {
    if (present & ErrorPart.Cause) writeValue(error.cause, depth);
    part = "errors";
    if (present & ErrorPart.Errors) writeValue((error as AggregateError).errors, depth);
  } catch (failure) {
    throw inPart(failure, part);
  }
}

/** Writes an object that holds no other. */
function writeLeaf(tag: Tag, value: object): void {
  count(OBJECT_WEIGHT);
  switch (tag) {
    case Tag.ActorRef: {
      const { server, actor } = value as ActorRef;
      if (!isServerId(server)) {
        throw new UnsendableError("a reference to an actor that has no valid server id");
      }
      writeByte(tag);
      writeText(server);
      return writeActorId(actor);
    }
    case Tag.Date:
      writeByte(tag);
      return writeDouble(Date.prototype.getTime.call(value));
    case Tag.RegExp:
      return writeRegExp(value as RegExp);
    case Tag.Boxed:
      writeByte(tag);
      return writeValue(primitiveOf(value), 0);
    default:
      writeBinary(value as ArrayBufferView | ArrayBuffer);
  }
}

function primitiveOf(value: object): unknown {
  if (value instanceof Boolean) return Boolean.prototype.valueOf.call(value);
  if (value instanceof Number) return Number.prototype.valueOf.call(value);
  if (value instanceof String) return String.prototype.valueOf.call(value);
  return BigInt.prototype.valueOf.call(value);
}

function writeRegExp(value: RegExp): void {
  // Without what a subclass makes of it: one that can be made again.
  const { source, flags } = new RegExp(value);
  if (source.length > MAX_PATTERN) {
    throw new UnsendableError(`a regular expression of more than ${MAX_PATTERN} characters`);
  }
  if (isSlowRegExp(source)) {
    throw new UnsendableError("a regular expression with a property of strings, as RGI_Emoji");
  }
  costly += regExpCost(source);
  writeByte(Tag.RegExp);
  writeText(source);
  writeText(flags);
}

/** How much a regular expression counts as against the limit of costly values. */
export function regExpCost(source: string): number {
  return 1 + PROPERTY_ESCAPE_COST * (source.split(/\\p/i).length - 1);
}

/** Whether a regular expression takes milliseconds to make: it has a property of strings (ECMA-262, 22.2.2.9). */
export function isSlowRegExp(source: string): boolean {
  return /\\p\{(?:Basic_Emoji|Emoji_Keycap|RGI_)/i.test(source);
}

function writeBinary(value: ArrayBufferView | ArrayBuffer): void {
  count(HEAVY_WEIGHT);
  const name = value instanceof ArrayBuffer
    ? "ArrayBuffer"
    : typedArrayName.call(value) ?? "DataView";
  const content = value instanceof ArrayBuffer
    ? new Uint8Array(value)
    : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  writeByte(Tag.Binary);
  writeTagged(binaryNumbers.get(name)!, content.length);
  bytes.set(content, at);
  at += content.length;
}

function writeReference(object: object, numbers: Map<object, number>): void {
  let number = numbers.get(object);
  if (number === undefined) {
    number = numbers.size;
    numbers.set(object, number);
  }
  writeTagged(Tag.Reference, 0, number);
}

/** Writes the contents of all objects that can be reached, and then what they are. They count twice, see the decoder. */
function writeGraph(root: object): void {
  const objects = numbers = new Map([[root, 0]]);
  const heads: { tag: Tag; size: number }[] = [];
  writeByte(Tag.Graph);
  const sizeAt = at;
  at += 4;
  try {
    // They become more while they are walked, until all that can be reached are there.
    for (const object of objects.keys()) heads.push(writeContents(object));
  } catch (error) {
    if (!(error instanceof TreeError)) throw error;
    throw new ProtocolError(
      `the message has too many parts: an array of more than ${MAX_PARTS} values, or too many objects; ` +
        `send it in pieces, or numbers as a typed array`,
    );
  }
  const end = at;
  at = sizeAt;
  writeUint32(end - sizeAt - 4);
  at = end;
  reserve(VALUE_ROOM);
  writeUint32(objects.size);
  for (const [object, number] of objects) writeHead(object, heads[number]!);
}

function writeContents(object: object): { tag: Tag; size: number } {
  const tag = tagOf(object);
  let size = 0;
  switch (tag) {
    case Tag.Record: {
      const keys = Object.keys(object);
      count(OBJECT_WEIGHT);
      writeFields(object as Record<string, unknown>, keys, 0);
      size = keys.length;
      break;
    }
    case Tag.Array:
      size = (object as unknown[]).length;
      count(OBJECT_WEIGHT);
      writeElements(object as unknown[], size, 0);
      break;
    case Tag.Map: {
      const entries = entriesOf(object as Map<unknown, unknown>);
      count(HEAVY_WEIGHT);
      writeElements(entries, entries.length, 0);
      size = entries.length / 2;
      break;
    }
    case Tag.Set: {
      const members = membersOf(object as Set<unknown>);
      count(HEAVY_WEIGHT);
      writeElements(members, members.length, 0);
      size = members.length;
      break;
    }
    case Tag.Error:
      size = partsOf(object as Error);
      writeErrorParts(object as Error, size, 0);
      break;
  }
  return { tag, size };
}

function writeHead(object: object, { tag, size }: { tag: Tag; size: number }): void {
  reserve(VALUE_ROOM);
  switch (tag) {
    case Tag.Record:
      return writeRecordSize(size);
    case Tag.Array:
      return writeArraySize(size);
    case Tag.Map:
    case Tag.Set:
      return writeTagged(tag, 0, size);
    case Tag.Error:
      return writeErrorHead(object as Error, size);
    default:
      writeLeaf(tag, object);
  }
}

/** Writes a tag and a size, and makes room for so many bytes as follow. */
function writeTagged(tag: number, room: number, size = room): void {
  if (room > 0) requireSize(at - start + room);
  reserve(VALUE_ROOM + room);
  bytes[at++] = tag;
  writeUint32(size);
}

function writeUint32(value: number): void {
  bytes[at++] = value;
  bytes[at++] = value >>> 8;
  bytes[at++] = value >>> 16;
  bytes[at++] = value >>> 24;
}

function count(weight: number): void {
  if ((parts += weight) > MAX_PARTS) throw new TreeError();
}

function reserve(room: number): void {
  if (at + room <= bytes.length) return;
  requireSize(at - start);
  bytes = outbox!.grow(at, at + room);
}

function requireSize(size: number): void {
  if (size <= MAX_FRAME) return;
  throw new ProtocolError(
    `the message is too large: more than ${MAX_FRAME} bytes, which is what a frame holds`,
  );
}

function inPart(error: unknown, part: string): unknown {
  return error instanceof UnsendableError ? error.within(part) : error;
}
