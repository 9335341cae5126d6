/**
 * The trees of units: what lies below a unit.
 *
 * @module
 */
import { ProtocolError } from "../errors.ts";
import { linkedUnit, type Unit } from "./unit.ts";

/** Units by hash. */
export type Units = ReadonlyMap<string, Unit>;

/**
 * The hashes of everything below and including the unit `entry`.
 *
 * @throws {ProtocolError} when a unit of the tree is not there.
 */
export function unitTree(entry: string, units: Units): Set<string> {
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
    for (const link of unit.links) {
      const linked = linkedUnit(unit, link.target);
      if (linked !== undefined) pending.push({ hash: linked, importer: unit });
    }
  }
  return tree;
}

/**
 * The units that are evaluated when `entry` is, in the order of their evaluation: what a unit imports
 * by statements comes before it.
 *
 * @see https://tc39.es/ecma262/#sec-innermoduleevaluation
 */
export function evaluationOrder(entry: string, units: Units): Unit[] {
  const order: Unit[] = [];
  const visited = new Set([entry]);
  const stack = [{ unit: units.get(entry)!, imports: staticImports(units.get(entry)!) }];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const hash = top.imports.shift();
    if (hash === undefined) {
      order.push(top.unit);
      stack.pop();
    } else if (!visited.has(hash)) {
      visited.add(hash);
      stack.push({ unit: units.get(hash)!, imports: staticImports(units.get(hash)!) });
    }
  }
  return order;
}

/** The hashes of the units that a unit imports by statements, in the order of its text. */
export function staticImports(unit: Unit): string[] {
  return unit.links.flatMap((link) =>
    link.keyword === undefined ? linkedUnit(unit, link.target) ?? [] : []
  );
}
