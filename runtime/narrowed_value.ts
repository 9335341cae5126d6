/**
 * Values without most of the properties of objects that have very many, for `Deno.inspect`: it bounds the
 * items of arrays, maps and sets, but shows all properties of an object, and takes seconds for a million.
 *
 * @module
 */

/** How many items of an array, a map, a set or a typed array are shown, as in Deno's REPL. */
export const ITEMS = 100;

/** Narrows values, and remembers what it has looked at: the keys of a large object take a while to get. */
export class Narrowing {
  /** How many properties of an object are shown at most. */
  readonly #most: number;
  readonly #keys = new Map<object, PropertyKey[]>();
  // Loaded when it is needed, which at the start of a command it is not.
  readonly #types = process.getBuiltinModule("node:util").types;

  /** Makes a narrowing to `most` properties of an object. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The keys of an object that are shown, where all of them are: those that are enumerable. */
  keysOf(object: object): PropertyKey[] {
    let keys = this.#keys.get(object);
    if (keys === undefined) {
      keys = Object.keys(object);
      // Symbols come last, and getting them takes another while.
      if (keys.length <= this.#most) {
        const symbols = Object.getOwnPropertySymbols(object)
          .filter((symbol) => Object.prototype.propertyIsEnumerable.call(object, symbol));
        keys = [...keys, ...symbols];
      }
      this.#keys.set(object, keys);
    }
    return keys;
  }

  /** The parts of an object that are shown, keys included. No getter is run. */
  *partsOf(container: object): Generator<unknown> {
    if (ArrayBuffer.isView(container)) return;
    if (Array.isArray(container)) {
      for (let index = 0; index < Math.min(container.length, ITEMS); index++) {
        yield Object.getOwnPropertyDescriptor(container, index)?.value;
      }
      return;
    }
    if (this.#types.isMap(container)) {
      for (const pair of Map.prototype.entries.call(container).take(ITEMS)) yield* pair;
    } else if (this.#types.isSet(container)) {
      yield* Set.prototype.values.call(container).take(ITEMS);
    }
    for (const key of this.keysOf(container).slice(0, this.#most)) {
      yield key;
      yield Object.getOwnPropertyDescriptor(container, key)?.value;
    }
  }

  /** The messages of an error and of its first causes. No getter is run. */
  *messagesOf(value: unknown): Generator<string> {
    const ownValue = (error: object, key: string): unknown =>
      Object.getOwnPropertyDescriptor(error, key)?.value;
    for (let count = 0; count < ITEMS && this.#types.isNativeError(value); count++) {
      const message = ownValue(value, "message");
      yield typeof message === "string" ? message : "";
      value = ownValue(value, "cause");
    }
  }

  /** Whether a value has parts that can be looked at. A proxy is shown as its target, which cannot. */
  hasParts(value: unknown): value is object {
    return typeof value === "object" && value !== null && !this.#types.isProxy(value);
  }

  /** A value to be shown in its place, to a depth; the value itself where no part has too much. */
  narrow(value: unknown, depth: number): unknown {
    return this.#isWide(value, depth, new Set()) ? this.#copy(value, depth, new Set()) : value;
  }

  /** Whether an object with too many properties is met; also where it is not shown, it is looked at. */
  #isWide(value: unknown, left: number, above: Set<object>): boolean {
    if (!this.hasParts(value) || above.has(value) || left < -1) return false;
    if (this.#hasMany(value)) return true;
    above.add(value);
    const isWide = this.partsOf(value).some((part) => this.#isWide(part, left - 1, above));
    above.delete(value);
    return isWide;
  }

  #hasMany(object: object): boolean {
    if (Array.isArray(object) || ArrayBuffer.isView(object)) return false;
    return this.keysOf(object).length > this.#most;
  }

  #copy(value: unknown, left: number, above: Set<object>): unknown {
    if (!this.hasParts(value) || ArrayBuffer.isView(value) || left < -1) return value;
    if (above.has(value)) return shownAs(() => "[Circular]");
    above.add(value);
    const copy = this.#copyObject(value, (part) => this.#copy(part, left - 1, above));
    above.delete(value);
    return copy;
  }

  #copyObject(object: object, copyPart: (part: unknown) => unknown): object {
    if (Array.isArray(object)) {
      const items = object.slice();
      for (let index = 0; index < Math.min(items.length, ITEMS); index++) {
        const { value } = Object.getOwnPropertyDescriptor(object, index) ?? {};
        if (value !== undefined) items[index] = copyPart(value);
      }
      return items;
    }
    if (this.#types.isMap(object)) {
      const pairs = Map.prototype.entries.call(object);
      return new Map([...pairs].map((pair, index) => index < ITEMS ? pair.map(copyPart) : pair) as [
        unknown,
        unknown,
      ][]);
    }
    if (this.#types.isSet(object)) {
      const items = [...Set.prototype.values.call(object)];
      return new Set(items.map((item, index) => index < ITEMS ? copyPart(item) : item));
    }
    const keys = this.keysOf(object);
    const copy = Object.create(Object.getPrototypeOf(object));
    for (const key of keys.slice(0, this.#most)) {
      const property = Object.getOwnPropertyDescriptor(object, key)!;
      const part = "value" in property ? { value: copyPart(property.value) } : {};
      Object.defineProperty(copy, key, { ...property, ...part });
    }
    const more = keys.length - this.#most;
    if (more <= 0) return copy;
    const rest = `... ${more} more ${more === 1 ? "property" : "properties"} }`;
    return shownAs((inspect, options) =>
      inspect(copy, options).replace(/,?\s*\}$/, `,${separator(options)}${rest}`)
    );
  }
}

type Inspect = (value: unknown, options: Deno.InspectOptions) => string;

function separator({ compact }: Deno.InspectOptions): string {
  return compact === true ? " " : "\n  ";
}

/** An object that is shown as a text. */
function shownAs(show: (inspect: Inspect, options: Deno.InspectOptions) => string): object {
  return {
    [Symbol.for("Deno.customInspect")]: (inspect: Inspect, options: Deno.InspectOptions) =>
      show(inspect, options),
  };
}
