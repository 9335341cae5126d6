/**
 * The scope of a REPL session: the names that its inputs share, and lookups without side effects.
 *
 * @module
 */
import { types } from "node:util";
import { type Declaration, isIdentifier, MAX_COMPLETIONS } from "./repl_protocol.ts";

/** Undoes a declaration; see {@linkcode ReplScope.declare}. */
export type Rollback = () => void;

/**
 * Names and their values. Expanded inputs look names up with `with (scope.object)`. A variable is a
 * plain property; any other name is an accessor.
 */
export class ReplScope {
  /**
   * The object for `with`. It has no prototype, so that only the names of the session are found.
   */
  readonly object: Record<string, unknown> = Object.create(null);

  /** All names, in the order in which they were first declared. */
  names(): string[] {
    return Object.getOwnPropertyNames(this.object);
  }

  /** Whether a name belongs to the session. */
  has(name: string): boolean {
    return Object.hasOwn(this.object, name);
  }

  /**
   * Declares names, and replaces earlier declarations; a `var` keeps the value of a variable.
   * Reading a `let`, `const` or `class` throws until the input initializes it by assigning to it.
   *
   * @returns a function that restores the earlier declarations of names that are not initialized
   * yet, for when the input fails.
   */
  declare(declarations: readonly Declaration[]): Rollback {
    const undo = declarations.map((declaration) => this.#declare(declaration));
    return () => undo.forEach((undoOne) => undoOne?.());
  }

  /** Binds a name that cannot be assigned to. Its value is read each time it is used. */
  bind(name: string, read: () => unknown): void {
    this.#define(name, { get: read, set: refuseAssignment });
  }

  /**
   * Binds a name whose value is read each time it is used, until a value is assigned to it. Then it
   * becomes a variable.
   */
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

  /** A separate function, so that its closure does not keep the name's earlier value alive. */
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

/** Throws the error of the language for assigning to a `const` or an imported name. */
function refuseAssignment(): never {
  throw new TypeError("Assignment to constant variable.");
}

/**
 * The names that start with `prefix`, sorted: those of the scope and the globals or, with a path,
 * the properties of the value of `path[0].path[1]...`. No getter or proxy trap runs, so names
 * behind them are not found.
 */
export function completions(scope: ReplScope, path: readonly string[], prefix: string): string[] {
  const names = new Set<string>();
  const add = (name: string): void => {
    if (name.startsWith(prefix) && isIdentifier(name)) names.add(name);
  };
  if (path.length === 0) scope.names().forEach(add);
  for (const holder of prototypeChain(path.length === 0 ? globalThis : valueAt(scope, path))) {
    Object.getOwnPropertyNames(holder).forEach(add);
  }
  return [...names].sort().slice(0, MAX_COMPLETIONS);
}

/** The value of `path[0].path[1]...`, without calling getters; undefined if there is none. */
export function valueAt(scope: ReplScope, [first, ...rest]: readonly string[]): unknown {
  // The scope's own accessors only read a binding.
  const start = scope.has(first!) ? attempt(() => scope.object[first!]) : peek(globalThis, first!);
  return rest.reduce(peek, start);
}

/** The value of a property; undefined if it is an accessor. */
function peek(value: unknown, name: string): unknown {
  for (const holder of prototypeChain(value)) {
    const descriptor = attempt(() => Object.getOwnPropertyDescriptor(holder, name));
    if (descriptor) return descriptor.value;
  }
}

/**
 * An object and its prototypes, up to the first proxy; for a primitive value, its wrapper's
 * prototypes.
 */
export function* prototypeChain(value: unknown): Generator<object> {
  if (value === undefined || value === null) return;
  let holder: object | null = Object(value);
  while (holder !== null && !types.isProxy(holder)) {
    yield holder;
    holder = Object.getPrototypeOf(holder);
  }
}

/** Reads a value; undefined if its binding is not initialized yet. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
