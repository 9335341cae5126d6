/**
 * Decodes values from a frame.
 *
 * The bytes may come from an attacker. Nothing is allocated for a size that is merely announced,
 * and no more than the limits allow. Decoded values do not refer to the bytes.
 *
 * The state is in variables of the module rather than in an object: that is faster, and only one
 * frame is read at a time.
 *
 * @module
 */
import process from "node:process";
import { MAX_KEPT } from "./buffers.ts";
import { knownText, latin1Slice, MAX_KNOWN_TEXT } from "./known_texts.ts";
import {
  type ActorId,
  ActorRef,
  isActorId,
  isServerId,
  MAX_ACTOR_NAME,
} from "../actor/references.ts";
import { ProtocolError } from "../errors.ts";
import {
  BYTES_PER_COSTLY_VALUE,
  COSTLY_VALUES,
  MAP_TIME,
  MAP_TIME_PER_MIB,
  MAX_BIGINT,
  MAX_DEPTH,
  MAX_PARTS,
  MAX_PATTERN,
} from "./limits.ts";
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

const ERROR_CLASSES = new Map<unknown, ErrorConstructor>(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map(
    (each) => [each.name, each],
  ),
);

const MIB = 1024 * 1024;

/** The number of entries of a Map or Set between checks of the clock. */
const ENTRIES_PER_CHECK = 256;

/**
 * The longest array that is allocated at once, since the elements of a longer one might not arrive.
 */
const MAX_ALLOCATED = 256;

/** The number of characters to convert in one call, since the number of arguments is limited. */
const CHARACTERS_PER_CALL = 4096;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

const EMPTY: Uint8Array<ArrayBuffer> = new Uint8Array();

/** The frame that is being read, the position in it, and its end. */
let bytes: Uint8Array = EMPTY;
/** Reads numbers from the buffer that was read last. */
let view = viewOf(EMPTY);
let viewed: Uint8Array = EMPTY;
let at = 0;
let end = 0;
let parts = 0;
let costly = 0;
let maxCostly = 0;
/** Binary data of the message that is not in the frame, and where it is missing. */
let payload: Uint8Array<ArrayBuffer> = EMPTY;
let payloadAt = -1;
/** The objects of the graph being read. */
let nodes: unknown[] | undefined;
/** The processor time that large Maps and Sets have taken, and may take, in ms. */
let time = 0;
let maxTime = 0;

/**
 * Starts reading `buffer` from `start` to `stop`. The functions below read it, and throw {@linkcode
 * ProtocolError} for malformed data or an exceeded limit. {@linkcode closeFrame} must be called in
 * any case.
 */
export function openFrame(buffer: Uint8Array, start: number, stop: number): void {
  bytes = buffer;
  if (buffer !== viewed) view = viewOf(viewed = buffer);
  at = start;
  end = stop;
  parts = costly = time = 0;
}

/**
 * Provides the binary data that is missing from the frame at a position of the buffer. It becomes part of
 * the message, and is not copied.
 */
export function openPayload(missing: Uint8Array<ArrayBuffer>, position: number): void {
  payload = missing;
  payloadAt = position;
}

