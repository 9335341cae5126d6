/**
 * The way back from the code that a server evaluates to what the person typed.
 *
 * @module
 */
import type { TextPosition } from "../../runtime/code/text_position.ts";

/** Gives the place in an input of a place in its expansion. */
export type LocateInput = (position: TextPosition) => TextPosition;

/** How many inputs are remembered: the functions of older ones are named without line and column. */
const REMEMBERED = 1000;

/** How engines name a function that was called through `(0, name)`, as expansions call functions. */
const INDIRECT_CALLEE = /\(0 , ([\p{ID_Start}$_][\p{ID_Continue}$]*)\)/gu;

/** The inputs of one session, as far as its errors are about them. */
export class InputMap {
  readonly #reference: RegExp;
  readonly #locate = new Map<number, LocateInput>();

  /** Starts without inputs; `session` is the session's name in stack traces. */
  constructor(session: string) {
    const name = RegExp.escape(`repl:${session}/`);
    this.#reference = new RegExp(`${name}(\\d+)(?::(\\d+):(\\d+))?`, "g");
  }

  /** Remembers where the text of an input's expansion comes from. */
  add(input: number, locate: LocateInput): void {
    this.#locate.set(input, locate);
    this.#locate.delete(input - REMEMBERED);
  }

  /**
   * Puts lines and columns of what the person typed in place of those of the expansions, in a stack
   * trace or a value: `repl:3:1:5` is line 1, column 5 of the third input.
   */
  restore(text: string): string {
    return text
      .replace(INDIRECT_CALLEE, "$1")
      .replace(this.#reference, (_, number, line, column) => {
        const input = Number(number);
        const locate = line === undefined ? undefined : this.#locate.get(input);
        if (!locate) return `repl:${input}`;
        const position = locate({ line: Number(line), column: Number(column) });
        return `repl:${input}:${position.line}:${position.column}`;
      });
  }
}
