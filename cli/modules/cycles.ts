/**
 * Import cycles: which modules import each other, and in which order a cycle is named. An `import()`
 * counts like an import statement.
 *
 * @module
 */
import { strongComponents } from "../../runtime/code/strong_components.ts";
import { cycleSpecifier, hashText } from "../../runtime/code/unit.ts";
import { canonicalText, type UnitNaming } from "./canonical_text.ts";
import type { SourceModule } from "./module_graph.ts";

/**
 * The modules of a graph in the order of their naming, what a module imports before it: each by itself,
 * or with the others of its cycle.
 */
export function importComponents(graph: Map<string, SourceModule>): SourceModule[][] {
  return strongComponents(
    graph.values(),
    (source) => localImports(source).map((module) => graph.get(module)!),
  );
}

/** Whether a component is an import cycle; a module may also import itself. */
export function isCycle(component: SourceModule[]): boolean {
  const [first, ...others] = component;
  return others.length > 0 || localImports(first!).includes(first!.module);
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
  const members = new Map(component.map((source) => [source.module, source]));
  let best: { order: SourceModule[]; hash: string } | undefined;
  for (const root of await possibleRoots(members, nameUnit)) {
    const order = numberFrom(root, members);
    const naming = cycleNaming(order, nameUnit);
    const texts = order.map((source) => canonicalText(source, naming).text);
    const hash = await hashText(JSON.stringify(texts));
    if (best === undefined || hash < best.hash) best = { order, hash };
  }
  return best!.order;
}

/** Names a member of an ordered cycle by its position, and any other module by `nameUnit`. */
export function cycleNaming(order: SourceModule[], nameUnit: UnitNaming): UnitNaming {
  const positions = new Map(order.map(({ module }, index) => [module, index]));
  return (module) => {
    const position = positions.get(module);
    return position === undefined ? nameUnit(module) : cycleSpecifier(position);
  };
}

/** The members of the least text, imports inside the cycle left out: nearly always a single one. */
async function possibleRoots(
  members: Map<string, SourceModule>,
  nameUnit: UnitNaming,
): Promise<SourceModule[]> {
  const blank: UnitNaming = (module) => members.has(module) ? "unit:cycle" : nameUnit(module);
  const roots = await Promise.all([...members.values()].map(async (source) => ({
    source,
    hash: await hashText(canonicalText(source, blank).text),
  })));
  const least = roots.reduce((a, b) => b.hash < a.hash ? b : a).hash;
  return roots.filter(({ hash }) => hash === least).map(({ source }) => source);
}

function numberFrom(root: SourceModule, members: Map<string, SourceModule>): SourceModule[] {
  const order = new Set<SourceModule>();
  const visit = (source: SourceModule): void => {
    if (order.has(source)) return;
    order.add(source);
    for (const module of localImports(source)) {
      const next = members.get(module);
      if (next) visit(next);
    }
  };
  visit(root);
  return [...order];
}

/** The ids of the author's modules that a module imports, in any way: its name covers them all. */
function localImports(source: SourceModule): string[] {
  return source.imports.flatMap(({ target }) => target.kind === "local" ? [target.module] : []);
}
