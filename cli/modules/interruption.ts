/**
 * Interrupting a command that changes servers one after the other: what Ctrl-C and other signals
 * ask for, at a moment that suits.
 *
 * @module
 */
import { hangupMeaning, onSignal } from "../../runtime/home/signals.ts";
import { printNotice } from "../kit/output.ts";
import { askChoice } from "../kit/prompts.ts";

/** What to do with what was done so far. */
export type Decision = "go back" | "leave";

/** Thrown when the command is to end early. */
export class Interrupted extends Error {
  /** What to do with what was done so far. */
  readonly decision: Decision;

  /** Creates one for a decision. */
  constructor(decision: Decision) {
    super(`interrupted: ${decision}`);
    this.decision = decision;
  }
}

/** The exit code after an interrupt, as shells have it: 128 and the number of the signal. */
const INTERRUPTED = 130;

/** Listens for signals while servers are changed. */
export class Interruption implements Disposable {
  readonly #listeners = new DisposableStack();
  #signal = Promise.withResolvers<Deno.Signal>();

  /** Starts listening. */
  constructor() {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      // As with nohup.
      if (signal === "SIGHUP" && hangupMeaning() === "nothing") continue;
      this.#listeners.use(onSignal(signal, () => this.#signal.resolve(signal)));
    }
  }

  /**
   * Waits for a step. If a signal comes meanwhile, asks what to do; without a terminal, the answer
   * is to go back.
   *
   * @param describe describes the state of the work, for the question.
   * @throws {Interrupted} if the answer is not to go on.
   */
  async during<Result>(step: Promise<Result>, describe: () => string): Promise<Result> {
    step.catch(() => {}); // It may fail while the question is open.
    while (true) {
      const done = step.then((result) => ({ result }));
      const outcome = await Promise.race([done, this.#signal.promise]);
      if (typeof outcome !== "string") return outcome.result;
      const decision = await this.#ask(outcome, describe());
      if (decision !== "go on") throw new Interrupted(decision);
      this.#signal = Promise.withResolvers();
    }
  }

  /** Goes on to the end: from now on, another signal ends the command at once. */
  finish(): void {
    this.#signal = Promise.withResolvers();
    this.#signal.promise.then(() => Deno.exit(INTERRUPTED));
  }

  /** Stops listening. */
  [Symbol.dispose](): void {
    this.#listeners.dispose();
  }

  async #ask(signal: Deno.Signal, state: string): Promise<Decision | "go on"> {
    const canAsk = signal === "SIGINT" && Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
    if (!canAsk) {
      printNotice(`... interrupted: ${state}`);
      return "go back";
    }
    const answer = await askChoice<Decision | "go on">(`interrupted: ${state}; what now?`, [
      { value: "go back", name: "go back in all of them" },
      { value: "leave", name: "leave them as they are" },
      { value: "go on", name: "go on" },
    ]);
    return answer ?? "leave";
  }
}
