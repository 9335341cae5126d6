/**
 * Which values may travel, and how those that MessagePack has no form for are dressed for the way.
 *
 * @module
 */
import { ActorRef } from "../actor/ref.ts";
import { ProtocolError } from "../errors.ts";

/** A value that MessagePack lacks: a kind, and a payload of values that it has. */
export class Dressed {
  /** Which kind; see {@linkcode undress}. */
  readonly kind: Kind;
  /** What it is made of. */
  readonly payload: unknown;

  /** Dresses a value. */
  constructor(kind: Kind, payload: unknown) {
    this.kind = kind;
    this.payload = payload;
  }
}

/** The kinds of dressed values. Part of the protocol: never renumber. */
export enum Kind {
  /** A Map: its entries, in a row. */
  Map = 0,
  /** An object with keys that MessagePack libraries treat specially: its entries, in a row. */
  Entries = 1,
  /** An Error: name, message, stack, cause (or nothing), errors (or nothing). */
  Error = 2,
  /** Minus zero. */
  NegativeZero = 3,
  /** A reference to an actor: server, actor. */
  ActorRef = 4,
  /** A Boolean, Number, String or BigInt object: the primitive. */
  Primitive = 5,
  /** A value with cycles, or nested deeper than a parser likes: see `graph.ts`. */
  Graph = 6,
  /** Inside a graph: the object with this number. */
  Reference = 7,
  /** A string that UTF-8 lacks or a decoder changes: its code units; or the string after one character. */
  Text = 8,
  /** A Float16Array: its bytes. */
  Float16Array = 9,
}

/** Thrown when a value is deeper than {@linkcode MAX_DEPTH}, as one with a cycle is, or very large. */
export class DepthError extends Error {}

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

/** How deep a value may be nested before it is sent as a graph. */
const MAX_DEPTH = 100;

/**
 * How many objects a tree may have before it is sent as a graph: one that refers to the same objects over
 * and over can be a tree of more objects than there is memory for.
 */
const MAX_OBJECTS = 1 << 20;

/** How many objects the tree that is being dressed had so far. */
let objects = 0;

/** Starts to count the objects of another tree. */
export function countObjects(): void {
  objects = 0;
}

const FIRST_SURROGATE = 0xd800;
const BYTE_ORDER_MARK = 0xfeff;
const SHORT = 16;

const NEGATIVE_ZERO = new Dressed(Kind.NegativeZero, null);

/** How the parts of a value are dressed; a graph gives a reference for each object instead. */
export type DressPart = (part: unknown, depth: number) => unknown;

/**
 * Dresses a value for the way: everything that structured clone carries, and actor references. A value
 * that needs nothing is given back as it is, uncopied.
 *
 * @throws {UnsendableError} for functions, symbols, promises and other things that are no values.
 * @throws {DepthError} when it is nested too deeply, or has too many objects.
 */
export function dress(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "object":
      if (value === null) return value;
      if (depth > MAX_DEPTH || ++objects > MAX_OBJECTS) throw new DepthError();
      return dressObject(value, depth + 1, dress);
    case "number":
      return Object.is(value, -0) ? NEGATIVE_ZERO : value;
    case "string":
      return isText(value) ? value : dressText(value);
    case "function":
    case "symbol":
      throw new UnsendableError(`a ${typeof value}`);
    default:
      return value;
  }
}

/** Dresses one object, its parts with `part`. */
export function dressObject(value: object, depth: number, part: DressPart): unknown {
  const constructor = Object.getPrototypeOf(value)?.constructor;
  if (constructor === Object || constructor === undefined) {
    return dressRecord(value as Record<string, unknown>, depth, part);
  }
  if (Array.isArray(value)) return dressArray(value, depth, part);
  if (value instanceof ActorRef) return new Dressed(Kind.ActorRef, [value.server, value.actor]);
  if (value instanceof Map) {
    const payload = [...value].flat(1);
    return new Dressed(Kind.Map, dressArray(payload, depth, part));
  }
  if (value instanceof Set) {
    return new Set(dressArray([...value], depth, part) as unknown[]);
  }
  if (value instanceof Error) return dressError(value, depth, part);
  if (ArrayBuffer.isView(value)) return dressView(value);
  if (value instanceof Date || value instanceof RegExp || value instanceof ArrayBuffer) {
    return value;
  }
  if (
    value instanceof Boolean || value instanceof Number || value instanceof String ||
    value instanceof BigInt
  ) return new Dressed(Kind.Primitive, part(value.valueOf(), depth));
  const tag = Object.prototype.toString.call(value);
  if (tag !== "[object Object]") throw new UnsendableError(tag);
  // An instance of a class travels as its own fields, as in a structured clone.
  return dressRecord({ ...value }, depth, part);
}

