/**
 * Module units: shipped modules, and their hashes.
 *
 * A unit is named by the SHA-256 of its module id and its canonical text, in which every import of
 * another unit is that unit's own hash; if it reads `import.meta`, of its path too. A hash
 * therefore names a whole tree, and two modules of a program never share one. Modules in an import
 * cycle cannot contain each other's hashes, so they are hashed together: in their texts, an import
 * inside the cycle is a position in the cycle, and the hash of a member is derived from the hash of
 * the cycle and the member's position.
 *
 * @module
 */
import { ProtocolError } from "../errors.ts";

/** The identity of a module of a program. */
export interface ModuleName {
  /** The module id: the path of the module in its project, with `/`. */
  module: string;
  /** The author's file, for messages and stack traces. */
  path: string;
  /** The SHA-256 of the unit, 64 hex digits. */
  hash: string;
}

/** A specifier in a unit's text, and its target in the server. */
export interface Link {
  /** The start of the specifier in the text, in UTF-16 code units, after its quote. */
  start: number;
  /** The end of the specifier, before its quote. */
  end: number;
  /** The specifier of a unit, of a member of the same cycle, or of a bare library module. */
  target: string;
  /** The position of the keyword of an `import()` expression, whose target runs when it runs. */
  keyword?: number;
  /** Whether it belongs to an `import defer`, whose module runs when it is first used. */
  deferred?: boolean;
}

/** A module that a computed `import()`, or a worker, may lead to. */
export interface Candidate {
  /** Its URL relative to the importer's file. */
  specifier: string;
  /** For data, the `type` of the import attributes; `worker` for a worker. */
  type?: string;
  /** Its target: the specifier of a unit, or of a member of the same cycle. */
  target: string;
}

/** A unit's position in an import cycle. */
export interface Cycle {
  /** The hashes of all members, in canonical order. */
  members: string[];
  /** The position of this unit among them. */
  index: number;
}

/** A shipped module. It is a plain value that travels in messages. */
export interface Unit extends ModuleName {
  /** The canonical text: JavaScript, with the specifiers of `links` in it. */
  text: string;
  /** The specifiers to link, in the order of the text. */
  links: Link[];
  /** Present if the module is part of an import cycle. */
  cycle?: Cycle;
  /** The start and end of each `import.meta` in the text, in order. */
  metaProperties: [start: number, end: number][];
  /** The positions of the keywords of `import()`s with computed specifiers. */
  computedImports?: number[];
  /** The positions of `Worker` in `new Worker(...)` with a local module. */
  workers?: number[];
  /** The modules that these may lead to. */
  candidates?: Candidate[];
  /** Whether it has a top-level await. */
  pauses: boolean;
  /**
   * The encoded source map of the text, whose only source is the author's file; absent for data. It
   * serves stack traces, and is not part of the hash.
   *
   * @see https://tc39.es/ecma426/#sec-mappings
   */
  mappings?: string;
}

/** The start of relative specifiers and paths. */
export const RELATIVE = /^\.{0,2}\//;

const UNIT = /^unit:([0-9a-f]{64})$/;
const CYCLE = /^unit:cycle\/(\d+)$/;

/** The specifier with which a canonical text imports the unit of a hash. */
export function unitSpecifier(hash: string): string {
  return `unit:${hash}`;
}

/** The specifier with which a canonical text imports the member at `index` of its own cycle. */
export function cycleSpecifier(index: number): string {
  return `unit:cycle/${index}`;
}

/** The hash of the unit that a target in `unit` refers to; undefined if it is a library. */
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

/** The parts of a unit that its hash covers. */
export type NamedParts = Pick<Unit, "module" | "path" | "text" | "metaProperties" | "candidates">;

/** The hash of a module that is not in a cycle. */
export function hashUnit(parts: NamedParts): Promise<string> {
  const { module, path, text, metaProperties, candidates = [] } = parts;
  const place = metaProperties.length > 0 ? path : null;
  const others = candidates.map(({ specifier, type = "", target }) => [specifier, type, target]);
  return hashText(JSON.stringify([module, place, text, ...others]));
}

/** The hashes of the modules of a cycle, in order. */
export async function hashCycle(members: NamedParts[]): Promise<string[]> {
  const hashes = await Promise.all(members.map(hashUnit));
  const group = await hashText(["unit:cycle", ...hashes].join("\n"));
  return await Promise.all(
    members.map((_, index) => hashText(`${cycleSpecifier(index)}\n${group}`)),
  );
}

/**
 * Verifies units received from a client: texts against hashes, links against texts, and that cycles
 * are complete.
 *
 * @throws {ProtocolError} naming a wrong unit.
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

/** `cycles` caches the hashes of cycles by their members. */
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
      throw new ProtocolError(`${unit.path}: its import cycle lacks the member ${hash}`);
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
