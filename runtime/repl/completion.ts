/**
 * What names could stand at a place, asked of a running server without any effect on it.
 *
 * @module
 */
import { types } from "node:util";
import type { ReplScope } from "./repl_scope.ts";

/** The most names that are answered. */
export const MAX_COMPLETIONS = 500;

/** What a name looks like that can be written as one. */
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

/** Whether a text can be written as a name, keywords not considered. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
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
