/**
 * What the requests of REPL sessions look like, and their answers.
 *
 * @module
 */
import type { RequestChecks } from "../actor/service.ts";
import {
  byKind,
  type Check,
  checked,
  flag,
  listOf,
  MAX_PATH,
  nothing,
  oneOf,
  optional,
  parts,
  requestChecks,
  text,
  textByText,
  wholeNumber,
} from "../server/request_checks.ts";
import { MAX_FRAME } from "../wire/limits.ts";
import type { ReplHandlers, ReplOwnerHandlers } from "./repl_actor.ts";
import type { ImportTarget } from "./repl_scope.ts";
import type { Outcome } from "./repl_session.ts";

/** The most modules of a program, and of anything else that a request has many of. */
export const MAX_MODULES = 100_000;

/** The longest name that stands in code, in UTF-16 code units. */
export const MAX_NAME = 10_000;

/** The most attributes of an import. */
export const MAX_ATTRIBUTES = 16;

/** Code is as long as fits into a frame. */
export const code = text(MAX_FRAME);
/** The path or URL of a module, and its id. */
export const path = text(MAX_PATH);
/** One may hold the text of its module: `data:text/javascript,...`. */
export const specifier = code;

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
