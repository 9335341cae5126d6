/**
 * The REPL without its terminal: what becomes of the lines that are entered.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";
import { errorText } from "../output.ts";
import type { ControlContext } from "./control_command.ts";
import { runControlLine } from "./control_commands.ts";
import { isControlLine, parseControlLine } from "./control_line.ts";
import { formatInputError, InputError } from "./input_error.ts";

/** What the REPL needs of where it is shown. */
export interface ReplContext extends ControlContext {
  /** Prints a value as the server shows it. */
  printValue(text: string): void;
  /** Prints what is not a result: an error, that something was interrupted. */
  printError(text: string): void;
}

/** What became of a line. */
export type LineOutcome = "done" | "failed" | "incomplete" | "quit";

/** Reads lines, evaluates what they are, prints what that comes to. */
export class Repl {
  readonly #context: ReplContext;
  #lines: string[] = [];
  #running: AbortController | undefined;

  /** Makes one that has read nothing. */
  constructor(context: ReplContext) {
    this.#context = context;
  }

  /** Whether an input waits for more lines. */
  get isIncomplete(): boolean {
    return this.#lines.length > 0;
  }

  /** Takes a line. One at a time: the next when the promise is settled. Never rejects. */
  async enter(line: string): Promise<LineOutcome> {
    const running = this.#running = new AbortController();
    try {
      return await untilAborted(this.#take(line, running.signal), running.signal);
    } catch (error) {
      this.#lines = [];
      if (running.signal.aborted) {
        this.#context.printError(
          `interrupted: ${this.#context.server} may still be busy with it`,
        );
      } else {
        this.#context.printError(errorText((error as Error).message));
      }
      return "failed";
    } finally {
      this.#running = undefined;
    }
  }

  /** Stops waiting for what is running, or forgets an incomplete input; says whether there was either. */
  interrupt(): boolean {
    const had = this.#running !== undefined || this.isIncomplete;
    this.#lines = [];
    this.#running?.abort();
    return had;
  }

  /** Evaluates what is left when no line follows: it is incomplete, and fails for that. */
  end(): LineOutcome {
    if (!this.isIncomplete) return "done";
    this.#lines = [];
    this.#context.printError(errorText("the last input is not complete"));
    return "failed";
  }

  async #take(line: string, signal: AbortSignal): Promise<LineOutcome> {
    if (!this.isIncomplete) {
      if (line.trim() === "") return "done";
      if (isControlLine(line)) {
        return await runControlLine(parseControlLine(line), this.#context) ? "quit" : "done";
      }
    }
    this.#lines.push(line);
    const source = this.#lines.join("\n");
    try {
      const { result, error } = await this.#context.session.evaluate(source, signal);
      this.#lines = [];
      if (result !== undefined) this.#context.printValue(result);
      if (error !== undefined) this.#context.printError(error);
      return error === undefined ? "done" : "failed";
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (error.isIncomplete) return "incomplete";
      this.#lines = [];
      this.#context.printError(formatInputError(error, source));
      return "failed";
    }
  }
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
