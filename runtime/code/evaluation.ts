/**
 * Evaluates one JavaScript expression in the server's global scope, and formats its result.
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
 * Evaluates exactly one expression, with `ensemble` in scope besides the globals, and awaits its
 * value. It may contain `await`.
 *
 * @throws {InvalidInputError} if the text is not one expression.
 * @throws {EnsembleError} if it throws: the message describes the thrown value, which is the cause.
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
    // A text that parses both within parentheses and within brackets closes neither, so it is a
    // single expression: "1) + (2" fails within brackets.
    const evaluation = new AsyncFunction("ensemble", `return (${expression}\n);`);
    new AsyncFunction("ensemble", `[${expression}\n];`);
    return evaluation;
  } catch (error) {
    const { message } = error as Error;
    const [, token] = /^Unexpected token '([;)])'$/.exec(message) ?? [];
    // A position after the end of the text is that of the added bracket.
    const reason = token && !expression.includes(token) ? "it ends too early" : message;
    throw new InvalidInputError(`not a JavaScript expression: ${reason}`);
  }
}

/** The maximum length of a result as text, in UTF-16 code units. */
export const MAX_RENDERED_LENGTH = 16 * 1024 * 1024;

/**
 * Formats a value with `Deno.inspect`, with whole strings, and at most 10,000 properties of an
 * object; undefined for undefined.
 *
 * @throws {EnsembleError} if it is longer than {@linkcode MAX_RENDERED_LENGTH}, or inspecting it
 * throws.
 */
export function renderValue(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return attempt("shown", () => inspectWhole(value, MAX_RENDERED_LENGTH));
}

/**
 * Formats a value as JSON; undefined for undefined.
 *
 * @throws {EnsembleError} if JSON cannot represent the value without loss, or it is too long.
 */
export function renderJson(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return attempt("written as JSON", () => {
    const isTooLong = typeof value === "string" && value.length > MAX_RENDERED_LENGTH;
    return isTooLong ? undefined : JSON.stringify(value, refuseLoss);
  });
}

/** Calls `render`, and converts its failure, or a text that is too long, to an error. */
function attempt(verb: string, render: () => string | undefined): string {
  let text: string | undefined;
  try {
    text = render();
  } catch (error) {
    throw new EnsembleError(`the value cannot be ${verb}: ${describeThrown(error)}`);
  }
  if (text !== undefined && text.length <= MAX_RENDERED_LENGTH) return text;
  throw new EnsembleError(
    `the value is too long to show: more than ${MAX_RENDERED_LENGTH} characters`,
  );
}

/** A replacer that throws for values that `JSON.stringify` would silently drop or change. */
function refuseLoss(key: string, value: unknown): unknown {
  const place = key === "" ? "it" : `its ${JSON.stringify(key)}`;
  const lossy = typeof value === "function" || typeof value === "symbol" ||
    typeof value === "bigint" || typeof value === "number" && !Number.isFinite(value);
  if (lossy) {
    throw new TypeError(`${place} is ${String(value).slice(0, 40)}, a ${typeof value}`);
  }
  if (
    value instanceof Map || value instanceof Set || value instanceof Error ||
    value instanceof RegExp || value instanceof ArrayBuffer || ArrayBuffer.isView(value)
  ) {
    throw new TypeError(`${place} is of the class ${value.constructor.name}`);
  }
  return value;
}
