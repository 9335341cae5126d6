/**
 * The scope of a REPL session: the names that its inputs share, and how they are found without any effect.
 *
 * @module
 */
import { types } from "node:util";
import { type Declaration, isIdentifier, MAX_COMPLETIONS } from "./repl_protocol.ts";

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

/**
 * The names that start with `prefix`, sorted: those of the scope and the globals, or with a path the
 * properties of the value that `path[0].path[1]...` has. No getter is run and no trap of a proxy: behind
 * these no names are found.
 */
export function completions(scope: ReplScope, path: readonly string[], prefix: string): string[] {
  const names = new Set<string>();
  const add = (name: string): void => {
    if (name.startsWith(prefix) && isIdentifier(name)) names.add(name);
  };
  if (path.length === 0) scope.names().forEach(add);
  for (const holder of chain(path.length === 0 ? globalThis : valueAt(scope, path))) {
    Object.getOwnPropertyNames(holder).forEach(add);
  }
  return [...names].sort().slice(0, MAX_COMPLETIONS);
}

/** The value that `path[0].path[1]...` has, without running any getter; undefined when there is none. */
export function valueAt(scope: ReplScope, [first, ...rest]: readonly string[]): unknown {
  // The accessors of the scope are its own: all they do is to read a binding.
  const start = scope.has(first!) ? attempt(() => scope.object[first!]) : peek(globalThis, first!);
  return rest.reduce(peek, start);
}

/** The value of a property that is not an accessor. */
function peek(value: unknown, name: string): unknown {
  for (const holder of chain(value)) {
    const descriptor = attempt(() => Object.getOwnPropertyDescriptor(holder, name));
    if (descriptor) return descriptor.value;
  }
}

/** An object and its prototypes, up to a proxy; of a primitive value those of its wrapper. */
export function* chain(value: unknown): Generator<object> {
  if (value === undefined || value === null) return;
  let holder: object | null = Object(value);
  while (holder !== null && !types.isProxy(holder)) {
    yield holder;
    holder = Object.getPrototypeOf(holder);
  }
}

/** What is read, or undefined where a binding is not initialised yet. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
