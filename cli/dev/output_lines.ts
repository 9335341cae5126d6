/**
 * The output of a process as lines.
 *
 * @module
 */

/** The length at which a line is divided, in UTF-16 code units. */
const MAX_LINE = 64 * 1024;

/** Divides output into lines, also where it is no text or has no line breaks. */
export class OutputLines {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** Takes output, and returns the lines that are complete. */
  add(bytes: Uint8Array): string[] {
    return this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /** Returns what is left at the end: a last line without a line break. */
  end(): string[] {
    const lines = this.#take(this.#decoder.decode());
    const last = this.#rest;
    this.#rest = "";
    return last === "" ? lines : [...lines, withoutReturn(last)];
  }

  #take(text: string): string[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    const pieces = lines.flatMap((line) => divided(withoutReturn(line)));
    while (this.#rest.length > MAX_LINE) {
      pieces.push(this.#rest.slice(0, MAX_LINE));
      this.#rest = this.#rest.slice(MAX_LINE);
    }
    return pieces;
  }
}

function divided(line: string): string[] {
  if (line.length <= MAX_LINE) return [line];
  const count = Math.ceil(line.length / MAX_LINE);
  return Array.from(
    { length: count },
    (_, index) => line.slice(index * MAX_LINE, (index + 1) * MAX_LINE),
  );
}

/** The line without the carriage return of other systems; of a line that was drawn again, the last state. */
function withoutReturn(line: string): string {
  const text = line.replace(/\r+$/, "");
  return text.slice(text.lastIndexOf("\r") + 1);
}
