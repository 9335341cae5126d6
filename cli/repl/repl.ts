/**
 * The REPL itself, without a terminal: evaluating inputs, and reading them from a script.
 *
 * @module
 */
import { fstatSync } from "node:fs";
import { EnsembleError } from "../../runtime/errors.ts";
import { explainSilence, watchSilence } from "../kit/console.ts";
import { errorText } from "../kit/output.ts";
import { InputLines, isIncomplete, splitInputs } from "./continuation.ts";
import {
  type ControlContext,
  isControlLine,
  parseControlLine,
  runControlLine,
} from "./control_commands.ts";
import { formatInputError, InputError } from "./parsed_input.ts";

/** The context of control commands, and the REPL's output. */
export interface ReplContext extends ControlContext {
  /** Prints a value in the server's format. */
  printValue(text: string): void;
  /** Prints an error or a notice. */
  printError(text: string): void;
}

/** The outcome of an input. */
export type InputOutcome = "done" | "failed" | "quit";

/** An input that continues a chain of calls. No expression begins with a dot, except a number. */
const CHAIN = /^\s*(?:\?\.|\.(?!\.))(?!\d)/;

/** Commands of other REPLs, such as `.exit`. */
const FOREIGN_COMMAND = /^\s*\.(?:exit|help|clear|break|editor|load|save)\s*$/;

/** Evaluates inputs and prints their results. */
export class Repl {
  readonly #context: ReplContext;
  #running: AbortController | undefined;
  /** Whether the last input had a result, which is then `_`. */
  #hasResult = false;

  /** Makes a REPL that has not read anything yet. */
  constructor(context: ReplContext) {
    this.#context = context;
  }

  /** Whether a text is incomplete: an input, or its last input, needs further lines. */
  async isIncomplete(text: string): Promise<boolean> {
    const last = (await splitInputs(text)).at(-1)!;
    return last.trim() !== "" && !isControlLine(last) && await isIncomplete(withSubject(last));
  }

  /**
   * Evaluates an input, or several inputs and control commands, up to the first that fails. Call it
   * again only when the promise has settled. It never rejects.
   */
  async enter(text: string): Promise<InputOutcome> {
    const running = this.#running = new AbortController();
    const { actors, server } = this.#context;
    using _watch = watchSilence(actors, server, (line) => this.#context.printError(line));
    try {
      return await untilAborted(this.#takeAll(text, running.signal), running.signal);
    } catch (error) {
      this.#hasResult = false;
      if (running.signal.aborted) {
        this.#context.printError(
          `interrupted: ${this.#context.server} may still be busy with it`,
        );
      } else {
        const explained = await explainSilence(error, actors) as Error;
        this.#context.printError(errorText(explained.message));
      }
      return "failed";
    } finally {
      this.#running = undefined;
    }
  }

  /** Stops waiting for the running input; returns whether there was one. */
  interrupt(): boolean {
    this.#running?.abort();
    return this.#running !== undefined;
  }

  async #takeAll(text: string, signal: AbortSignal): Promise<InputOutcome> {
    let outcome: InputOutcome = "done";
    for (const input of await splitInputs(text)) {
      outcome = await this.#take(input, signal);
      if (outcome !== "done" || signal.aborted) break;
    }
    return outcome;
  }

  async #take(input: string, signal: AbortSignal): Promise<InputOutcome> {
    if (input.trim() === "") return "done";
    if (isControlLine(input)) {
      return await runControlLine(parseControlLine(input), this.#context) ? "quit" : "done";
    }
    if (CHAIN.test(input)) this.#requireSubject(input);
    const source = withSubject(input);
    this.#hasResult = false;
    try {
      const { result, error } = await this.#context.session.evaluate(source, signal);
      if (result !== undefined) this.#context.printValue(result);
      if (error !== undefined) this.#context.printError(error);
      this.#hasResult = result !== undefined;
      return error === undefined ? "done" : "failed";
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.#context.printError(
        await isIncomplete(source)
          ? errorText("the last input is not complete")
          : formatInputError(error, source),
      );
      return "failed";
    }
  }

  #requireSubject(input: string): void {
    if (FOREIGN_COMMAND.test(input)) {
      throw new EnsembleError("REPL commands begin with a comma: see ,help; ,q leaves");
    }
    if (this.#hasResult) return;
    throw new EnsembleError(
      "a line that begins with a dot continues with the last result, and the last input had none: " +
        "enter the whole chain as one input",
    );
  }
}

/** Puts the last result in front of a chain; returns any other input unchanged. */
function withSubject(input: string): string {
  return CHAIN.test(input) ? `_${input}` : input;
}

/** Awaits the work, and throws if the signal aborts first. */
async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(new EnsembleError("interrupted"));
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Evaluates the inputs of standard input, up to its end or to a command that ends the REPL. Inputs
 * after a failed one are evaluated, too.
 *
 * @param lost aborts when the session is lost.
 * @throws {EnsembleError} if an input failed, or the session was lost.
 */
export async function runPiped(repl: Repl, lost: AbortSignal): Promise<void> {
  let failures = 0;
  for await (const input of readInputs(lost)) {
    const outcome = await repl.enter(input);
    if (outcome === "failed") failures++;
    if (outcome === "quit") return endOf(failures);
    if (lost.aborted) break;
  }
  lost.throwIfAborted();
  endOf(failures);
}

/**
 * Reads inputs, each as soon as it is complete. The other end of a pipe may wait for an answer
 * before it writes more, so a complete input has ended if no more data is waiting.
 */
async function* readInputs(lost: AbortSignal): AsyncGenerator<string> {
  const inputs = new InputLines();
  const isFile = fstatSync(0).isFile();
  let rest = "";
  const text = Deno.stdin.readable.pipeThrough(new TextDecoderStream(), { signal: lost });
  try {
    for await (const chunk of text) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) yield* await inputs.add(line.replace(/\r$/, ""));
      if (rest === "" && !isFile && !inputs.isIncomplete) yield* inputs.flush();
    }
  } catch (error) {
    if (!lost.aborted) throw error;
    return;
  }
  if (rest !== "") yield* await inputs.add(rest);
  yield* inputs.flush();
}

function endOf(failures: number): void {
  if (failures === 0) return;
  throw new EnsembleError(failures === 1 ? "1 input failed" : `${failures} inputs failed`);
}
