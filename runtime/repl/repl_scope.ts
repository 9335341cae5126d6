/**
 * The scope of a REPL session: the names that its inputs share.
 *
 * The client expands, as it alone knows the person's files and TypeScript; what travels is JavaScript
 * that keeps its top-level names in the session's scope.
 *
 * @module
 */

/** Undoes a declaration; see {@linkcode ReplScope.declare}. */
export type Rollback = () => void;

/**
 * Names and their values, for expanded inputs to look names up in with `with (scope.object)`. A name is a
 * property: a plain one where it may be assigned to, an accessor where more has to happen.
 */
export class ReplScope {
  /** What goes into `with`; it has no prototype, so that nothing but the session's names is found. */
  readonly object: Record<string, unknown> = Object.create(null);

  /** All names, in the order they were first declared. */
  names(): string[] {
    return Object.getOwnPropertyNames(this.object);
  }

  /** Whether a name is one of the session's. */
  has(name: string): boolean {
    return Object.hasOwn(this.object, name);
  }

  /**
   * Declares names, in place of earlier ones; a `var` keeps the value of a variable. Until an input
   * initialises a `let`, a `const` or a `class` by assigning to it, reading it throws.
   *
   * @returns what puts the earlier state of the names back that are not initialised yet: for an input
   * that failed before.
   */
  declare(declarations: readonly Declaration[]): Rollback {
    const undo = declarations.map((declaration) => this.#declare(declaration));
    return () => undo.forEach((undoOne) => undoOne?.());
  }

  /** Binds a name that cannot be assigned to; its value is read when it is used. */
  bind(name: string, read: () => unknown): void {
    this.#define(name, { get: read, set: refuseAssignment });
  }

  /** Binds a name that is read when it is used, until it is assigned to: from then on it is a variable. */
  bindUntilAssigned(name: string, read: () => unknown): void {
    this.#define(name, { get: read, set: (value) => this.#setVariable(name, value) });
  }

  #declare({ name, kind }: Declaration): Rollback | undefined {
    const earlier = Object.getOwnPropertyDescriptor(this.object, name);
    if (kind === "function" || kind === "var") {
      const keeps = kind === "var" && earlier !== undefined && "value" in earlier;
      if (!keeps) this.#setVariable(name, undefined);
      return;
    }
    const uninitialised = () => {
      throw new ReferenceError(`Cannot access '${name}' before initialization`);
    };
    const initialise = kind === "const"
      ? (value: unknown) => this.#setConstant(name, value)
      : (value: unknown) => this.#setVariable(name, value);
    this.#define(name, { get: uninitialised, set: initialise });
    return () => {
      if (Object.getOwnPropertyDescriptor(this.object, name)?.get !== uninitialised) return;
      if (earlier) this.#define(name, earlier);
      else delete this.object[name];
    };
  }

  /** A function of its own: a constant must not keep the one alive that it was declared in place of. */
  #setConstant(name: string, value: unknown): void {
    this.bind(name, () => value);
  }

  #setVariable(name: string, value: unknown): void {
    this.#define(name, { value, writable: true });
  }

  #define(name: string, descriptor: PropertyDescriptor): void {
    Object.defineProperty(this.object, name, {
      ...descriptor,
      enumerable: true,
      configurable: true,
    });
  }
}

/** What the language throws for a `const` and for an imported name. */
function refuseAssignment(): never {
  throw new TypeError("Assignment to constant variable.");
}

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
