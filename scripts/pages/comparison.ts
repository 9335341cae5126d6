/**
 * Compares the output of a command with what a page shows.
 *
 * @module
 */

/** The texts that a page shows for those of this machine: pairs of the real text and the page's. */
export type Stand = readonly [real: string | RegExp, shown: string];

const HASH = /\b[0-9a-f]{64}\b/g;

/** Text that differs from run to run. */
const VARIABLE: readonly Stand[] = [
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "<time>"],
  [/\((?:compiled|portable), (?=\d+ bytes\))/g, "(<form>, "],
  [/\b\d+ bytes\b/g, "<number> bytes"],
  [/\b(pid|kill -\w+) \d+/g, "$1 <number>"],
];

/** Compares outputs of one page, in which a hash always stands for the same hash. */
export class Comparison {
  readonly #stands: readonly Stand[];
  readonly #hashes = new Map<string, string>();

  /** Makes a comparison, given the page's texts for those of this machine. */
  constructor(stands: readonly Stand[]) {
    this.#stands = stands;
  }

  /** Returns whether lines match those of the page. */
  isSame(lines: readonly string[], shown: readonly string[]): boolean {
    if (shown[0] === "...") {
      return this.isSame(lines, shown.slice(1)) ||
        (lines.length > 0 && this.isSame(lines.slice(1), shown));
    }
    if (lines.length === 0 || shown.length === 0) return lines.length === shown.length;
    return this.isSameLine(lines[0]!, shown[0]!) && this.isSame(lines.slice(1), shown.slice(1));
  }

  /** Returns whether a line matches the page's. */
  isSameLine(line: string, shown: string): boolean {
    const here = replaceAll(replaceAll(line, this.#stands), VARIABLE);
    const there = replaceAll(shown, VARIABLE);
    if (here.replaceAll(HASH, "<hash>") !== there.replaceAll(HASH, "<hash>")) return false;
    const [real, paged] = [here, there].map((text) => text.match(HASH) ?? []);
    return paged!.every((hash, index) => {
      const known = this.#hashes.get(hash);
      if (known !== undefined) return known === real![index];
      if ([...this.#hashes.values()].includes(real![index]!)) return false;
      this.#hashes.set(hash, real![index]!);
      return true;
    });
  }
}

function replaceAll(text: string, stands: readonly Stand[]): string {
  return stands.reduce((result, [real, shown]) => result.replaceAll(real, shown), text);
}
