/**
 * Lines to inputs: which lines belong together.
 *
 * @module
 */
import { continuesInput, isIncomplete, openBrackets } from "./continuation.ts";
import { isControlLine } from "./control_commands.ts";

/**
 * Collects lines to inputs. An input that is whole waits for the next line, which may go on with it, as in
 *
 *     words
 *       .map((word) => word.length)
 */
export class InputLines {
  #lines: string[] = [];
  #isIncomplete = false;
  /** How many brackets the lines leave open, where that is known. */
  #open: number | undefined;

  /** Takes a line. Gives the inputs that have ended with it or before it. */
  async add(line: string): Promise<string[]> {
    if (this.#isIncomplete) return await this.#extend(line);
    const ended: string[] = [];
    if (this.#lines.length > 0) {
      if (line.trim() === "") return [];
      const source = this.#lines.join("\n");
      if (!isControlLine(line) && await continuesInput(source, line)) {
        return await this.#extend(line);
      }
      ended.push(...this.flush());
    }
    if (isControlLine(line)) return [...ended, line];
    if (line.trim() === "") return ended;
    return [...ended, ...await this.#extend(line)];
  }

  /** Gives the input that no further line belongs to. */
  flush(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#isIncomplete = false;
    this.#open = undefined;
    return lines.length > 0 ? [lines.join("\n")] : [];
  }

  /** Whether lines are missing. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  async #extend(line: string): Promise<string[]> {
    this.#lines.push(line);
    // Not to parse a long list anew for each of its lines.
    this.#open = this.#open && openAfter(line, this.#open);
    if (this.#open !== undefined && this.#open > 0) return [];
    const text = this.#lines.join("\n");
    this.#isIncomplete = await isIncomplete(text);
    this.#open = this.#isIncomplete ? openBrackets(text) : undefined;
    return [];
  }
}

/**
 * How many brackets are open after a line of code; undefined when all were closed in it, or when it takes a
 * parser to know: a slash may begin a comment or a regular expression.
 */
function openAfter(line: string, open: number): number | undefined {
  const code = line.replace(/"[^"]*"|'[^']*'/g, "");
  if (/[\\/`"']/.test(code)) return undefined;
  for (const [bracket] of code.matchAll(/[()[\]{}]/g)) {
    open += "([{".includes(bracket) ? 1 : -1;
    if (open === 0) return undefined;
  }
  return open;
}

/** The inputs that a text of several lines is: one, unless there are control commands among them. */
export async function splitInputs(text: string): Promise<string[]> {
  const source = text.trimEnd();
  const lines = source.split("\n");
  if (!lines.some(isControlLine)) return [source];
  const collected = new InputLines();
  const inputs: string[] = [];
  for (const line of lines) inputs.push(...await collected.add(line));
  return [...inputs, ...collected.flush()];
}