/** Whether a value is one of those that make most of all messages, and need no second look. */
function isPlain(value: unknown): boolean {
  return typeof value === "string"
    ? isText(value)
    : typeof value === "boolean" || (typeof value === "number" && value !== 0);
}

/** Whether a string is the same after it was UTF-8: no lone surrogates, nor a byte order mark to be lost. */
function isText(value: string): boolean {
  // A look at each character costs less than a call into the engine where they are few.
  if (value.length <= SHORT) {
    let i = 0;
    while (i < value.length && value.charCodeAt(i) < FIRST_SURROGATE) i++;
    if (i === value.length) return true;
  }
  return value.charCodeAt(0) !== BYTE_ORDER_MARK && value.isWellFormed();
}

function dressText(value: string): Dressed {
  if (value.isWellFormed()) return new Dressed(Kind.Text, `-${value}`);
  const codes = new Uint16Array(value.length);
  for (let i = 0; i < codes.length; i++) codes[i] = value.charCodeAt(i);
  return new Dressed(Kind.Text, codes);
}

/** The codec knows typed arrays by the names of their classes, and these all but the newest. */
function dressView(value: ArrayBufferView): unknown {
  if (value instanceof DataView) return value;
  const name = (value as Uint8Array)[Symbol.toStringTag] as string;
  if (name === value.constructor.name && name !== "Float16Array") return value;
  const { buffer, byteOffset, byteLength } = value;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  if (name === "Float16Array") return new Dressed(Kind.Float16Array, bytes);
  const { [name]: Class } = globalThis as unknown as Record<string, Uint8ArrayConstructor>;
  return new Class!(buffer as ArrayBuffer, byteOffset, (value as Uint8Array).length);
}

function dressPart(value: unknown, depth: number, part: DressPart, key: string): unknown {
  try {
    return part(value, depth);
  } catch (error) {
    throw error instanceof UnsendableError ? error.within(key) : error;
  }
}

function dressRecord(
  value: Record<string, unknown>,
  depth: number,
  part: DressPart,
): unknown {
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(value)) {
    if (key === "__proto__" || key === "constructor" || !isText(key)) {
      return dressEntries(value, depth, part);
    }
    const before = value[key];
    if (isPlain(before)) continue;
    const after = dressPart(before, depth, part, key);
    if (after !== before) (copy ??= { ...value })[key] = after;
  }
  return copy ?? value;
}

function dressEntries(
  value: Record<string, unknown>,
  depth: number,
  part: DressPart,
): unknown {
  const payload: unknown[] = [];
  for (const [key, each] of Object.entries(value)) {
    payload.push(isText(key) ? key : dressText(key), dressPart(each, depth, part, key));
  }
  return new Dressed(Kind.Entries, payload);
}

function dressArray(value: unknown[], depth: number, part: DressPart): unknown {
  let copy: unknown[] | undefined;
  for (let i = 0; i < value.length; i++) {
    const before = value[i];
    if (isPlain(before)) continue;
    const after = dressPart(before, depth, part, String(i));
    if (after !== before) (copy ??= [...value])[i] = after;
  }
  return copy ?? value;
}

function dressError(value: Error, depth: number, part: DressPart): unknown {
  const text = (part: unknown) => dress(String(part), depth);
  return new Dressed(Kind.Error, [
    text(value.name),
    text(value.message),
    typeof value.stack === "string" ? text(value.stack) : null,
    "cause" in value ? [dressPart(value.cause, depth, part, "cause")] : null,
    value instanceof AggregateError ? [dressPart(value.errors, depth, part, "errors")] : null,
  ]);
}
