/**
 * What the requests of the loader and of REPL sessions look like, and the answers.
 *
 * @module
 */
import type { RequestChecks } from "../actor/service.ts";
import {
  answerChecks,
  byKind,
  type Check,
  checked,
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
import { MAX_FRAME } from "../wire/limits.ts";
import type { ImportTarget } from "./expansion.ts";
import type { LoaderHandlers } from "./loader_protocol.ts";
import type { ReplHandlers, ReplOwnerHandlers } from "./repl_actor.ts";
import type { Outcome } from "./repl_session.ts";

/** The most modules of a program, and of anything else that a request has many of. */
const MAX_MODULES = 100_000;

/** The longest name that stands in code, in UTF-16 code units. */
const MAX_NAME = 10_000;

/** The longest `user@host`, in UTF-16 code units. */
const MAX_OPERATOR = 512;

/** The most attributes of an import. */
const MAX_ATTRIBUTES = 16;

/** Code is as long as fits into a frame. */
const code = text(MAX_FRAME);
const hash = matching(/^[0-9a-f]{64}$/, "the hash of a module");
const path = text(MAX_PATH);
/** One may hold the text of its module: `data:text/javascript,...`. */
const specifier = code;

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

const target: Check<ImportTarget> = byKind<ImportTarget>({
  module: parts({ kind: oneOf("module"), specifier, ids: listOf(path, MAX_MODULES) }),
  library: parts({
    kind: oneOf("library"),
    specifier,
    attributes: optional(textByText(MAX_NAME, MAX_ATTRIBUTES)),
  }),
});

const name = text(MAX_NAME);

/** The checks of the actor of a REPL session. */
export const replChecks: RequestChecks = requestChecks<ReplHandlers>({
  evaluate: parts({
    input: wholeNumber,
    expansion: parts({
      text: code,
      declarations: listOf(
        parts({ name, kind: oneOf("var", "let", "const", "class", "function") }),
        MAX_MODULES,
      ),
      imports: listOf(
        parts({ target, bindings: listOf(parts({ name, imported: name }), MAX_MODULES) }),
        MAX_MODULES,
      ),
    }),
    preview: parts({ oneLine: optional(flag) }),
  }),
  interrupt: parts({ input: wholeNumber }),
  importAll: parts({ target }),
  isDefined: parts({ name }),
  complete: parts({ path: listOf(name, MAX_PATH), prefix: name }),
  describe: parts({ path: listOf(name, MAX_PATH) }),
  down: nothing,
});

/** The checks of the actor that a REPL session belongs to. */
export const replOwnerChecks: RequestChecks = requestChecks<ReplOwnerHandlers>({
  output: parts({ text: code }),
  down: parts({ reason: optional(code) }),
});

/** Checks what the owner of a session is answered when an input has been evaluated. */
export const checkOutcome: Check<Outcome> = checked(
  parts({ result: optional(code), error: optional(code) }),
  "the outcome of an input",
);

/** Checks the names that a session answers: to complete one, and those that an import made. */
export const checkNames: Check<string[]> = checked(listOf(name, MAX_MODULES), "names");

/** Checks how a session describes what a name stands for. */
export const checkDescription: Check<string | undefined> = checked(optional(code), "a description");
