/**
 * The runtime as a module that programs import. It is never shipped: what a program runs against is the
 * runtime of the server it is in, by whatever address its author imports it.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { RUNTIME_MODULE } from "../../runtime/code/library_table.ts";

/** The runtime that this very program is a part of. */
const OWN = new URL("../../mod.ts", import.meta.url).href;

const PUBLISHED = /^jsr:\/?@gxensemble\/ensemble(?:@[^/]*)?\/?$/;

/**
 * Whether an absolute specifier leads to the runtime: this one, any in a directory of this host, or any
 * published one. Of a copy at another URL only the server that imports it can tell.
 */
export function isRuntime(specifier: string): boolean {
  if (specifier === OWN || PUBLISHED.test(specifier)) return true;
  return /^file:.*\/mod\.ts$/.test(specifier) && isNamedSo(new URL("deno.json", specifier));
}

function isNamedSo(configuration: URL): boolean {
  try {
    const { name } = JSON.parse(readFileSync(fileURLToPath(configuration), "utf8"));
    return name === RUNTIME_MODULE;
  } catch {
    return false; // There is none, or it is none of the runtime's.
  }
}
