/**
 * The requests of a server's loader.
 *
 * @module
 */
import type { HandlerContext } from "../actor/handler_context.ts";
import type { RequestChecks } from "../actor/service.ts";
import type { LoadEvent, LoadRecord } from "../code/load_history.ts";
import type {
  BackOutcome,
  LibraryImport,
  LoadedModule,
  LoadOutcome,
  LoadRequest,
} from "../code/unit_store.ts";
import type { ModuleName, Unit } from "../code/unit.ts";
import {
  code,
  MAX_ATTRIBUTES,
  MAX_MODULES,
  MAX_NAME,
  path,
  specifier,
} from "../repl/repl_protocol.ts";
import {
  answerChecks,
  flag,
  listOf,
  matching,
  MAX_PATH,
  nothing,
  oneOf,
  optional,
  pairOf,
  parts,
  requestChecks,
  text,
  textByText,
  timestamp,
  wholeNumber,
} from "../server/request_checks.ts";
import { MAX_OPERATOR } from "../server/registry_protocol.ts";
import { MAX_MESSAGE } from "../wire/limits.ts";

/** The name of the loader among a server's actors. */
export const LOADER_ACTOR = "loader";

/** What a load will need of a server. */
export interface PrepareRequest {
  /** The hash of the module to load. */
  readonly entry: string;
  /** The modules that would become current. */
  readonly modules: ModuleName[];
  /** The library modules of the program. */
  readonly libraries: LibraryImport[];
  /** The hashes of the units of the program. */
  readonly hashes: string[];
  /** The length of their texts and source maps, in bytes. */
  readonly bytes: number;
}

/** What a server says before a load. */
export interface Preparation {
  /** The units that it lacks, by their hashes. */
  readonly missing: string[];
  /** Whether all modules of the program are current already. */
  readonly isCurrent: boolean;
}

/** A load that changed what is current. */
export interface ListedLoad extends LoadEvent {
  /** Whether it is loaded again at each start of the server. */
  readonly kept: boolean;
}

/** The result of a health check. */
export interface Health {
  /** Whether the server is well; `unchecked` if there was nothing to check. */
  readonly health: "well" | "ill" | "unchecked";
  /** Why it is ill. */
  readonly reason?: string | undefined;
}

/** The handlers of the actor `loader`, for `client`. */
export type LoaderHandlers = {
  /** Returns the units that the store lacks. */
  missing(request: { hashes: string[] }): string[];
  /** Returns the current hashes of these module ids. */
  running(request: { modules: string[] }): Map<string, string>;
  /** The modules built into the server's program: bare specifiers and module ids. */
  libraries(): string[];
  /** Adds units, to be loaded later; the members of an import cycle must come together. */
  ship(request: { units: Unit[] }): Promise<void>;
  /** Loads shipped units. Returns the result for each module of the request. */
  load(request: LoadRequest): Promise<LoadOutcome[]>;
  /**
   * Says what a load of a program lacks, and throws if the load would fail: the server takes no
   * code, lacks a library, or has no room for the texts.
   */
  prepare(request: PrepareRequest): Promise<Preparation>;
  /** Goes back from a load. Undefined if the server has no such load, or went back before. */
  goBack(request: { id: string; by: string }): Promise<BackOutcome[] | undefined>;
  /**
   * Checks the server after a load: that an expression is truthy, or without one, what the exported
   * `healthy()` of a module returns.
   */
  health(request: { module: string; expression?: string | undefined }): Promise<Health>;
  /**
   * Keeps a load of this server: it is loaded again at each start, until the server goes back from
   * it.
   */
  keep(request: LoadRequest & { id: string }): Promise<void>;
  /** The loads that changed what is current, oldest first. */
  loads(): ListedLoad[];
  /** The history of all loads that changed what is current: by module id, newest last. */
  history(): LoadRecord[];
  /** The loaded modules. */
  loaded(): LoadedModule[];
  /** Imports a library module of the server. */
  library(request: { specifier: string }): Promise<void>;
  /** Evaluates an expression. Returns its value as text; undefined for undefined. */
  evaluate(request: { expression: string; json?: boolean }): Promise<string | undefined>;
  /**
   * Opens a REPL session for the asking actor. Returns the serial number of the session's actor.
   */
  openSession(request: Record<never, never>, context: HandlerContext): number;
};

const hash = matching(/^[0-9a-f]{64}$/, "the hash of a module");
const moduleName = { module: path, path, hash };
const operator = text(MAX_OPERATOR);

