/**
 * Reads the parts of systemd unit files that ours use: systemd.syntax(7), systemd.service(5)
 * "Command lines".
 *
 * @module
 */
import assert from "node:assert/strict";

/** Values of `%i` and other specifiers. */
export type Specifiers = Record<string, string>;

/** One of our units. */
export class UnitFile {
  readonly #settings: [name: string, value: string][];

  /** Reads a unit from `deploy`, and replaces its specifiers. */
  constructor(name: string, specifiers: Specifiers) {
    const text = Deno.readTextFileSync(new URL(`../../deploy/${name}`, import.meta.url));
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

/** Splits a command line. `$NAME` as a separate word becomes the words of the variable's value. */
export function commandLine(text: string, environment: Record<string, string>): string[] {
  return Array.from(text.matchAll(/'([^']*)'|"([^"]*)"|\S+/g), ([word, single, double]) => {
    const quoted = single ?? double;
    if (quoted !== undefined) return [quoted];
    if (!word.startsWith("$")) return [word];
    return (environment[word.slice(1)] ?? "").split(" ").filter((part) => part !== "");
  }).flat();
}

/** Reads the assignments of an environment file. */
export function environmentFile(text: string): Record<string, string> {
  return Object.fromEntries(
    Array.from(text.matchAll(/^(\w+)=(.*)$/gm), ([, name, value]) => [name!, value!]),
  );
}

function fillIn(text: string, specifiers: Specifiers): string {
  return text.replace(/%(.)/g, (whole, letter: string) => {
    const value = specifiers[letter];
    assert.ok(value !== undefined, `no value for ${whole}`);
    return value;
  });
}
