/**
 * Expansions: what is typed into a REPL in the form that a session evaluates.
 *
 * The client expands, as it alone knows the person's files and TypeScript; what travels is JavaScript
 * that keeps its top-level names in the session's scope.
 *
 * @module
 */

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
