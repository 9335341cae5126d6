/**
 * Lines to inputs: which lines belong together.
 *
 * @module
 */
import { continuesInput, isIncomplete } from "./continuation.ts";
import { isControlLine } from "./control_line.ts";

/**
 * Collects lines to inputs. An input that is whole waits for the next line, which may go on with it, as in
 *
 *     words
 *       .map((word) => word.length)
 */
export class InputLines {
  #lines: string[] = [];
  #isIncomplete = false;

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
    return lines.length > 0 ? [lines.join("\n")] : [];
  }

  /** Whether lines are missing. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  async #extend(line: string): Promise<string[]> {
    this.#lines.push(line);
    this.#isIncomplete = await isIncomplete(this.#lines.join("\n"));
    return [];
  }
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
