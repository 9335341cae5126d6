/**
 * The graph of units: the units below one, and their evaluation order.
 *
 * @module
 */
import { ProtocolError } from "../errors.ts";
import { linkedUnit, linkedUnits, type Unit } from "./unit.ts";

/** Units by hash. */
export type Units = ReadonlyMap<string, Unit>;

/**
 * The hashes of the unit `entry` and of everything below it.
 *
 * @throws {ProtocolError} if a unit of the tree is missing.
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
 * The units whose files are read with that of `entry`: everything that it imports statically,
 * directly or indirectly, including deferred imports.
 */
export function importedUnits(entry: string, units: Units): Unit[] {
  const imported = new Set([entry]);
  // A set's iteration includes elements that are added during it.
  for (const hash of imported) {
    for (const below of staticImports(units.get(hash)!)) imported.add(below);
  }
  return [...imported].map((hash) => units.get(hash)!);
}

/**
 * The units that are evaluated with `entry`, in evaluation order: each after its static imports.
 * The units of a cycle are evaluated together, by importing the first.
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
 * The units that are evaluated together with `entry`: itself, and those in its import cycle. Other
 * imports need not be among `units`.
 */
export function evaluatedTogether(entry: string, units: Units): Unit[] {
  const components = strongComponents(
    [units.get(entry)!],
    (unit) => eagerImports(unit).flatMap((hash) => units.get(hash) ?? []),
  );
  return components.at(-1)!;
}

/** The hashes of a unit's static imports, in the order of its text. */
export function staticImports(unit: Unit): string[] {
  return unit.links.flatMap((link) =>
    link.keyword === undefined ? linkedUnit(unit, link.target) ?? [] : []
  );
}

/** The {@linkcode staticImports} that are evaluated before the unit. */
export function eagerImports(unit: Unit): string[] {
  return unit.links.flatMap((link) =>
    link.keyword === undefined && !link.deferred ? linkedUnit(unit, link.target) ?? [] : []
  );
}

/**
 * The strongly connected components reachable from `roots`: each is one node, or the nodes of a
 * cycle. A component comes after those that it leads to, and starts with the node by which it was
 * reached; the others follow in the order of the visit.
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
  // The path from the root with the remaining nodes. Not recursive, since the author's code
  // determines the depth.
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
