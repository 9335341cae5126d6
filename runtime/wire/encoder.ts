/**
 * Encodes values into a frame of an outbox.
 *
 * Everything that structured clone supports can be sent, and actor references. The decoder's limits
 * are checked here, too, so that a message that the peer would refuse fails at its sender.
 *
 * The state is in variables of the module rather than in an object: that is faster, and only one
 * frame is written at a time.
 *
 * @module
 */
import { ActorRef, isActorId, isServerId, MAX_ACTOR_NAME } from "../actor/references.ts";
import { ProtocolError } from "../errors.ts";
import {
  BYTES_PER_COSTLY_VALUE,
  COSTLY_VALUES,
  MAX_BIGINT,
  MAX_DEPTH,
  MAX_FRAME,
  MAX_MESSAGE,
  MAX_PARTS,
  MAX_PATTERN,
} from "./limits.ts";
import type { Outbox } from "./frames.ts";
import type { Extent, Pair } from "./pieces.ts";
import {
  BINARY_CLASSES,
  ErrorPart,
  HEAVY_WEIGHT,
  isSlowRegExp,
  MAX_SHORT_TEXT,
  MAX_SMALL_SIZE,
  OBJECT_WEIGHT,
  regExpCost,
  SHORT_TEXT,
  SMALL_ARRAY,
  SMALL_RECORD,
  Tag,
} from "./value_format.ts";

/** Thrown for a value that cannot be sent, with its position in the message. */
export class UnsendableError extends ProtocolError {
  readonly #what: string;
  readonly #path: string[] = [];

  /** Makes the error for a kind of value. */
  constructor(what: string) {
    super(`cannot send ${what}`);
    this.#what = what;
  }

  /** Prepends the part of the message that contained it, while unwinding. */
  within(part: string): this {
    this.#path.unshift(part);
    this.message = `cannot send ${this.#what}, at ${this.#path.join(".")}`;
    return this;
  }
}

/** Thrown if a value is too deep or too large to be written as a tree, or has a cycle. */
class TreeError extends Error {}

/** The first character that is not in Latin-1. */
const LATIN1_END = 0x100;

/** Texts of at least this length, in characters, first reserve only one byte per character. */
const LONG_TEXT = 64 * 1024;

/** The most bytes that a UTF-16 code unit takes in UTF-8. */
const UTF8_BYTES = 3;

/** The room to reserve for a tag and a number, in bytes. */
const VALUE_ROOM = 16;

const utf8 = new TextEncoder();
const binaryNumbers = new Map<string, number>(
  BINARY_CLASSES.map(({ name }, number) => [name, number]),
);
const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get! as () => string | undefined;

const EMPTY = new Uint8Array();
const NO_VIEW: DataView = new DataView(EMPTY.buffer);

/** The payload of a message that has none. */
const NO_PAYLOAD: Extent = { offset: 0, length: 0 };

/** The outbox of the frame that is being written, and its buffer. */
let outbox: Outbox | undefined;
let bytes: Uint8Array<ArrayBuffer> = EMPTY;
/** Writes numbers into it. */
let view = NO_VIEW;
/** The start of the frame's body, and the position to write next. */
let start = 0;
let at = 0;
let parts = 0;
let costly = 0;
/** The largest binary data of the message that is worth a buffer of its own. */
let payload: Extent = NO_PAYLOAD;
/** Whether a tree is being written, which may be smaller as a graph. */
let isTree = false;
/** The objects of the graph being written, with their numbers, in order. */
let numbers: Map<object, number> | undefined;

/**
 * Starts a frame in an outbox. The functions below write it, and {@linkcode closeFrame} puts it
 * into the outbox. {@linkcode leaveFrame} must be called in any case.
 *
 * @throws {ProtocolError} if another frame is being written, because a getter in a message has sent
 * one.
 */
export function openFrame(target: Outbox): void {
  if (outbox) throw new ProtocolError("cannot send a message while another is being encoded");
  outbox = target;
  use(target);
  start = at = target.bodyStart;
  parts = costly = 0;
  payload = NO_PAYLOAD;
}

/**
 * Ends the frame and puts it into the outbox.
 *
 * @param pair its actors.
 * @param expires whether its header has a timeout.
 * @throws {ProtocolError} if it exceeds a limit.
 */
export function closeFrame(pair: Pair, expires: boolean): void {
  const size = at - start;
  requireSize(size);
  if (costly > COSTLY_VALUES + size / BYTES_PER_COSTLY_VALUE) {
    throw new ProtocolError(
      "the message has too many errors or regular expressions for its size: send it in pieces",
    );
  }
  if (size > MAX_FRAME || outbox!.hasLarge) {
    outbox!.commitInOrder(at, { pair, expires, payload });
  } else {
    outbox!.commit(at, expires);
  }
  outbox = undefined;
}

