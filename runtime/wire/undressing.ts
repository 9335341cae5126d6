/**
 * The way back: values as they were before they were dressed for the way.
 *
 * @module
 */
import { ActorRef } from "../actor/ref.ts";
import { parseServerId } from "../actor/server_id.ts";
import { ProtocolError } from "../errors.ts";
import { Dressed, Kind } from "./dressing.ts";

const ERROR_CLASSES: Record<string, ErrorConstructor> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

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
      return new Dressed(Kind.Reference, payload);
    case Kind.Map: {
      const entries = list(payload);
      const map = new Map<unknown, unknown>();
      for (let i = 0; i + 1 < entries.length; i += 2) map.set(entries[i], entries[i + 1]);
      return map;
    }
    case Kind.Entries: {
      const entries = list(payload);
      const object = {};
      for (let i = 0; i + 1 < entries.length; i += 2) {
        define(object, String(entries[i]), entries[i + 1], true);
      }
      return object;
    }
    case Kind.ActorRef: {
      const [server, actor] = list(payload);
      if (typeof actor !== "string" && typeof actor !== "number") break;
      return new ActorRef(parseServerId(String(server)), actor);
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

function undressError([name, message, stack, cause, errors]: unknown[]): Error {
  const options = Array.isArray(cause) ? { cause: cause[0] } : undefined;
  const text = String(message);
  const error = Array.isArray(errors)
    ? new AggregateError([], text, options)
    : new (ERROR_CLASSES[String(name)] ?? Error)(text, options);
  if (Array.isArray(errors)) define(error, "errors", errors[0], false);
  if (error.name !== name) define(error, "name", name, false);
  define(error, "stack", stack ?? undefined, false);
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
    const index = part.payload as number;
    if (!(index in nodes)) throw new ProtocolError("malformed value: a reference to nothing");
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
