/**
 * Evaluation: one JavaScript expression in the global scope of the server, and its result as text.
 *
 * @module
 */
import { inspectWhole } from "../inspection.ts";
import { describeThrown, explainThrown } from "../error_report.ts";
import { EnsembleError, InvalidInputError } from "../errors.ts";

type AsyncEvaluation = (ensemble: unknown) => Promise<unknown>;
type AsyncFunctionConstructor = new (parameter: string, body: string) => AsyncEvaluation;

const AsyncFunction = Object.getPrototypeOf(async function () {})
  .constructor as AsyncFunctionConstructor;

/**
 * Evaluates exactly one expression, with `ensemble` as a name beside the global ones, and awaits what
 * it gives. `await` may stand in it.
 *
 * @throws {InvalidInputError} when the text is not one expression.
 * @throws {EnsembleError} when it throws: the message says what it threw and why, the cause is the thing itself.
 */
export async function evaluate(expression: string, ensemble: unknown): Promise<unknown> {
  const evaluation = compile(expression);
  try {
    return await evaluation(ensemble);
  } catch (thrown) {
    throw new EnsembleError(explainThrown(thrown), { cause: thrown });
  }
}

function compile(expression: string): AsyncEvaluation {
  try {
    // A text that is whole between parentheses and also between brackets closes neither by itself,
    // so it is an expression and nothing beside it: "1) + (2" is refused by the second.
    const evaluation = new AsyncFunction("ensemble", `return (${expression}\n);`);
    new AsyncFunction("ensemble", `[${expression}\n];`);
    return evaluation;
  } catch (error) {
    const { message } = error as Error;
    const [, token] = /^Unexpected token '([;)])'$/.exec(message) ?? [];
    // One that is not in it is the one that was put behind it.
    const reason = token && !expression.includes(token) ? "it ends too early" : message;
    throw new InvalidInputError(`not a JavaScript expression: ${reason}`);
  }
}

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
