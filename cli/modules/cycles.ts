/**
 * Import cycles: which modules import each other, and in which order a cycle is named.
 *
 * @module
 */
import { cycleSpecifier, hashText } from "../../runtime/code/unit.ts";
import { canonicalText, type UnitNaming } from "./canonical_text.ts";
import type { SourceModule } from "./module_graph.ts";

/**
 * The strongly connected components of a module graph, what a component imports before it. Each is
 * one module, or the modules of a cycle.
 *
 * @see Tarjan, "Depth-first search and linear graph algorithms", 1972
 */
export function importComponents(graph: Map<string, SourceModule>): SourceModule[][] {
  const components: SourceModule[][] = [];
  const indices = new Map<string, number>();
  const stack: SourceModule[] = [];
  const onStack = new Set<string>();

  /** Visits what is reachable; gives the least index on the stack that is. */
  const visit = (module: SourceModule): number => {
    const index = indices.size;
    let lowest = index;
    indices.set(module.path, index);
    stack.push(module);
    onStack.add(module.path);
    for (const path of localImports(module)) {
      if (!indices.has(path)) lowest = Math.min(lowest, visit(graph.get(path)!));
      else if (onStack.has(path)) lowest = Math.min(lowest, indices.get(path)!);
    }
    if (lowest === index) {
      const component = stack.splice(stack.indexOf(module));
      for (const { path } of component) onStack.delete(path);
      components.push(component);
    }
    return lowest;
  };

  for (const module of graph.values()) if (!indices.has(module.path)) visit(module);
  return components;
}

/** Whether a component is an import cycle; a module may also import itself. */
export function isCycle(component: SourceModule[]): boolean {
  return component.length > 1 || localImports(component[0]!).includes(component[0]!.path);
}

/**
 * Puts the modules of a cycle into the order that names them, which depends on their texts alone and
 * not on their paths or on where the cycle is entered. From any one member, following the imports
 * numbers all others; the member whose numbering gives the texts of the least hash is the first.
 */
export async function orderCycle(
  component: SourceModule[],
  nameUnit: UnitNaming,
): Promise<SourceModule[]> {
  const members = new Map(component.map((module) => [module.path, module]));
  let best: { order: SourceModule[]; hash: string } | undefined;
  for (const root of await possibleRoots(members, nameUnit)) {
    const order = numberFrom(root, members);
    const naming = cycleNaming(order, nameUnit);
    const texts = order.map((module) => canonicalText(module, naming).text);
    const hash = await hashText(JSON.stringify(texts));
    if (best === undefined || hash < best.hash) best = { order, hash };
  }
  return best!.order;
}

/** Names a member of an ordered cycle by its position, and any other module by `nameUnit`. */
export function cycleNaming(order: SourceModule[], nameUnit: UnitNaming): UnitNaming {
  const positions = new Map(order.map(({ path }, index) => [path, index]));
  return (path) => {
    const position = positions.get(path);
    return position === undefined ? nameUnit(path) : cycleSpecifier(position);
  };
}

/** The members of the least text, imports inside the cycle left out: nearly always a single one. */
async function possibleRoots(
  members: Map<string, SourceModule>,
  nameUnit: UnitNaming,
): Promise<SourceModule[]> {
  const blank: UnitNaming = (path) => members.has(path) ? "unit:cycle" : nameUnit(path);
  const roots = await Promise.all([...members.values()].map(async (module) => ({
    module,
    hash: await hashText(canonicalText(module, blank).text),
  })));
  const least = roots.reduce((a, b) => b.hash < a.hash ? b : a).hash;
  return roots.filter(({ hash }) => hash === least).map(({ module }) => module);
}

function numberFrom(root: SourceModule, members: Map<string, SourceModule>): SourceModule[] {
  const order = new Set<SourceModule>();
  const visit = (module: SourceModule): void => {
    if (order.has(module)) return;
    order.add(module);
    for (const path of localImports(module)) {
      const next = members.get(path);
      if (next) visit(next);
    }
  };
  visit(root);
  return [...order];
}

function localImports(module: SourceModule): string[] {
  return module.imports.flatMap(({ target }) => target.kind === "local" ? [target.path] : []);
}
