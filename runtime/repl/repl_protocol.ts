/**
 * What the two halves of the REPL send each other, and how each checks it.
 *
 * The client expands inputs, for it alone knows the user's files and TypeScript. What travels is JavaScript that keeps its
 * top-level names in the scope of the session.
 *
 * @module
 */
import type { Envelope } from "../actor/messaging.ts";
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
import type { PreviewOptions } from "./shown_value.ts";

/** A name that an input declares at its top level. */
export interface Declaration {
  readonly name: string;
  /** How it may be used: see {@linkcode ReplScope.declare}. */
  readonly kind: "var" | "let" | "const" | "class" | "function";
}

/** What an import in a REPL leads to. */
export type ImportTarget =
  | {
    /** A module that the server runs. */
    readonly kind: "module";
    /** What the person wrote. */
    readonly specifier: string;
    /** The module ids that it may mean, the most likely first. */
    readonly ids: readonly string[];
  }
  | {
    /** A library module of the server. */
    readonly kind: "library";
    /** Absolute or bare, as the server resolves it. */
    readonly specifier: string;
    /** Its import attributes, when it has any. */
    readonly attributes?: Record<string, string> | undefined;
  };

/** A name that an import declaration binds. */
export interface ImportBinding {
  readonly name: string;
  /** The export that it names, or `*` for the whole namespace. */
  readonly imported: string;
}

/** An import declaration. */
export interface ImportDeclaration {
  readonly target: ImportTarget;
  /** None when the module is imported for what it does. */
  readonly bindings: readonly ImportBinding[];
}

/** An input that a session can evaluate. A plain value: it travels in messages. */
export interface Expansion {
  /**
   * A JavaScript expression that evaluates to an {@linkcode ExpandedInput}. It is evaluated in the
   * global scope and in sloppy mode, so that it may use `with`.
   */
  readonly text: string;
  /** The names it declares; imported ones are not among them. */
  readonly declarations: readonly Declaration[];
  /** Its import declarations, which are bound before anything of it runs. */
  readonly imports: readonly ImportDeclaration[];
}

/** The value of an expansion's text: takes the scope, then `import()`, and evaluates the input. */
export type ExpandedInput = (
  scope: object,
) => (importModule: DynamicImport) => Promise<{ value: unknown }>;

/** What `import()` becomes: a literal specifier is resolved by the client, any other by the server. */
export type DynamicImport = (
  target: ImportTarget | string,
  options?: { with?: Record<string, string> },
) => Promise<Record<string, unknown>>;

/** An input to evaluate. */
export interface EvaluateRequest {
  /** Its number in the session, from 1; stack traces name it. */
  readonly input: number;
  readonly expansion: Expansion;
  /** How its result is shown. */
  readonly preview: PreviewOptions;
}

/** What an input came to, as text: a result unless it is undefined, or what it threw. */
export interface Outcome {
  readonly result?: string;
  readonly error?: string;
}

/** The handlers of a session's actor, for `client`. Only who opened the session is answered. */
export type ReplHandlers = {
  /** Evaluates an input; answers when it is done, however long that takes. */
  evaluate(request: EvaluateRequest): Promise<Outcome>;
  /** The person no longer waits for an input. */
  interrupt(request: { input: number }): void;
  /** Makes the exports of a module names of the session; answers the names. */
  importAll(request: { target: ImportTarget }): Promise<string[]>;
  /** Whether a name is one of the session or a global one. */
  isDefined(request: { name: string }): boolean;
  /** The names that start with `prefix`; see {@linkcode completions}. */
  complete(request: { path: string[]; prefix: string }): string[];
  /** What a name stands for, see {@linkcode describeValue}; undefined when it is not defined. */
  describe(request: { path: string[] }): string | undefined;
  /** The owner has gone. */
  down(request: Record<never, never>, envelope: Envelope): void;
};

/** What the owner of a session is told. */
export type ReplOwnerHandlers = {
  /** Evaluated code wrote one or more lines to the console. */
  output(request: { text: string }, envelope: Envelope): void;
  /** The session has ended. */
  down(request: { reason?: string }, envelope: Envelope): void;
};

/** The most names that are answered. */
export const MAX_COMPLETIONS = 500;

/** What a name looks like that can be written as one. */
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

/** Whether a text can be written as a name, keywords not considered. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

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
