/**
 * Units: the modules of shipped code, and how they get their names.
 *
 * A unit is named by the SHA-256 of its canonical text, in which every import of another unit is that
 * unit's own name. A hash therefore names a whole tree, whatever files it came from. Modules that
 * import each other in a cycle cannot contain each other's hashes, so they are named together: in
 * their texts an import inside the cycle is a position in the cycle, and the name of a member is
 * derived from the texts of all members and its own position.
 *
 * @module
 */
import { ProtocolError } from "../errors.ts";

/** What names one module of a program, and the text that it stands for. */
export interface ModuleName {
  /** The module id: the path of the module in its project, with `/`. */
  module: string;
  /** The author's file, for messages and stack traces. */
  path: string;
  /** The SHA-256 that names the unit, 64 hex digits. */
  hash: string;
}

/** A specifier in a unit's text that the server replaces before it imports the text. */
export interface Link {
  /** Where the specifier starts in the text, in UTF-16 code units, after its quote. */
  start: number;
  /** Where it ends, before its quote. */
  end: number;
  /** The specifier: of a unit, of a member of the same cycle, or of a bare library module. */
  target: string;
}

/** A unit's place among the modules that it imports in a cycle. */
export interface Cycle {
  /** The hashes of all members, in the order that names them. */
  members: string[];
  /** This unit's position among them. */
  index: number;
}

/** One module of shipped code. A plain value: it travels in messages. */
export interface Unit extends ModuleName {
  /** The canonical text: JavaScript, with the specifiers of `links` in it. */
  text: string;
  /** The specifiers to replace, in the order of the text. */
  links: Link[];
  /** Present when the module is part of an import cycle. */
  cycle?: Cycle;
  /**
   * The author's line, from 1, of each line of the text; present when taking the types off moved
   * lines. Not part of the name.
   */
  lines?: number[];
}

const UNIT = /^unit:([0-9a-f]{64})$/;
const CYCLE = /^unit:cycle\/(\d+)$/;

/** The specifier by which a canonical text imports the unit of that hash. */
export function unitSpecifier(hash: string): string {
  return `unit:${hash}`;
}

/** The specifier by which a canonical text imports the member at `index` of its own cycle. */
export function cycleSpecifier(index: number): string {
  return `unit:cycle/${index}`;
}

/** The hash of the unit that a link of `unit` leads to, or undefined when it leads to a library. */
export function linkedUnit(unit: Unit, link: Link): string | undefined {
  const index = CYCLE.exec(link.target)?.[1];
  if (index !== undefined) return unit.cycle?.members[Number(index)];
  return UNIT.exec(link.target)?.[1];
}

/** The hashes of the units that are evaluated together with this one: its cycle, or only itself. */
export function evaluationGroup(unit: Unit): string[] {
  return unit.cycle?.members ?? [unit.hash];
}

/** The name of a module that is in no cycle: the SHA-256 of its canonical text, in hex. */
export async function hashText(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

/** The names of the modules of a cycle, given their canonical texts in order. */
export async function hashCycle(texts: string[]): Promise<string[]> {
  const members = await Promise.all(texts.map(hashText));
  const group = await hashText(["unit:cycle", ...members].join("\n"));
  return await Promise.all(texts.map((_, index) => hashText(`${cycleSpecifier(index)}\n${group}`)));
}

/**
 * Checks that units received from elsewhere are what their names say: text against hash, links
 * against text, and cycles complete.
 *
 * @throws {ProtocolError} naming the first unit that is not.
 */
export async function verifyUnits(units: Unit[]): Promise<void> {
  const byHash = new Map(units.map((unit) => [unit.hash, unit]));
  for (const unit of units) {
    verifyLinks(unit);
    if (await computeHash(unit, byHash) !== unit.hash) {
      throw new ProtocolError(`${unit.path}: the text of this unit does not match its hash`);
    }
  }
}

async function computeHash(unit: Unit, units: Map<string, Unit>): Promise<string | undefined> {
  if (unit.cycle === undefined) return await hashText(unit.text);
  const texts = unit.cycle.members.map((hash) => {
    const member = units.get(hash);
    if (member === undefined) {
      throw new ProtocolError(`${unit.path}: its import cycle came without its member ${hash}`);
    }
    return member.text;
  });
  const hashes = await hashCycle(texts);
  const complete = hashes.every((hash, index) => hash === unit.cycle?.members[index]);
  return complete ? hashes[unit.cycle.index] : undefined;
}

function verifyLinks(unit: Unit): void {
  let end = 0;
  for (const link of unit.links) {
    const specifier = unit.text.slice(link.start, link.end);
    const leads = !link.target.startsWith("unit:") || linkedUnit(unit, link) !== undefined;
    if (link.start < end || specifier !== link.target || !leads) {
      throw new ProtocolError(`${unit.path}: the links of this unit do not match its text`);
    }
    end = link.end;
  }
}
