/**
 * The canonical text of a module: its JavaScript with the names that its imports have for a server.
 *
 * @module
 */
import { applyEdits, type TextEdit } from "../../runtime/code/source_map.ts";
import type { Link, Unit } from "../../runtime/code/unit.ts";
import type { SourceModule } from "./module_graph.ts";

/** A canonical text, and the places in it that concern a server. */
export interface CanonicalText
  extends
    Pick<Unit, "text" | "links" | "metaProperties" | "computedImports" | "workers" | "candidates"> {
  /** What was replaced in the module's own text. */
  edits: TextEdit[];
}

/** The specifier by which a local module is imported, given its module id. */
export type UnitNaming = (module: string) => string;

/** Writes the canonical text of a module whose local imports are named by `nameUnit`. */
export function canonicalText(source: SourceModule, nameUnit: UnitNaming): CanonicalText {
  const edits: TextEdit[] = [];
  const links: Link[] = [];
  // How much longer the text has become at each edit, for the places behind it.
  const shifts: { from: number; by: number }[] = [];
  const shifted = (position: number) =>
    position + (shifts.findLast(({ from }) => from <= position)?.by ?? 0);

  const replace = (start: number, end: number, specifier: string): number => {
    const from = shifted(start) + 1;
    edits.push({ start, end, replacement: `"${specifier}"` });
    shifts.push({ from: end, by: from + specifier.length + 1 - end });
    return from;
  };
  const places = [...source.imports, ...source.resolved].sort((a, b) => a.start - b.start);
  for (const place of places) {
    if (place.target === undefined) {
      replace(place.start, place.end, place.specifier);
      continue;
    }
    const { start, end, keyword, deferred, target, clauseEnd } = place;
    const local = target.kind === "local";
    const specifier = local ? nameUnit(target.module) : target.specifier;
    const from = replace(start, end, specifier);
    // An absolute library specifier means the same in every process and needs no link.
    if (local || !URL.canParse(specifier)) {
      links.push({
        start: from,
        end: from + specifier.length,
        target: specifier,
        ...keyword !== undefined && { keyword: shifted(keyword) },
        ...deferred && { deferred },
      });
    }
    // A unit that exports data is JavaScript.
    if (local && clauseEnd !== undefined) edits.push(blank(source.text, end, clauseEnd));
  }
  return {
    text: applyEdits(source.text, edits),
    links,
    metaProperties: source.metaProperties.map(([start, end]) => [shifted(start), shifted(end)]),
    ...source.computedImports.length > 0 && {
      computedImports: source.computedImports.map(shifted),
    },
    ...source.workers.length > 0 && { workers: source.workers.map(shifted) },
    ...source.candidates.length > 0 && {
      candidates: source.candidates.map(({ specifier, type, target }) => ({
        specifier,
        ...type !== undefined && { type },
        target: nameUnit(target.module),
      })),
    },
    edits,
  };
}

function blank(text: string, start: number, end: number): TextEdit {
  return { start, end, replacement: text.slice(start, end).replace(/\S/g, " ") };
}