/** Drops a frame that was not closed. */
export function leaveFrame(): void {
  outbox?.abandon();
  outbox = numbers = undefined;
  isTree = false;
  bytes = EMPTY;
  view = NO_VIEW;
}

/** Writes into the buffer that an outbox has now. */
function use(target: Outbox): void {
  bytes = target.open();
  view = target.view;
}

/** The size of the body so far, in bytes. */
export function written(): number {
  return at - start;
}

/** Overwrites two bytes at `offset` of the body. */
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
  view.setFloat64(at, value, true);
  at += 8;
}

/**
 * Writes the name or serial number of an actor.
 *
 * @throws {UnsendableError} if it is neither.
 */
export function writeActorId(id: unknown): void {
  if (typeof id === "string" && id.length <= MAX_ACTOR_NAME) writeText(id);
  else if (typeof id === "number") writeNumber(id);
  else throw new UnsendableError("a reference to an actor that has no name or serial number");
}

/**
 * Writes a message. Most are trees, in which an object with two references to it is written twice.
 * One with cycles, or too deep or too large for a tree, is written as a graph, in which each object
 * is written once.
 *
 * @throws {UnsendableError} for functions, symbols, promises and other values that are not data.
 * @throws {ProtocolError} if it has too many parts.
 */
export function writeMessage(message: unknown): void {
  const before = at;
  isTree = typeof message === "object" && message !== null;
  try {
    writeValue(message, 0);
    isTree = false;
  } catch (error) {
    if (!(error instanceof TreeError)) throw error;
    isTree = false;
    at = before;
    parts = costly = 0;
    payload = NO_PAYLOAD;
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
    view.setFloat64(at, value, true);
    at += 8;
  } else if (integer >= 0 && integer < SHORT_TEXT) {
    bytes[at++] = integer;
  } else {
    bytes[at++] = Tag.Int32;
    writeUint32(integer);
  }
}

/** Writes a text. */
export function writeText(text: string): void {
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

/** The tag of an object. */
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
  // An instance of a class is sent as its own fields, as in a structured clone.
  return Tag.Record;
}

/**
 * The keys and values of a Map. A subclass may override its methods, and a getter of a value may
 * change it later.
 */
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

/** Writes an object that contains no other. */
function writeLeaf(tag: Tag, value: object): void {
  count(OBJECT_WEIGHT);
  switch (tag) {
    case Tag.ActorRef: {
      const { server, actor } = value as ActorRef;
      if (!isServerId(server)) {
        throw new UnsendableError("a reference to an actor that has no valid server id");
      }
      if (!isActorId(actor)) {
        throw new UnsendableError("a reference to an actor that has no name or serial number");
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
  // A copy, whose source and flags no subclass has overridden.
  const { source, flags } = new RegExp(value);
  if (source.length > MAX_PATTERN) {
    throw new UnsendableError(`a regular expression of more than ${MAX_PATTERN} characters`);
  }
  if (isSlowRegExp(source)) {
    throw new UnsendableError("a regular expression with a property of strings, such as RGI_Emoji");
  }
  costly += regExpCost(source);
  writeByte(Tag.RegExp);
  writeText(source);
  writeText(flags);
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
  if (content.length > MAX_FRAME && content.length > payload.length) {
    payload = { offset: at - start, length: content.length };
  }
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

/**
 * Writes the contents of all reachable objects, and then the objects. Each counts twice, as in the
 * decoder.
 */
function writeGraph(root: object): void {
  const objects = numbers = new Map([[root, 0]]);
  const heads: { tag: Tag; size: number }[] = [];
  writeByte(Tag.Graph);
  const sizeAt = at;
  at += 4;
  try {
    // The walk adds objects until all reachable ones are there.
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

/** Writes a tag and a size, and makes room for the `room` bytes that follow. */
function writeTagged(tag: number, room: number, size = room): void {
  if (room > 0) requireSize(at - start + room);
  reserve(VALUE_ROOM + room);
  bytes[at++] = tag;
  writeUint32(size);
}

function writeUint32(value: number): void {
  view.setUint32(at, value, true);
  at += 4;
}

function count(weight: number): void {
  if ((parts += weight) > MAX_PARTS) throw new TreeError();
}

function reserve(room: number): void {
  if (at + room <= bytes.length) return;
  requireSize(at - start);
  outbox!.grow(at, at + room);
  use(outbox!);
}

function requireSize(size: number): void {
  if (size <= MAX_MESSAGE) return;
  if (isTree) throw new TreeError();
  throw new ProtocolError(
    `the message is too large: it may have at most ${MAX_MESSAGE} bytes`,
  );
}

function inPart(error: unknown, part: string): unknown {
  return error instanceof UnsendableError ? error.within(part) : error;
}
