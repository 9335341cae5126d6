/**
 * The graph of units: what lies below a unit, and in what order it is evaluated.
 *
 * @module
 */
import { ProtocolError } from "../errors.ts";
import { linkedUnit, linkedUnits, type Unit } from "./unit.ts";

/** Units by hash. */
export type Units = ReadonlyMap<string, Unit>;

/**
 * The hashes of everything below and including the unit `entry`.
 *
 * @throws {ProtocolError} when a unit of the tree is not there.
 */
export function hashesBelow(entry: string, units: Units): Set<string> {
  const tree = new Set<string>();
  const pending: { hash: string; importer?: Unit }[] = [{ hash: entry }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { hash, importer } = next;
    if (tree.has(hash)) continue;
    const unit = units.get(hash);
    if (unit === undefined) {
      const message = `unit ${hash} was not sent, and this server does not have it`;
      throw new ProtocolError(importer ? `${importer.path}: its import ${message}` : message);
    }
    tree.add(hash);
    for (const linked of linkedUnits(unit)) pending.push({ hash: linked, importer: unit });
  }
  return tree;
}

/**
 * The units whose files are read when that of `entry` is: all that it imports by statements, deferred ones included,
 * and all that those import.
 */
export function importedUnits(entry: string, units: Units): Unit[] {
  const imported = new Set([entry]);
  // A set gives what is added while it is gone through.
  for (const hash of imported) {
    for (const below of staticImports(units.get(hash)!)) imported.add(below);
  }
  return [...imported].map((hash) => units.get(hash)!);
}

/**
 * The units that are evaluated when `entry` is, in the order of their evaluation: what a unit imports
 * by statements comes before it. Units that import each other in a cycle are evaluated together, the
 * first of them being asked for.
 *
 * @see https://tc39.es/ecma262/#sec-innermoduleevaluation
 */
export function evaluationOrder(entry: string, units: Units): Unit[][] {
  return strongComponents(
    [units.get(entry)!],
    (unit) => eagerImports(unit).map((hash) => units.get(hash)!),
  );
}

/**
 * The units that are evaluated together with `entry`: itself, and those that it imports in a cycle. Others
 * that it imports need not be among `units`.
 */
export function evaluatedTogether(entry: string, units: Units): Unit[] {
  const components = strongComponents(
    [units.get(entry)!],
    (unit) => eagerImports(unit).flatMap((hash) => units.get(hash) ?? []),
  );
  return components.at(-1)!;
}

/** The hashes of the units that a unit imports by statements, in the order of its text. */
export function staticImports(unit: Unit): string[] {
  return unit.links.flatMap((link) =>
    link.keyword === undefined ? linkedUnit(unit, link.target) ?? [] : []
  );
}

/** Those of {@linkcode staticImports} that are evaluated before the unit is. */
export function eagerImports(unit: Unit): string[] {
  return unit.links.flatMap((link) =>
    link.keyword === undefined && !link.deferred ? linkedUnit(unit, link.target) ?? [] : []
  );
}

/**
 * The strongly connected components of what is reachable from `roots`: each is one node, or the nodes
 * of a cycle. A component comes after those that it leads to, and starts with the node by which it was
 * reached; the others follow as they are visited.
 *
 * @see Tarjan, "Depth-first search and linear graph algorithms", 1972
 */
export function strongComponents<Node>(
  roots: Iterable<Node>,
  successors: (node: Node) => Node[],
): Node[][] {
  const components: Node[][] = [];
  const indices = new Map<Node, number>();
  const lowest = new Map<Node, number>();
  const stack: Node[] = [];
  const onStack = new Set<Node>();
  // The path from the root, with what is left to visit: the depth of a graph is its author's to choose.
  const path: { node: Node; rest: Node[] }[] = [];

  const enter = (node: Node): void => {
    indices.set(node, indices.size);
    lowest.set(node, indices.get(node)!);
    stack.push(node);
    onStack.add(node);
    path.push({ node, rest: successors(node).toReversed() });
  };
  const lower = (node: Node, index: number): void => {
    lowest.set(node, Math.min(lowest.get(node)!, index));
  };
  const leave = (node: Node): void => {
    path.pop();
    const parent = path.at(-1);
    if (parent) lower(parent.node, lowest.get(node)!);
    if (lowest.get(node) !== indices.get(node)) return;
    const component = stack.splice(stack.lastIndexOf(node));
    for (const member of component) onStack.delete(member);
    components.push(component);
  };

  for (const root of roots) {
    if (indices.has(root)) continue;
    enter(root);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const next = top.rest.pop();
      if (next === undefined) leave(top.node);
      else if (!indices.has(next)) enter(next);
      else if (onStack.has(next)) lower(top.node, indices.get(next)!);
    }
  }
  return components;
}
