/**
 * The REPL without a terminal: what becomes of the inputs that are entered, and those that a script enters.
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

/** What the REPL needs of where it is shown. */
export interface ReplContext extends ControlContext {
  /** Prints a value as the server shows it. */
  printValue(text: string): void;
  /** Prints what is not a result: an error, that something was interrupted. */
  printError(text: string): void;
}

/** What became of an input. */
export type InputOutcome = "done" | "failed" | "quit";

/** An input that begins as the rest of a chain of calls does: no expression begins with a dot but a number. */
const CHAIN = /^\s*(?:\?\.|\.(?!\.))(?!\d)/;

/** What other REPLs call their commands. */
const FOREIGN_COMMAND = /^\s*\.(?:exit|help|clear|break|editor|load|save)\s*$/;

/** Evaluates inputs, and prints what they come to. */
export class Repl {
  readonly #context: ReplContext;
  #running: AbortController | undefined;
  /** Whether `_` is the result of the last input. */
  #hasResult = false;

  /** Makes one that has read nothing. */
  constructor(context: ReplContext) {
    this.#context = context;
  }

  /** Whether a text is only the beginning of an input. */
  async isIncomplete(text: string): Promise<boolean> {
    const last = (await splitInputs(text)).at(-1)!;
    return last.trim() !== "" && !isControlLine(last) && await isIncomplete(withSubject(last));
  }

  /**
   * Takes an input, or several with control commands among them: then what comes after a failure is not
   * evaluated. One text at a time: the next when the promise is settled. Never rejects.
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

  /** Stops waiting for what is running; says whether there was anything. */
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
      throw new EnsembleError("commands begin with a comma here: ,help lists them, ,q leaves");
    }
    if (this.#hasResult) return;
    throw new EnsembleError(
      "a line that begins with a dot goes on with the last result, and the last input had none: " +
        "enter the whole chain as one input",
    );
  }
}

/** A chain that goes on with the last result; every other input as it stands. */
function withSubject(input: string): string {
  return CHAIN.test(input) ? `_${input}` : input;
}

/** What the work comes to, unless the signal is aborted first. */
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
 * Enters the inputs of standard input, up to its end or to a command that ends the REPL. What fails does
 * not keep the inputs after it from being evaluated.
 *
 * @param lost aborted when the session is lost.
 * @throws {EnsembleError} when an input failed, or the session was lost.
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
 * The inputs, each as soon as it is known to have ended. A program at the other end of a pipe may wait for an
 * answer before it writes more: so where no more has come, an input that is whole has ended.
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
