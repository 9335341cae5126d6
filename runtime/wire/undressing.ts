/**
 * The way back: values as they were before they were dressed for the way.
 *
 * @module
 */
import { ActorRef } from "../actor/ref.ts";
import { parseServerId } from "../actor/server_id.ts";
import { ProtocolError } from "../errors.ts";
import { Dressed, Kind } from "./dressing.ts";

const ERROR_CLASSES = new Map<unknown, ErrorConstructor>(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map(
    (each) => [each.name, each],
  ),
);

/** How many references were met that no graph has put their objects in place of yet. */
let openReferences = 0;

/** Starts to count the references of another message. */
export function countReferences(): void {
  openReferences = 0;
}

/**
 * Checks that the message's references were all within graphs.
 *
 * @throws {ProtocolError} when one was not.
 */
export function requireNoOpenReferences(): void {
  if (openReferences !== 0) throw new ProtocolError("malformed value: a reference outside a graph");
}

/**
 * Makes the value of a kind and its payload, whose parts are undressed already.
 *
 * @throws {ProtocolError} when the payload is not one of its kind.
 */
export function undress(kind: Kind, payload: unknown): unknown {
  switch (kind) {
    case Kind.NegativeZero:
      return -0;
    case Kind.Primitive:
      return Object(payload);
    case Kind.Reference:
      openReferences++;
      return new Dressed(Kind.Reference, payload);
    case Kind.Text:
      if (typeof payload === "string") return payload.slice(1);
      if (payload instanceof Uint16Array) return undressText(payload);
      break;
    case Kind.Float16Array:
      if (payload instanceof Uint8Array) return new Float16Array(payload.buffer as ArrayBuffer);
      break;
    case Kind.Map: {
      const entries = pairs(payload);
      const map = new Map<unknown, unknown>();
      for (let i = 0; i < entries.length; i += 2) map.set(entries[i], entries[i + 1]);
      return map;
    }
    case Kind.Entries: {
      const entries = pairs(payload);
      const object = {};
      for (let i = 0; i < entries.length; i += 2) {
        define(object, text(entries[i]), entries[i + 1], true);
      }
      return object;
    }
    case Kind.ActorRef: {
      const [server, actor] = list(payload);
      if (typeof actor !== "string" && typeof actor !== "number") break;
      return new ActorRef(parseServerId(text(server)), actor);
    }
    case Kind.Error:
      return undressError(list(payload));
    case Kind.Graph:
      return link(list(payload));
  }
  throw new ProtocolError(`malformed value of kind ${kind}`);
}

function list(payload: unknown): unknown[] {
  if (!Array.isArray(payload)) throw new ProtocolError("malformed value: not a list");
  return payload;
}

function pairs(payload: unknown): unknown[] {
  const entries = list(payload);
  if (entries.length % 2 !== 0) throw new ProtocolError("malformed value: a key without a value");
  return entries;
}

function text(payload: unknown): string {
  if (typeof payload !== "string") throw new ProtocolError("malformed value: not a text");
  return payload;
}

/** In parts, for a call takes only so many arguments. */
function undressText(codes: Uint16Array): string {
  let result = "";
  for (let i = 0; i < codes.length; i += 4096) {
    result += String.fromCharCode(...codes.subarray(i, i + 4096));
  }
  return result;
}

function undressError([name, message, stack, cause, errors]: unknown[]): Error {
  const options = Array.isArray(cause) ? { cause: cause[0] } : undefined;
  const error = Array.isArray(errors)
    ? new AggregateError([], text(message), options)
    : new (ERROR_CLASSES.get(name) ?? Error)(text(message), options);
  if (Array.isArray(errors)) define(error, "errors", errors[0], false);
  if (error.name !== name) define(error, "name", text(name), false);
  define(error, "stack", stack === null ? undefined : text(stack), false);
  return error;
}

/** Not an assignment, which would run a setter where the key is `__proto__`. */
function define(object: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, key, { value, writable: true, configurable: true, enumerable });
}

/** Puts the objects of a graph in the place of the references to them. */
function link(nodes: unknown[]): unknown {
  const resolve = (part: unknown): unknown => {
    if (!(part instanceof Dressed) || part.kind !== Kind.Reference) return part;
    const index = part.payload;
    if (typeof index !== "number" || !Object.hasOwn(nodes, index)) {
      throw new ProtocolError("malformed value: a reference to nothing");
    }
    openReferences--;
    return nodes[index];
  };
  for (const node of nodes) {
    if (Array.isArray(node)) {
      for (let i = 0; i < node.length; i++) node[i] = resolve(node[i]);
    } else if (node instanceof Map) {
      const entries = [...node];
      node.clear();
      for (const [key, value] of entries) node.set(resolve(key), resolve(value));
    } else if (node instanceof Set) {
      const members = [...node];
      node.clear();
      for (const member of members) node.add(resolve(member));
    } else if (node instanceof Error) {
      if ("cause" in node) define(node, "cause", resolve(node.cause), false);
      if (node instanceof AggregateError) define(node, "errors", resolve(node.errors), false);
    } else if (typeof node === "object" && node !== null && isRecord(node)) {
      for (const key of Object.keys(node)) define(node, key, resolve(node[key]), true);
    }
  }
  return nodes[0];
}

function isRecord(value: object): value is Record<string, unknown> {
  return Object.getPrototypeOf(value) === Object.prototype;
}
