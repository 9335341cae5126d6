/**
 * The output of a development ensemble: the lines of all processes, each after the name of its own, and those
 * of the command.
 *
 * @module
 */
import { printProcessLines, type Style } from "../kit/output.ts";

/** The longest name that is shown in full, in characters. */
const MAX_WIDTH = 24;

/** The colors of names, in turn: those that are readable on dark and on light terminals. */
const COLORS: readonly Style[] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94].map((code) => [code, 39]);

const BOLD: Style = [1, 22];
const RED: Style = [31, 39];

/** The name before lines of the command itself. */
const OWN = "dev";

/** Prints lines with labels of the same width. */
export class EnsembleOutput {
  readonly #labels = new Map<string, Style>();
  #width = OWN.length;

  /** Makes room for names. */
  add(names: Iterable<string>): void {
    for (const name of names) {
      this.#width = Math.max(this.#width, Math.min(name.length, MAX_WIDTH));
      this.#color(name);
    }
  }

  /** Prints lines of a process. */
  printProcess(name: string, lines: readonly string[]): void {
    printProcessLines([this.#label(name), this.#color(name)], lines);
  }

  /** Prints what the command has to say, which may have several lines. */
  say(text: string): void {
    printProcessLines([this.#label(OWN), BOLD], text.split("\n"));
  }

  /** Prints what is wrong. */
  complain(text: string): void {
    printProcessLines([this.#label(OWN), RED], text.split("\n"));
  }

  #label(name: string): string {
    const short = name.length > MAX_WIDTH ? `${name.slice(0, MAX_WIDTH - 1)}…` : name;
    return `${short.padEnd(this.#width)} | `;
  }

  #color(name: string): Style {
    let color = this.#labels.get(name);
    if (!color) this.#labels.set(name, color = COLORS[this.#labels.size % COLORS.length]!);
    return color;
  }
}