/** The longest id of a load, in UTF-16 code units. */
const MAX_LOAD_ID = 64;

const loadId = text(MAX_LOAD_ID);

/** The longest reason or failure, in UTF-16 code units. */
const MAX_REASON = 1024 * 1024;

const libraries = listOf(
  parts({
    specifier,
    importer: parts({ path, line: optional(wholeNumber), column: optional(wholeNumber) }),
    attributes: optional(textByText(MAX_NAME, MAX_ATTRIBUTES)),
  }),
  MAX_MODULES,
);

const load = {
  entry: hash,
  modules: listOf(parts(moduleName), MAX_MODULES),
  libraries,
  by: operator,
  rerun: optional(flag),
  rerunRestored: optional(flag),
  id: optional(loadId),
};

/** The checks of requests to the actor `loader`. */
export const loaderChecks: RequestChecks = requestChecks<LoaderHandlers>({
  missing: parts({ hashes: listOf(hash, MAX_MODULES) }),
  running: parts({ modules: listOf(path, MAX_MODULES) }),
  libraries: nothing,
  ship: parts({
    units: listOf(
      parts({
        ...moduleName,
        text: code,
        links: listOf(
          parts({
            start: wholeNumber,
            end: wholeNumber,
            target: specifier,
            keyword: optional(wholeNumber),
            deferred: optional(flag),
          }),
          MAX_MODULES,
        ),
        cycle: optional(parts({ members: listOf(hash, MAX_MODULES), index: wholeNumber })),
        metaProperties: listOf(pairOf(wholeNumber), MAX_MESSAGE),
        computedImports: optional(listOf(wholeNumber, MAX_MODULES)),
        workers: optional(listOf(wholeNumber, MAX_MODULES)),
        candidates: optional(
          listOf(
            parts({ specifier: path, type: optional(text(MAX_NAME)), target: specifier }),
            MAX_MODULES,
          ),
        ),
        pauses: flag,
        mappings: optional(code),
      }),
      MAX_MODULES,
    ),
  }),
  load: parts(load),
  keep: parts({ ...load, id: loadId }),
  prepare: parts({
    entry: hash,
    modules: listOf(parts(moduleName), MAX_MODULES),
    libraries,
    hashes: listOf(hash, MAX_MODULES),
    bytes: wholeNumber,
  }),
  goBack: parts({ id: loadId, by: operator }),
  health: parts({ module: path, expression: optional(code) }),
  loads: nothing,
  history: nothing,
  loaded: nothing,
  library: parts({ specifier }),
  evaluate: parts({ expression: code, json: optional(flag) }),
  openSession: nothing,
});

/** The checks of answers from another server's loader. */
export const loaderAnswers = answerChecks<LoaderHandlers>({
  missing: listOf(hash, MAX_MODULES),
  running: (value) => new Map(listOf(pairOf(text(MAX_PATH)), MAX_MODULES)(entriesOf(value))),
  libraries: listOf(specifier, MAX_MODULES),
  load: listOf(
    parts({ ...moduleName, loaded: flag, restored: flag, installed: flag, rerun: flag }),
    MAX_MODULES,
  ),
  prepare: parts({ missing: listOf(hash, MAX_MODULES), isCurrent: flag }),
  goBack: optional(
    listOf(
      parts({
        ...moduleName,
        way: oneOf("installed", "rerun", "restored", "uninstalled", "not undone", "replaced"),
        failure: optional(text(MAX_REASON)),
      }),
      MAX_MODULES,
    ),
  ),
  health: parts({
    health: oneOf("well", "ill", "unchecked"),
    reason: optional(text(MAX_REASON)),
  }),
  loads: listOf(
    parts({
      ...moduleName,
      id: loadId,
      time: timestamp,
      by: operator,
      undone: flag,
      current: flag,
      kept: flag,
    }),
    MAX_MODULES,
  ),
  history: listOf(
    parts({
      ...moduleName,
      time: timestamp,
      by: operator,
      rerun: optional(flag),
      current: flag,
    }),
    MAX_MODULES,
  ),
  loaded: listOf(parts({ module: path, hash, bytes: wholeNumber }), MAX_MODULES),
  evaluate: optional(code),
  openSession: wholeNumber,
});

/** The entries of a Map, for the check of lists. */
function entriesOf(value: unknown): unknown {
  return value instanceof Map ? [...value] : value;
}