/** Ends reading the frame. */
export function closeFrame(): void {
  bytes = payload = EMPTY;
  // A large buffer must not stay in memory until the next frame.
  if (viewed.length > MAX_KEPT) view = viewOf(viewed = EMPTY);
  payloadAt = -1;
  nodes = undefined;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Reads a byte. */
export function readByte(): number {
  if (at >= end) throw malformed("it ends too early");
  return bytes[at++]!;
}

/** Reads a number of two bytes. */
export function readUint16(): number {
  return readByte() | readByte() << 8;
}

/** Reads a double without a tag. */
export function readDouble(): number {
  requireBytes(8);
  const value = view.getFloat64(at, true);
  at += 8;
  return value;
}

/** Reads the name or serial number of an actor. */
export function readActorId(): ActorId {
  const id = readPrimitive();
  if (typeof id === "number" || (typeof id === "string" && id.length <= MAX_ACTOR_NAME)) return id;
  throw malformed("not the name or serial number of an actor");
}

/** Skips to the end of the header, which may have fields unknown to this version. */
export function skipTo(position: number): void {
  if (at > position || position > end) throw malformed("a header of another length");
  at = position;
}

/** Reads the rest of a frame of `size` bytes as a message. */
export function readMessage(size: number): unknown {
  maxCostly = COSTLY_VALUES + size / BYTES_PER_COSTLY_VALUE;
  maxTime = MAP_TIME + size / MIB * MAP_TIME_PER_MIB;
  const message = at < end && bytes[at] === Tag.Graph ? readGraph() : readValue(0);
  if (at !== end) throw malformed("bytes after its end");
  if (payloadAt !== -1) throw malformed("a payload that belongs to nothing");
  return message;
}

function readValue(depth: number): unknown {
  const tag = readByte();
  if (tag < SHORT_TEXT) return tag;
  if (tag < SMALL_RECORD) return readShortText(tag - SHORT_TEXT);
  if (tag < SMALL_ARRAY) return readFields({}, tag - SMALL_RECORD, depth);
  if (tag < Tag.Null) return readArray(tag - SMALL_ARRAY, depth);
  switch (tag) {
    case Tag.Null:
      return null;
    case Tag.Undefined:
      return undefined;
    case Tag.False:
      return false;
    case Tag.True:
      return true;
    case Tag.Int32:
      return readUint32() | 0;
    case Tag.Double:
      return readDouble();
    case Tag.Latin1:
    case Tag.Utf8:
    case Tag.Utf16:
      return readLongText(tag);
    case Tag.BigInt:
      return readBigInt();
    case Tag.Array:
      return readArray(readUint32(), depth);
    case Tag.Record:
      return readFields({}, readUint32(), depth);
    case Tag.Map:
      return readEntries(new Map(), readUint32(), depth);
    case Tag.Set:
      return readMembers(new Set(), readUint32(), depth);
    case Tag.Error: {
      const present = readByte();
      return readErrorParts(readErrorHead(present), present, depth);
    }
    case Tag.Reference:
      return readReference();
    default:
      return readLeaf(tag);
  }
}

/** Reads a boolean, a number, a text or a BigInt. */
function readPrimitive(): unknown {
  const tag = at < end ? bytes[at]! : Tag.Null;
  if (tag >= SMALL_RECORD && (tag < Tag.False || tag > Tag.BigInt)) {
    throw malformed("not a primitive");
  }
  return readValue(0);
}

/** Reads a text. */
export function readText(): string {
  const tag = readByte();
  if (tag >= SHORT_TEXT && tag <= SHORT_TEXT + MAX_SHORT_TEXT) {
    return readShortText(tag - SHORT_TEXT);
  }
  if (tag === Tag.Latin1 || tag === Tag.Utf8 || tag === Tag.Utf16) return readLongText(tag);
  throw malformed("not a text");
}

function readShortText(length: number): string {
  requireBytes(length);
  const start = at;
  at += length;
  return length > MAX_KNOWN_TEXT
    ? latin1Slice.call(bytes, start, at)
    : knownText(view, start, length);
}

function readLongText(tag: Tag): string {
  const length = readUint32();
  requireBytes(length);
  const start = at;
  at += length;
  if (tag === Tag.Latin1) return latin1Slice.call(bytes, start, at);
  if (tag === Tag.Utf8) return utf8.decode(bytes.subarray(start, at));
  if (length % 2 !== 0) throw malformed("half a character");
  let text = "";
  if (length <= MAX_SHORT_TEXT) {
    for (let i = start; i < at; i += 2) text += String.fromCharCode(bytes[i]! | bytes[i + 1]! << 8);
    return text;
  }
  const codes = new Uint16Array(bytes.slice(start, at).buffer);
  for (let i = 0; i < codes.length; i += CHARACTERS_PER_CALL) {
    text += String.fromCharCode(...codes.subarray(i, i + CHARACTERS_PER_CALL));
  }
  return text;
}

function readBigInt(): bigint {
  count(OBJECT_WEIGHT);
  const length = readUint32() - 1;
  if (length < 1 || length > MAX_BIGINT) throw malformed("a BigInt of zero or too many bytes");
  const negative = readByte() !== 0;
  requireBytes(length);
  const magnitude = BigInt(`0x${bytes.subarray(at, at += length).toHex()}`);
  return negative ? -magnitude : magnitude;
}

function readArray(length: number, depth: number): unknown[] {
  if (length > MAX_ALLOCATED) return readElements([], length, depth);
  enter(length, depth);
  count(OBJECT_WEIGHT + length);
  // A growing array starts with room for many elements.
  const array = new Array(length);
  for (let i = 0; i < length; i++) array[i] = readValue(depth + 1);
  return array;
}

function readElements(array: unknown[], length: number, depth: number): unknown[] {
  enter(length, depth);
  count(OBJECT_WEIGHT + length);
  for (let i = 0; i < length; i++) array.push(readValue(depth + 1));
  return array;
}

function readFields(
  record: Record<string, unknown>,
  length: number,
  depth: number,
): Record<string, unknown> {
  enter(length, depth);
  count(OBJECT_WEIGHT + length);
  for (let i = 0; i < length; i++) {
    const key = readText();
    const value = readValue(depth + 1);
    // Assigning it would set the prototype.
    if (key === "__proto__") define(record, key, { value, enumerable: true });
    else record[key] = value;
  }
  return record;
}

function readEntries(
  map: Map<unknown, unknown>,
  length: number,
  depth: number,
): Map<unknown, unknown> {
  enter(2 * length, depth);
  count(HEAVY_WEIGHT + OBJECT_WEIGHT + 4 * length);
  let checked = length < ENTRIES_PER_CHECK ? undefined : moment();
  for (let i = 1; i <= length; i++) {
    map.set(readValue(depth + 1), readValue(depth + 1));
    if (i % ENTRIES_PER_CHECK === 0) checked = spendTime(checked!);
  }
  if (checked) spendTime(checked);
  return map;
}

function readMembers(set: Set<unknown>, length: number, depth: number): Set<unknown> {
  enter(length, depth);
  count(HEAVY_WEIGHT + OBJECT_WEIGHT + 2 * length);
  let checked = length < ENTRIES_PER_CHECK ? undefined : moment();
  for (let i = 1; i <= length; i++) {
    set.add(readValue(depth + 1));
    if (i % ENTRIES_PER_CHECK === 0) checked = spendTime(checked!);
  }
  if (checked) spendTime(checked);
  return set;
}

/** Starts an object of at least `length` bytes. */
function enter(length: number, depth: number): void {
  if (depth >= MAX_DEPTH) throw malformed("nested too deeply");
  requireBytes(length);
}

function readErrorHead(present: number): Error {
  count(HEAVY_WEIGHT);
  spend(1);
  const name = readText();
  const aggregate = (present & ErrorPart.Errors) !== 0;
  const Class = ERROR_CLASSES.get(name) ?? Error;
  // Using up the decoder's stack would be wasteful.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = aggregate ? new AggregateError([]) : new Class();
  Error.stackTraceLimit = limit;
  if (error.name !== name) define(error, "name", { value: name });
  return error;
}

function readErrorParts(error: Error, present: number, depth: number): Error {
  enter(0, depth);
  define(error, "message", { value: readText() });
  define(error, "stack", { value: present & ErrorPart.Stack ? readText() : undefined });
  if (present & ErrorPart.Cause) define(error, "cause", { value: readValue(depth + 1) });
  if (present & ErrorPart.Errors) define(error, "errors", { value: readValue(depth + 1) });
  return error;
}

function define(
  object: object,
  key: string,
  { value, enumerable = false }: { value: unknown; enumerable?: boolean },
): void {
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}

/** Reads an object that contains no other. */
function readLeaf(tag: Tag): unknown {
  count(OBJECT_WEIGHT);
  switch (tag) {
    case Tag.ActorRef: {
      const server = readText();
      if (!isServerId(server)) throw malformed("not a server id");
      const actor = readActorId();
      if (!isActorId(actor)) throw malformed("not the name or serial number of an actor");
      return ActorRef.unchecked(server, actor);
    }
    case Tag.Date:
      return new Date(readDouble());
    case Tag.RegExp:
      return readRegExp();
    case Tag.Boxed:
      return Object(readPrimitive());
    case Tag.Binary:
      return readBinary();
  }
  throw malformed("an unknown kind of value");
}

function readRegExp(): RegExp {
  const source = readText();
  const flags = readText();
  if (source.length > MAX_PATTERN || isSlowRegExp(source)) {
    throw malformed("a regular expression that must not be sent");
  }
  spend(regExpCost(source));
  try {
    return new RegExp(source, flags);
  } catch {
    throw malformed("not a regular expression");
  }
}

function readBinary(): unknown {
  count(HEAVY_WEIGHT);
  const Class = BINARY_CLASSES[readByte()];
  if (Class === undefined) throw malformed("an unknown kind of binary");
  const content = readContent();
  const { length } = content;
  if (Class === Uint8Array) return content;
  const { buffer } = content;
  if (Class === ArrayBuffer) return buffer;
  if (Class === DataView) return new DataView(buffer);
  const TypedArray = Class as Uint8ArrayConstructor;
  if (length % TypedArray.BYTES_PER_ELEMENT !== 0) throw malformed("part of an element");
  return new TypedArray(buffer);
}

/** Reads the size of binary data and its bytes, in a buffer of their own. */
function readContent(): Uint8Array<ArrayBuffer> {
  const length = readUint32();
  if (at === payloadAt && length === payload.length) {
    payloadAt = -1;
    return payload;
  }
  requireBytes(length);
  return bytes.slice(at, at += length) as Uint8Array<ArrayBuffer>;
}

function readReference(): unknown {
  const number = readUint32();
  if (nodes === undefined || number >= nodes.length) throw malformed("a reference to nothing");
  return nodes[number];
}

/**
 * Creates all objects of a graph, and then fills them. Each counts twice: when it is created, and
 * when it is filled.
 */
function readGraph(): unknown {
  at++;
  const size = readUint32();
  requireBytes(size);
  const contents = at;
  at += size;
  const length = readUint32();
  if (length === 0) throw malformed("an empty graph");
  requireBytes(length);
  const made: unknown[] = [];
  const sizes: number[] = [];
  for (let i = 0; i < length; i++) made.push(readHead(sizes));
  const last = at;
  nodes = made;
  at = contents;
  for (let i = 0; i < length; i++) readContents(made[i], sizes[i]!);
  if (at !== contents + size) throw malformed("a graph of another size");
  at = last;
  return made[0];
}

function readHead(sizes: number[]): unknown {
  const tag = readByte();
  let size = 0;
  let made: unknown;
  if (tag >= SMALL_RECORD && tag <= SMALL_RECORD + MAX_SMALL_SIZE) {
    count(OBJECT_WEIGHT);
    size = tag - SMALL_RECORD;
    made = {};
  } else if (tag >= SMALL_ARRAY && tag <= SMALL_ARRAY + MAX_SMALL_SIZE) {
    count(OBJECT_WEIGHT);
    size = tag - SMALL_ARRAY;
    made = [];
  } else if (tag === Tag.Record) {
    count(OBJECT_WEIGHT);
    size = readUint32();
    made = {};
  } else if (tag === Tag.Array) {
    count(OBJECT_WEIGHT);
    size = readUint32();
    made = [];
  } else if (tag === Tag.Map) {
    count(HEAVY_WEIGHT);
    size = readUint32();
    made = new Map();
  } else if (tag === Tag.Set) {
    count(HEAVY_WEIGHT);
    size = readUint32();
    made = new Set();
  } else if (tag === Tag.Error) {
    size = readByte();
    made = readErrorHead(size);
  } else {
    made = readLeaf(tag);
  }
  sizes.push(size);
  return made;
}

function readContents(made: unknown, size: number): void {
  if (Array.isArray(made)) readElements(made, size, 0);
  else if (made instanceof Map) readEntries(made, size, 0);
  else if (made instanceof Set) readMembers(made, size, 0);
  else if (made instanceof Error) readErrorParts(made, size, 0);
  else if (Object.getPrototypeOf(made) === Object.prototype) {
    readFields(made as Record<string, unknown>, size, 0);
  }
}

function readUint32(): number {
  requireBytes(4);
  const value = view.getUint32(at, true);
  at += 4;
  return value;
}

function requireBytes(length: number): void {
  if (at + length > end) throw malformed("it ends too early");
}

/** Counts what uses memory. */
function count(weight: number): void {
  if ((parts += weight) > MAX_PARTS) throw malformed("too many parts");
}

/** Counts what takes microseconds. */
function spend(cost: number): void {
  costly += cost;
  if (costly > maxCostly) throw malformed("too many errors or regular expressions");
}

/**
 * Counts the time since the last count as spent on a Map or Set. Counting parts is not enough: the
 * engine hashes numbers without a secret, so a peer can choose colliding keys, and each is then
 * compared with all before it.
 */
function spendTime(since: Moment): Moment {
  const now = moment();
  time += Math.min(now.processor - since.processor, now.clock - since.clock);
  if (time > maxTime) throw malformed("decoding takes too long");
  return now;
}

/**
 * A point in time on two clocks, in ms. The processor time of the process excludes time in which it
 * did not run, but includes its other threads. The clock does the reverse. So the decoder has used at
 * most the lesser of the two.
 */
interface Moment {
  readonly processor: number;
  readonly clock: number;
}

function moment(): Moment {
  const { user, system } = process.cpuUsage();
  return { processor: (user + system) / 1000, clock: performance.now() };
}

/**
 * Makes the error for a malformed frame. The message quotes nothing from the frame, so that it is
 * short and safe to log.
 */
function malformed(why: string): ProtocolError {
  return new ProtocolError(`malformed frame: ${why}`);
}
