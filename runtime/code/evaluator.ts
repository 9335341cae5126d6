/**
 * The raw evaluator: one JavaScript expression, in the global scope of the server.
 *
 * @module
 */
import { explainThrown } from "../error_report.ts";
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
