/**
 * Import maps, resolved by the HTML standard's rules and written as in Deno.
 *
 * @see https://html.spec.whatwg.org/multipage/webappapis.html#resolve-a-module-specifier
 * @module
 */
import { RELATIVE } from "../../runtime/code/unit.ts";

/** The part of `deno.json`, or of an import map file, that is an import map. */
export interface ImportMapText {
  imports?: Record<string, unknown>;
  scopes?: Record<string, Record<string, unknown>>;
}

/** Mappings that apply to the modules below one directory. */
export interface MappedDirectory {
  imports: Record<string, unknown>;
  /** The URL of the file that contains them, in that directory. */
  base: string;
}

/** Keys to absolute addresses, the most specific key first; null blocks its key. */
type Mappings = [key: string, address: string | null][];

/** Maps specifiers to absolute ones. */
export class ImportMap {
  readonly #imports: Mappings;
  readonly #scopes: [prefix: string, mappings: Mappings][];

  /**
   * Creates a map whose relative addresses are relative to `base`, the URL of its file, with the
   * maps of a workspace's members, each for its own directory.
   */
  constructor(
    { imports = {}, scopes = {} }: ImportMapText,
    base: string,
    directories: MappedDirectory[] = [],
  ) {
    this.#imports = readMappings(imports, base);
    const byPrefix = new Map<string, Mappings>();
    const add = (prefix: string, mappings: Mappings): void => {
      byPrefix.set(prefix, [...byPrefix.get(prefix) ?? [], ...mappings].sort(mostSpecificFirst));
    };
    for (const own of directories) {
      add(new URL("./", own.base).href, readMappings(own.imports, own.base));
    }
    for (const [prefix, mappings] of Object.entries(scopes)) {
      add(new URL(prefix, base).href, readMappings(mappings, base));
    }
    this.#scopes = [...byPrefix].sort(mostSpecificFirst);
  }

  /**
   * Resolves `specifier` in the module at the URL `referrer` to an absolute specifier; undefined
   * for a bare one that is not mapped.
   */
  resolve(specifier: string, referrer: string): string | undefined {
    const url = parseUrlLike(specifier, referrer);
    const normalized = url ?? specifier;
    for (const [prefix, mappings] of this.#scopes) {
      if (prefix !== referrer && !(prefix.endsWith("/") && referrer.startsWith(prefix))) continue;
      const address = lookUp(normalized, mappings);
      if (address !== undefined) return address ?? undefined;
    }
    const address = lookUp(normalized, this.#imports);
    return address === undefined ? url : address ?? undefined;
  }

  /** The map, with more mappings, as the contents of an import map file at any location. */
  toJSON(more: Record<string, string> = {}): ImportMapText {
    return {
      imports: { ...writeMappings(this.#imports), ...more },
      scopes: Object.fromEntries(
        this.#scopes.map(([prefix, mappings]) => [prefix, writeMappings(mappings)]),
      ),
    };
  }
}

function writeMappings(mappings: Mappings): Record<string, string | null> {
  return Object.fromEntries(mappings.map(([key, address]) => [
    key,
    // The standard requires a trailing slash for addresses that are a base.
    address?.replace(/^(npm|jsr):\/?(.*\/)$/, "$1:/$2") ?? null,
  ]));
}

/** Returns undefined if no key matches, and null if the matching key has no usable address. */
function lookUp(specifier: string, mappings: Mappings): string | null | undefined {
  for (const [key, address] of mappings) {
    if (key === specifier) return address;
    if (!key.endsWith("/") || !specifier.startsWith(key)) continue;
    return address === null ? null : append(address, specifier.slice(key.length));
  }
}

/** Appends a subpath to an address that ends in "/"; null if it leads out of the address. */
function append(address: string, subpath: string): string | null {
  // A URL parser cannot resolve against "npm:name@1/".
  if (!/^(file|https?):/.test(address)) return address + subpath;
  const url = new URL(subpath, address).href;
  return url.startsWith(address) ? url : null;
}

function readMappings(map: Record<string, unknown>, base: string): Mappings {
  const mappings: Mappings = [];
  for (const [key, value] of Object.entries(map)) {
    const address = typeof value === "string" ? parseUrlLike(value, base) ?? null : null;
    mappings.push([parseUrlLike(key, base) ?? key, address]);
    // In Deno, "name": "npm:name@1" also maps the package's subpaths.
    if (address && /^(npm|jsr):/.test(address) && !key.endsWith("/") && !(`${key}/` in map)) {
      mappings.push([`${key}/`, `${address}/`]);
    }
  }
  return mappings.sort(mostSpecificFirst);
}

function mostSpecificFirst([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? 1 : a > b ? -1 : 0;
}

/** Parses a specifier that is a URL or a relative path; undefined for a bare one. */
function parseUrlLike(specifier: string, base: string): string | undefined {
  if (RELATIVE.test(specifier)) return URL.parse(specifier, base)?.href;
  return URL.parse(specifier)?.href;
}
