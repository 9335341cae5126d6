/**
 * The results of evaluations as text.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import { inspectWhole } from "../bounded_text.ts";
import { describeThrown } from "../thrown.ts";

/** The longest text that a result may become, in UTF-16 code units. */
export const MAX_RENDERED_LENGTH = 16 * 1024 * 1024;

/**
 * A value as `Deno.inspect` shows it, strings whole, and of an object no more than 10,000 properties;
 * undefined for undefined.
 *
 * @throws {EnsembleError} when it is longer than {@linkcode MAX_RENDERED_LENGTH}, or inspecting it
 * throws.
 */
export function renderValue(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return attempt("shown", () => inspectWhole(value, MAX_RENDERED_LENGTH));
}

/**
 * A value as JSON; undefined for undefined.
 *
 * @throws {EnsembleError} when JSON cannot carry the value without loss, or it is too long.
 */
export function renderJson(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return attempt("written as JSON", () => {
    const isTooLong = typeof value === "string" && value.length > MAX_RENDERED_LENGTH;
    return isTooLong ? undefined : JSON.stringify(value, refuseLoss);
  });
}

/** What `render` gives: a text, or undefined where that is too long. */
function attempt(verb: string, render: () => string | undefined): string {
  let text: string | undefined;
  try {
    text = render();
  } catch (error) {
    throw new EnsembleError(`the value cannot be ${verb}: ${describeThrown(error)}`);
  }
  if (text !== undefined && text.length <= MAX_RENDERED_LENGTH) return text;
  throw new EnsembleError(
    `the value is too long to be shown: more than ${MAX_RENDERED_LENGTH} characters`,
  );
}

/** A replacer that refuses what `JSON.stringify` would drop or change in silence. */
function refuseLoss(key: string, value: unknown): unknown {
  const place = key === "" ? "it" : `its ${JSON.stringify(key)}`;
  const lossy = typeof value === "function" || typeof value === "symbol" ||
    typeof value === "bigint" || typeof value === "number" && !Number.isFinite(value);
  if (lossy) {
    throw new TypeError(`${place} is ${String(value).slice(0, 40)}, a ${typeof value}`);
  }
  if (
    value instanceof Map || value instanceof Set || value instanceof Error ||
    value instanceof RegExp
  ) {
    throw new TypeError(`${place} is of the class ${value.constructor.name}`);
  }
  return value;
}
