/**
 * The canonical text of a module: its JavaScript with the names that its imports have for a server.
 *
 * @module
 */
import type { Link } from "../../runtime/code/unit.ts";
import type { SourceModule } from "./module_graph.ts";

/** A canonical text, and the specifiers in it that a server replaces. */
export interface CanonicalText {
  text: string;
  links: Link[];
}

/** The specifier by which a local module is imported, given its path. */
export type UnitNaming = (path: string) => string;

/** Writes the canonical text of a module whose local imports are named by `nameUnit`. */
export function canonicalText(module: SourceModule, nameUnit: UnitNaming): CanonicalText {
  const links: Link[] = [];
  let text = "";
  let position = 0;
  for (const { start, end, target } of module.imports) {
    const local = target.kind === "local";
    const specifier = local ? nameUnit(target.path) : target.specifier;
    text += module.text.slice(position, start) + '"';
    // An absolute library specifier means the same in every process and needs no link.
    if (local || !URL.canParse(specifier)) {
      links.push({ start: text.length, end: text.length + specifier.length, target: specifier });
    }
    text += `${specifier}"`;
    position = end;
  }
  return { text: text + module.text.slice(position), links };
}
