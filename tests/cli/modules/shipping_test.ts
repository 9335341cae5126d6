import assert from "node:assert/strict";
import { batches } from "../../../cli/modules/shipping.ts";
import type { Unit } from "../../../runtime/code/unit.ts";

function unit(hash: string, length: number, members?: string[]): Unit {
  const cycle = members && { cycle: { members, index: members.indexOf(hash) } };
  const text = " ".repeat(length);
  return {
    hash,
    module: hash,
    path: hash,
    text,
    links: [],
    metaProperties: [],
    pauses: false,
    ...cycle,
  };
}

Deno.test("units travel in batches, a cycle in one", () => {
  const cycle = ["c", "d", "e"];
  const units = [
    unit("a", 700_000),
    unit("b", 700_000),
    ...cycle.map((hash) => unit(hash, 900_000, cycle)),
    unit("f", 1),
  ];
  const shipped = [...batches(units)].map((batch) => batch.map(({ hash }) => hash).join(""));
  assert.deepEqual(shipped, ["ab", "cde", "f"]);
  assert.deepEqual([...batches([])], []);

  // What is large by itself has a message of its own.
  const large = [unit("a", 10), unit("b", 60 * 1024 * 1024), unit("c", 10)];
  assert.deepEqual([...batches(large)].map((batch) => batch.length), [1, 1, 1]);
});

Deno.test("a module that is too large for a message is refused by its file", () => {
  const cycle = ["a", "b"];
  const cases: [units: Unit[], message: RegExp][] = [
    [[unit("a", 10), unit("b", 63 * 1024 * 1024)], /^b: is 66060288 characters of JavaScript, and/],
    [
      cycle.map((hash) => unit(hash, 31 * 1024 * 1024, cycle)),
      /^a: is 32505856 characters of JavaScript, with the modules that it imports in a circle, and/,
    ],
  ];
  for (const [units, message] of cases) {
    assert.throws(() => [...batches(units)], { name: "ModuleError", message });
  }
});
