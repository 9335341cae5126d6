/**
 * Units: the modules of shipped code, and how they get their names.
 *
 * A unit is named by the SHA-256 of its module id and its canonical text, in which every import of
 * another unit is that unit's own name; where it reads `import.meta`, of its path too. A hash therefore
 * names a whole tree, and two modules of one program never share one. Modules that import each other in
 * a cycle cannot contain each other's hashes, so they are named together: in their texts an import
 * inside the cycle is a position in the cycle, and the name of a member is derived from what names all
 * members and its own position.
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

/** A specifier in a unit's text, and what it leads to in the server. */
export interface Link {
  /** Where the specifier starts in the text, in UTF-16 code units, after its quote. */
  start: number;
  /** Where it ends, before its quote. */
  end: number;
  /** The specifier: of a unit, of a member of the same cycle, or of a bare library module. */
  target: string;
  /** Of an `import()` expression: where its keyword stands. What it imports runs when it runs. */
  keyword?: number;
  /** Whether it is of an `import defer`: what it imports runs when it is first used. */
  deferred?: boolean;
}

/** A module that a computed `import()`, or a worker, may lead to. */
export interface Candidate {
  /** Its URL relative to that of the importer's file. */
  specifier: string;
  /** The `type` of the import attributes that it is for, where it is data; or `worker`. */
  type?: string;
  /** What it leads to: the specifier of a unit, or of a member of the same cycle. */
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
  /** The specifiers to link, in the order of the text. */
  links: Link[];
  /** Present when the module is part of an import cycle. */
  cycle?: Cycle;
  /** Where `import.meta` stands in the text: start and end of each, in the order of the text. */
  metaProperties: [start: number, end: number][];
  /** Where the keyword of an `import()` stands whose specifier is computed when it runs. */
  computedImports?: number[];
  /** Where `Worker` stands in `new Worker(...)` of a local module. */
  workers?: number[];
  /** The modules that these may lead to. */
  candidates?: Candidate[];
  /** Whether its evaluation may pause, at a top-level `await`. */
  pauses: boolean;
  /**
   * The source map of the text, encoded, whose one source is the author's file; absent for data. It is
   * for people, and no part of the name.
   *
   * @see https://tc39.es/ecma426/#sec-mappings
   */
  mappings?: string;
}

/** What relative specifiers start with, and those that are paths. */
export const RELATIVE = /^\.{0,2}\//;

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

/** The hash of the unit that a target in `unit` is, or undefined when it is a library. */
export function linkedUnit(unit: Unit, target: string): string | undefined {
  const index = CYCLE.exec(target)?.[1];
  if (index !== undefined) return unit.cycle?.members[Number(index)];
  return UNIT.exec(target)?.[1];
}

/** The hashes of the units that a unit may import in any way, in the order of its text. */
export function linkedUnits(unit: Unit): string[] {
  return [...unit.links, ...unit.candidates ?? []]
    .flatMap(({ target }) => linkedUnit(unit, target) ?? []);
}

/** The SHA-256 of a text, 64 hex digits. */
export async function hashText(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

/** What of a unit its name is made of. */
export type NamedParts = Pick<Unit, "module" | "path" | "text" | "metaProperties" | "candidates">;

/** The name of a module that is in no cycle. */
export function hashUnit(parts: NamedParts): Promise<string> {
  const { module, path, text, metaProperties, candidates = [] } = parts;
  const place = metaProperties.length > 0 ? path : null;
  const others = candidates.map(({ specifier, type = "", target }) => [specifier, type, target]);
  return hashText(JSON.stringify([module, place, text, ...others]));
}

/** The names of the modules of a cycle, given what names each, in order. */
export async function hashCycle(members: NamedParts[]): Promise<string[]> {
  const hashes = await Promise.all(members.map(hashUnit));
  const group = await hashText(["unit:cycle", ...hashes].join("\n"));
  return await Promise.all(
    members.map((_, index) => hashText(`${cycleSpecifier(index)}\n${group}`)),
  );
}

/**
 * Checks that units received from elsewhere are what their names say: what names them against hash, links
 * against text, and cycles complete.
 *
 * @throws {ProtocolError} naming a unit that is not.
 */
export async function verifyUnits(units: Unit[]): Promise<void> {
  const byHash = new Map(units.map((unit) => [unit.hash, unit]));
  const cycles = new Map<string, Promise<string[]>>();
  await Promise.all(units.map(async (unit) => {
    verifyLinks(unit);
    if (await computeHash(unit, byHash, cycles) !== unit.hash) {
      throw new ProtocolError(`${unit.path}: the text of this unit does not match its hash`);
    }
  }));
}

/** `cycles` has the names of the cycles that were met already, by their members. */
async function computeHash(
  unit: Unit,
  units: Map<string, Unit>,
  cycles: Map<string, Promise<string[]>>,
): Promise<string | undefined> {
  if (unit.cycle === undefined) return await hashUnit(unit);
  const { members, index } = unit.cycle;
  const parts = members.map((hash) => {
    const member = units.get(hash);
    if (member === undefined) {
      throw new ProtocolError(`${unit.path}: its import cycle came without its member ${hash}`);
    }
    return member;
  });
  const key = members.join();
  const names = cycles.get(key) ?? hashCycle(parts);
  cycles.set(key, names);
  const hashes = await names;
  return hashes.every((hash, position) => hash === members[position]) ? hashes[index] : undefined;
}

function verifyLinks(unit: Unit): void {
  const { text, path } = unit;
  let end = 0;
  for (const link of unit.links) {
    const { start, target, keyword = start } = link;
    const leads = !target.startsWith("unit:") || linkedUnit(unit, target) !== undefined;
    const imports = link.keyword === undefined || text.startsWith("import", keyword);
    if (keyword < end || start < keyword || text.slice(start, link.end) !== target) refuse(path);
    if (!leads || !imports) refuse(path);
    end = link.end;
  }
  for (const keyword of unit.computedImports ?? []) {
    if (!text.startsWith("import", keyword)) refuse(path);
  }
  for (const start of unit.workers ?? []) {
    if (!text.startsWith("Worker", start)) refuse(path);
  }
  for (const { target } of unit.candidates ?? []) {
    if (linkedUnit(unit, target) === undefined) refuse(path);
  }
  end = 0;
  for (const [start, metaEnd] of unit.metaProperties) {
    if (start < end || !/^import\b[^]*\bmeta$/.test(text.slice(start, metaEnd))) refuse(path);
    end = metaEnd;
  }
}

function refuse(path: string): never {
  throw new ProtocolError(`${path}: the links of this unit do not match its text`);
}
