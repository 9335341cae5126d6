/**
 * The results of evaluations as text.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";
import { describeThrown } from "../thrown.ts";

/** The longest text that a result may become, in UTF-16 code units. */
export const MAX_RENDERED_LENGTH = 16 * 1024 * 1024;

/**
 * A value as `Deno.inspect` shows it, strings whole; undefined for undefined.
 *
 * @throws {EnsembleError} when it is longer than {@linkcode MAX_RENDERED_LENGTH}, or inspecting it
 * throws.
 */
export function renderValue(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") checkLength(value);
  // Only the result itself is shown whole: strings inside it multiply.
  const whole = typeof value === "string" ? { strAbbreviateSize: MAX_RENDERED_LENGTH } : {};
  return attempt("shown", () => Deno.inspect(value, { colors: false, ...whole }));
}

/**
 * A value as JSON; undefined for undefined.
 *
 * @throws {EnsembleError} when JSON cannot carry the value without loss, or it is too long.
 */
export function renderJson(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") checkLength(value);
  return attempt("written as JSON", () => JSON.stringify(value, refuseLoss));
}

function attempt(verb: string, render: () => string): string {
  let text: string;
  try {
    text = render();
  } catch (error) {
    throw new EnsembleError(`the value cannot be ${verb}: ${describeThrown(error)}`);
  }
  return checkLength(text);
}

function checkLength(text: string): string {
  if (text.length <= MAX_RENDERED_LENGTH) return text;
  throw new EnsembleError(
    `the value is too long to be shown: ${text.length} characters, of at most ${MAX_RENDERED_LENGTH}`,
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
    throw new TypeError(`${place} is a ${value.constructor.name}`);
  }
  return value;
}
