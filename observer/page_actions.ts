/**
 * What the page asks the operator to do. Each is confirmed in the terminal, one after the other.
 *
 * @module
 */
import { EnsembleError } from "../runtime/errors.ts";
import {
  actorId,
  type Check,
  checked,
  oneOf,
  optional,
  parts,
  positive,
  serverId,
  text,
} from "../runtime/server/request_checks.ts";
import { shown } from "./observed_values.ts";
import type { ActionRequest, ActionResult } from "./page/page_protocol.ts";

/** The maximum number of actions that wait, the one that is asked about included. */
const MAX_WAITING = 4;

/** How long the operator has to answer, in ms. */
const ANSWER_TIMEOUT = 60_000;

/** An action that can be done. */
export interface PreparedAction {
  /** What it does, after "the page asks to": `shut down the actor counter of httpd1`. */
  readonly what: string;
  /** Does it. Returns what was done. */
  perform(): Promise<string>;
}

/** The operator at the terminal. */
export interface Operator {
  /**
   * Finds out what an action would do, and changes nothing.
   *
   * @throws {EnsembleError} if it cannot be done.
   */
  prepare(request: ActionRequest): Promise<PreparedAction>;
  /** Asks yes or no, until the signal aborts, which means no. */
  confirm(question: string, options: { readonly signal: AbortSignal }): Promise<boolean>;
}

/** The longest name in an action, and the longest question, in UTF-16 code units. */
const MAX_NAME = 200;
const MAX_QUESTION = 500;

const CHECKS: Readonly<Record<ActionRequest["action"], Check<ActionRequest>>> = {
  "shut-down-actor": parts({
    action: oneOf("shut-down-actor"),
    server: serverId,
    actor: actorId,
  }),
  "set-log-level": parts({
    action: oneOf("set-log-level"),
    server: serverId,
    level: oneOf("debug", "info", "warning", "error"),
    category: optional(text(MAX_NAME)),
    duration: optional(positive),
  }),
  "go-back": parts({ action: oneOf("go-back"), server: serverId, load: text(MAX_NAME) }),
};

/**
 * Checks an action that the page sent.
 *
 * @throws {InvalidInputError} if it is none.
 */
export const checkAction: Check<ActionRequest> = checked((value) => {
  const kinds = Object.keys(CHECKS) as ActionRequest["action"][];
  const { action } = parts({ action: oneOf(...kinds) })(value);
  return CHECKS[action](value);
}, "an action");

/** Does what the page asks for, with the operator's consent. */
export class PageActions {
  readonly #operator: Operator;
  readonly #onDone: (request: ActionRequest, details: string) => void;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Asks an operator. `onDone` is called with the outcome of each action. */
  constructor(operator: Operator, onDone: (request: ActionRequest, details: string) => void) {
    this.#operator = operator;
    this.#onDone = onDone;
  }

  /** Whether too many actions wait for the operator. */
  get isFull(): boolean {
    return this.#waiting >= MAX_WAITING;
  }

  /** Does an action. The signal aborts when the page is closed, which means no. */
  async run(request: ActionRequest, signal: AbortSignal): Promise<ActionResult> {
    this.#waiting++;
    const turn = this.#last.then(() => this.#runNow(request, signal));
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  async #runNow(request: ActionRequest, signal: AbortSignal): Promise<ActionResult> {
    let what: string = request.action;
    try {
      signal.throwIfAborted();
      const prepared = await this.#operator.prepare(request);
      what = shown(prepared.what, { limit: MAX_QUESTION });
      const answered = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT)]);
      const question = `the page asks to ${what}: do it?`;
      const isConfirmed = await this.#operator.confirm(question, { signal: answered });
      if (!isConfirmed) {
        const why = answered.aborted ? "it was not confirmed in time" : "the operator declined";
        return this.#done(request, { outcome: "declined", message: why }, what);
      }
      const message = shown(await prepared.perform(), { limit: 1_000 });
      return this.#done(request, { outcome: "done", message }, what);
    } catch (error) {
      if (signal.aborted) return { outcome: "declined", message: "the page was closed" };
      if (!(error instanceof EnsembleError)) throw error;
      const message = shown(error.message, { limit: 1_000 });
      return this.#done(request, { outcome: "failed", message }, what);
    }
  }

  #done(request: ActionRequest, result: ActionResult, what: string): ActionResult {
    const { outcome, message } = result;
    this.#onDone(request, outcome === "done" ? message : `${what}: ${outcome}: ${message}`);
    return result;
  }
}
