/**
 * Keeps the questions of one command apart.
 *
 * @module
 */

/** One question at a time in the terminal, in the order in which they come. */
export class TerminalTurns {
  #last: Promise<unknown> = Promise.resolve();

  /** Asks a question when the earlier ones are answered. */
  async take<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const answer = this.#last.then(ask);
    this.#last = answer.catch(() => {});
    return await answer;
  }
}
