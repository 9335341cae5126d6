/**
 * Import cycles: which modules import each other, and in which order a cycle is named. An `import()`
 * counts like an import statement.
 *
 * @module
 */
import { strongComponents } from "../../runtime/code/strong_components.ts";
import { cycleSpecifier } from "../../runtime/code/unit.ts";
import type { UnitNaming } from "./canonical_text.ts";
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

/** The modules of a cycle in the order that names them, wherever the cycle is entered. */
export function orderCycle(component: SourceModule[]): SourceModule[] {
  return component.toSorted((a, b) => a.module < b.module ? -1 : 1);
}

/** Names a member of an ordered cycle by its position, and any other module by `nameUnit`. */
export function cycleNaming(order: SourceModule[], nameUnit: UnitNaming): UnitNaming {
  const positions = new Map(order.map(({ module }, index) => [module, index]));
  return (module) => {
    const position = positions.get(module);
    return position === undefined ? nameUnit(module) : cycleSpecifier(position);
  };
}

/** The ids of the author's modules that a module imports, in any way: its name covers them all. */
function localImports({ imports, candidates }: SourceModule): string[] {
  return [
    ...imports.flatMap(({ target }) => target.kind === "local" ? [target.module] : []),
    ...candidates.map(({ target }) => target.module),
  ];
}
