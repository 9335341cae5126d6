/**
 * Reads the parts of systemd unit files that ours uses: systemd.syntax(7), systemd.service(5)
 * "Command lines".
 *
 * @module
 */
import assert from "node:assert/strict";

/** Values of `%i` and other specifiers. */
export type Specifiers = Record<string, string>;

/** A unit. */
export class UnitFile {
  readonly #settings: [name: string, value: string][];

  /** Reads the text of a unit, and replaces its specifiers. */
  constructor(text: string, specifiers: Specifiers) {
    this.#settings = text.split("\n").filter((line) => /^\w+=/.test(line)).map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), fillIn(line.slice(at + 1), specifiers)];
    });
  }

  /** The values of a setting, in the order of the file. */
  values(name: string): string[] {
    return this.#settings.filter(([setting]) => setting === name).map(([, value]) => value);
  }

  /** The value of a setting that occurs once. */
  value(name: string): string {
    const values = this.values(name);
    assert.equal(values.length, 1, `${name}: ${values}`);
    return values[0]!;
  }

  /** The variables that the unit itself sets. */
  environment(): Record<string, string> {
    return Object.fromEntries(
      this.values("Environment").flatMap((value) => value.split(" ")).map((assignment) =>
        assignment.split("=", 2)
      ),
    );
  }
}

/** Splits a command line. */
export function commandLine(text: string): string[] {
  return Array.from(
    text.matchAll(/'([^']*)'|"([^"]*)"|\S+/g),
    ([word, single, double]) => single ?? double ?? word,
  );
}

function fillIn(text: string, specifiers: Specifiers): string {
  return text.replace(/%(.)/g, (whole, letter: string) => {
    const value = specifiers[letter];
    assert.ok(value !== undefined, `no value for ${whole}`);
    return value;
  });
}
