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
}

/** Thrown when a value is nested deeper than {@linkcode MAX_DEPTH}, as one with a cycle is. */
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
export const MAX_DEPTH = 100;

const NEGATIVE_ZERO = new Dressed(Kind.NegativeZero, null);

/** How the parts of a value are dressed; a graph gives a reference for each object instead. */
export type DressPart = (part: unknown, depth: number) => unknown;

/**
 * Dresses a value for the way: everything that structured clone carries, and actor references. A value
 * that needs nothing is given back as it is, uncopied.
 *
 * @throws {UnsendableError} for functions, symbols, promises and other things that are no values.
 * @throws {DepthError} when it is nested too deeply.
 */
export function dress(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "object":
      if (value === null) return value;
      if (depth > MAX_DEPTH) throw new DepthError();
      return dressObject(value, depth + 1, dress);
    case "number":
      return Object.is(value, -0) ? NEGATIVE_ZERO : value;
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
  if (
    value instanceof Date || value instanceof RegExp || value instanceof ArrayBuffer ||
    ArrayBuffer.isView(value)
  ) return value;
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
  return typeof value === "string" || typeof value === "boolean" ||
    (typeof value === "number" && value !== 0);
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
    if (key === "__proto__" || key === "constructor") return dressEntries(value, depth, part);
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
    payload.push(key, dressPart(each, depth, part, key));
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
  const optional = (key: "cause" | "errors") =>
    key in value ? [dressPart((value as AggregateError)[key], depth, part, key)] : null;
  return new Dressed(Kind.Error, [
    String(value.name),
    String(value.message),
    typeof value.stack === "string" ? value.stack : null,
    optional("cause"),
    optional("errors"),
  ]);
}
