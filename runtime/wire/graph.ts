/**
 * Values as graphs: for those with cycles, those nested very deep, and the largest.
 *
 * @module
 */
import { countObjects, DepthError, dress, Dressed, dressObject, Kind } from "./dressing.ts";

/**
 * Dresses a value of any shape. Most are trees of a moderate depth and are dressed as such, where an
 * object that is referred to twice is sent twice. One with cycles, nested deeper than that, or of more
 * objects than most becomes a graph: a list of its objects, the root first, each referring to the others by number.
 *
 * @throws {UnsendableError} when a part of it is no value: see {@linkcode dress}.
 */
export function dressAny(value: unknown): unknown {
  countObjects();
  try {
    return dress(value, 0);
  } catch (error) {
    if (!(error instanceof DepthError)) throw error;
    return dressGraph(value as object);
  }
}

function dressGraph(root: object): Dressed {
  const objects = [root];
  const numbers = new Map([[root, 0]]);
  const part = (value: unknown, depth: number): unknown => {
    if (typeof value !== "object" || value === null) return dress(value, depth);
    let number = numbers.get(value);
    if (number === undefined) {
      number = objects.push(value) - 1;
      numbers.set(value, number);
    }
    return new Dressed(Kind.Reference, number);
  };
  const nodes: unknown[] = [];
  // The list grows while it is walked, until every object that can be reached is in it.
  for (const object of objects) nodes.push(dressObject(object, 0, part));
  return new Dressed(Kind.Graph, nodes);
}
