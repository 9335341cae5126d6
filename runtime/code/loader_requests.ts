/**
 * What the requests of the loader look like, and its answers.
 *
 * @module
 */
import type { RequestChecks } from "../actor/service.ts";
import {
  answerChecks,
  flag,
  listOf,
  matching,
  MAX_PATH,
  nothing,
  optional,
  pairOf,
  parts,
  requestChecks,
  text,
  textByText,
  timestamp,
  wholeNumber,
} from "../server/request_checks.ts";
import { MAX_FRAME } from "../wire/limits.ts";
import type { LoaderHandlers } from "./loader_protocol.ts";
import { code, MAX_ATTRIBUTES, MAX_MODULES, MAX_NAME, path, specifier } from "./repl_requests.ts";

/** The longest `user@host`, in UTF-16 code units. */
const MAX_OPERATOR = 512;

const hash = matching(/^[0-9a-f]{64}$/, "the hash of a module");
const moduleName = { module: path, path, hash };

/** The checks of the actor `loader`. */
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
        metaProperties: listOf(pairOf(wholeNumber), MAX_FRAME),
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
  load: parts({
    entry: hash,
    modules: listOf(parts(moduleName), MAX_MODULES),
    libraries: listOf(
      parts({
        specifier,
        importer: parts({ path, line: optional(wholeNumber), column: optional(wholeNumber) }),
        attributes: optional(textByText(MAX_NAME, MAX_ATTRIBUTES)),
      }),
      MAX_MODULES,
    ),
    by: text(MAX_OPERATOR),
    rerun: optional(flag),
  }),
  history: nothing,
  instances: nothing,
  library: parts({ specifier }),
  evaluate: parts({ expression: code, json: optional(flag) }),
  openSession: nothing,
});

const moduleNames = listOf(parts(moduleName), MAX_MODULES);

/** The checks of what the actor `loader` of another server answers. */
export const loaderAnswers = answerChecks<LoaderHandlers>({
  missing: listOf(hash, MAX_MODULES),
  running: (value) => new Map(listOf(pairOf(text(MAX_PATH)), MAX_MODULES)(entriesOf(value))),
  libraries: listOf(specifier, MAX_MODULES),
  load: parts({
    loaded: moduleNames,
    restored: moduleNames,
    already: moduleNames,
    rerun: moduleNames,
    installed: moduleNames,
  }),
  history: listOf(
    parts({
      ...moduleName,
      time: timestamp,
      by: text(MAX_OPERATOR),
      rerun: optional(flag),
      current: flag,
    }),
    MAX_MODULES,
  ),
  instances: listOf(parts({ module: path, hash, bytes: wholeNumber }), MAX_MODULES),
  evaluate: optional(code),
  openSession: wholeNumber,
});

/** The entries of a Map, for the check of lists. */
function entriesOf(value: unknown): unknown {
  return value instanceof Map ? [...value] : value;
}
