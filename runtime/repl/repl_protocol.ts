/**
 * The messages between the two halves of the REPL, and their checks.
 *
 * The client expands inputs, since only it knows the user's files and TypeScript. It sends
 * JavaScript that keeps its top-level names in the scope of the session.
 *
 * @module
 */
import type { HandlerContext } from "../actor/handler_context.ts";
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
import { MAX_MESSAGE } from "../wire/limits.ts";
import type { PreviewOptions } from "./shown_value.ts";

/** A name that an input declares at its top level. */
export interface Declaration {
  readonly name: string;
  /** Its kind; see `ReplScope.declare`. */
  readonly kind: "var" | "let" | "const" | "class" | "function";
}

/** The target of an import in a REPL. */
export type ImportTarget =
  | {
    /** A module loaded in the server. */
    readonly kind: "module";
    /** The specifier as typed. */
    readonly specifier: string;
    /** The module ids that it may stand for, most likely first. */
    readonly ids: readonly string[];
  }
  | {
    /** A library module of the server. */
    readonly kind: "library";
    /** Absolute or bare, as the server resolves it. */
    readonly specifier: string;
    /** The import attributes, if any. */
    readonly attributes?: Record<string, string> | undefined;
  };

/** A name that an import declaration binds. */
export interface ImportBinding {
  readonly name: string;
  /** The name of the export, or `*` for the namespace. */
  readonly imported: string;
}

/** An import declaration. */
export interface ImportDeclaration {
  readonly target: ImportTarget;
  /** Empty if the module is imported for its side effects. */
  readonly bindings: readonly ImportBinding[];
}

/** An input that a session can evaluate, as a plain value for messages. */
export interface Expansion {
  /**
   * A JavaScript expression whose value is an {@linkcode ExpandedInput}. It is evaluated in the
   * global scope, in sloppy mode, as it uses `with`.
   */
  readonly text: string;
  /** The names it declares, without the imported ones. */
  readonly declarations: readonly Declaration[];
  /** Its import declarations. They are bound before the input runs. */
  readonly imports: readonly ImportDeclaration[];
}

/** The value of an expansion's text: it takes the scope and `import()`, and evaluates the input. */
export type ExpandedInput = (
  scope: object,
) => (importModule: DynamicImport) => Promise<{ value: unknown }>;

/** The replacement of `import()`. The client resolves a literal specifier; the server any other. */
export type DynamicImport = (
  target: ImportTarget | string,
  options?: { with?: Record<string, string> },
) => Promise<Record<string, unknown>>;

/** An input to evaluate. */
export interface EvaluateRequest {
  /** Its number in the session, from 1; stack traces name it. */
  readonly input: number;
  readonly expansion: Expansion;
  /** How to show its result. */
  readonly preview: PreviewOptions;
}

/** The outcome of an input as text: its result, unless that is undefined, or what it threw. */
export interface Outcome {
  readonly result?: string;
  readonly error?: string;
}

/**
 * The handlers of the actor of a session, for `client`. It answers only the server that opened the
 * session.
 */
export type ReplHandlers = {
  /** Evaluates an input, and answers when that is done, however long it takes. */
  evaluate(request: EvaluateRequest): Promise<Outcome>;
  /** Cancels the wait for an input. */
  interrupt(request: { input: number }): void;
  /** Makes the exports of a module names of the session, and returns the names. */
  importAll(request: { target: ImportTarget }): Promise<string[]>;
  /** Whether a name is defined in the session or globally. */
  isDefined(request: { name: string }): boolean;
  /** The names that start with `prefix`; see `completions`. */
  complete(request: { path: string[]; prefix: string }): string[];
  /** Describes the value of a name, see `summarizeValue`; undefined if it is not defined. */
  describe(request: { path: string[] }): string | undefined;
  /** Called when the owner has ended. */
  down(request: Record<never, never>, context: HandlerContext): void;
};

/** The handlers of the actor that owns a session. */
export type ReplOwnerHandlers = {
  /** Takes lines that evaluated code has printed. */
  output(request: { text: string }, context: HandlerContext): void;
  /** Called when the session has ended. */
  down(request: { reason?: string }, context: HandlerContext): void;
};

/** The maximum number of names in an answer. */
export const MAX_COMPLETIONS = 500;

/** The form of an identifier (ECMA-262, IdentifierName). */
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

/** Whether a text is an identifier or a keyword. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

/** The maximum number of modules, names or imports in a request. */
export const MAX_MODULES = 100_000;

/** The longest name in code, in UTF-16 code units. */
export const MAX_NAME = 10_000;

/** The maximum number of attributes of an import. */
export const MAX_ATTRIBUTES = 16;

/** Checks code, which may be as long as fits into a frame. */
export const code = text(MAX_MESSAGE);
/** Checks the path, URL or id of a module. */
export const path = text(MAX_PATH);
/** Checks a specifier, which may contain the text of its module: `data:text/javascript,...`. */
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

/** The checks of requests to the actor of a session. */
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

/** The checks of requests to the actor that owns a session. */
export const replOwnerChecks: RequestChecks = requestChecks<ReplOwnerHandlers>({
  output: parts({ text: code }),
  down: parts({ reason: optional(code) }),
});

/** Checks the outcome that a session answers. */
export const checkOutcome: Check<Outcome> = checked(
  parts({ result: optional(code), error: optional(code) }),
  "the outcome of an input",
);

/** Checks the names that a session answers. */
export const checkNames: Check<string[]> = checked(listOf(name, MAX_MODULES), "names");

/** Checks the description that a session answers. */
export const checkDescription: Check<string | undefined> = checked(optional(code), "a description");
