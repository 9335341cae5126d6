/**
 * Values as a REPL shows them: as much as a person wants to see, and never more than a terminal holds.
 *
 * @module
 */
import { types } from "node:util";
import { describeThrown } from "../thrown.ts";

/** The longest text that is shown for one value, in UTF-16 code units. */
export const MAX_PREVIEW_LENGTH = 100_000;

/** How many items of an array, a map, a set or a typed array are shown, as in Deno's REPL. */
const ITEMS = 100;

/**
 * How deep objects are shown inside each other and how much of a string, in UTF-16 code units: the first
 * that makes a text which is not too long. The first depth is that of Deno's REPL.
 */
const SIZES = [
  ...[4, 3, 2, 1, 0].map((depth) => ({ depth, stringLength: 10_000 })),
  { depth: 0, stringLength: 100 },
];

/** About as much text as a value, a brace or a separator takes, in UTF-16 code units. */
const TOKEN_LENGTH = 8;

/** Options of {@linkcode previewValue}. */
export interface PreviewOptions {
  /** Whether to colour the text with ANSI escapes. */
  colors?: boolean;
  /** Whether the text goes on one line as far as that is possible, for programs to read. */
  oneLine?: boolean;
}

/**
 * A value as `Deno.inspect` shows it, less deep where it would be long. No getter is run and no trap of
 * a proxy; a custom inspection is, and when that throws the text says so.
 */
export function previewValue(value: unknown, options: PreviewOptions = {}): string {
  const { colors = false, oneLine = false } = options;
  try {
    for (const size of SIZES) {
      if (estimateLength(value, size) > MAX_PREVIEW_LENGTH) continue;
      return cut(Deno.inspect(value, {
        colors,
        depth: size.depth,
        iterableLimit: ITEMS,
        strAbbreviateSize: size.stringLength,
        ...(oneLine && { compact: true, breakLength: Infinity }),
      }));
    }
    return `[an object of ${
      Reflect.ownKeys(value as object).length
    } properties: look at some of them]`;
  } catch (error) {
    return `[a value that cannot be shown: ${cut(describeThrown(error))}]`;
  }
}

/** Cuts a text that is longer than {@linkcode MAX_PREVIEW_LENGTH}, and says so in it. */
export function cut(text: string): string {
  if (text.length <= MAX_PREVIEW_LENGTH) return text;
  const more = text.length - MAX_PREVIEW_LENGTH;
  return `${text.slice(0, MAX_PREVIEW_LENGTH)}... ${more} more characters`;
}

/**
 * About how long the text of a value is; what is above the limit is not looked at. `Deno.inspect` itself
 * bounds neither the properties of an object nor the whole.
 */
function estimateLength(
  value: unknown,
  { depth, stringLength }: (typeof SIZES)[number],
): number {
  let length = 0;
  const seen = new Set<object>();
  const visit = (part: unknown, left: number): void => {
    if (length > MAX_PREVIEW_LENGTH) return;
    length += TOKEN_LENGTH;
    if (typeof part === "string") length += Math.min(part.length, stringLength);
    if (typeof part !== "object" || part === null || left < 0) return;
    // A proxy is shown as its target, which only the inspection can see.
    if (seen.has(part) || types.isProxy(part)) return;
    seen.add(part);
    for (const item of itemsOf(part)) visit(item, left - 1);
  };
  visit(value, depth);
  return length;
}

function* itemsOf(container: object): Generator<unknown> {
  if (ArrayBuffer.isView(container)) return;
  if (Array.isArray(container)) {
    for (let index = 0; index < Math.min(container.length, ITEMS); index++) {
      yield Object.getOwnPropertyDescriptor(container, index)?.value;
    }
    return;
  }
  if (types.isMap(container)) {
    for (const pair of firstItems(Map.prototype.entries.call(container))) yield* pair as unknown[];
  } else if (types.isSet(container)) {
    yield* firstItems(Set.prototype.values.call(container));
  }
  for (const key of Reflect.ownKeys(container)) {
    yield key;
    yield Object.getOwnPropertyDescriptor(container, key)?.value;
  }
}

function firstItems(iterator: IteratorObject<unknown>): Iterable<unknown> {
  return iterator.take(ITEMS);
}
