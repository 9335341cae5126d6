/**
 * Which servers run which versions of the modules that were loaded.
 *
 * @module
 */
import { compareTexts } from "./formatting.ts";
import type { ObservedModule, ObservedServer } from "./page_protocol.ts";

/** A version of a module. */
export interface Version {
  /** Its hash. */
  readonly hash: string;
  /** The servers that run it, sorted by id. */
  readonly servers: readonly ObservedServer[];
  /** When the last of them got it. */
  readonly at: number;
}

/** A module, with its versions. */
export interface ModuleVersions {
  /** The module id. */
  readonly module: string;
  /** The versions, the newest first. */
  readonly versions: readonly Version[];
  /** The servers that run it. */
  readonly servers: number;
}

/** All modules that were loaded, sorted. */
export function moduleVersions(servers: readonly ObservedServer[]): ModuleVersions[] {
  const loaded = servers.filter(({ state }) => state !== "gone").flatMap((server) =>
    server.modules.map((module) => ({ server, ...module }))
  );
  return [...Map.groupBy(loaded, ({ module }) => module)].map(([module, uses]) => ({
    module,
    versions: versionsAmong(uses),
    servers: uses.length,
  })).sort((a, b) => compareTexts(a.module, b.module));
}

/** The modules that run in more than one version. */
export function halfDone(servers: readonly ObservedServer[]): ModuleVersions[] {
  return moduleVersions(servers).filter(({ versions }) => versions.length > 1);
}

function versionsAmong(uses: readonly (ObservedModule & { server: ObservedServer })[]): Version[] {
  return [...Map.groupBy(uses, ({ hash }) => hash)].map(([hash, same]) => ({
    hash,
    servers: same.map(({ server }) => server),
    at: Math.max(...same.map(({ at }) => at)),
  })).sort((a, b) => b.at - a.at);
}
