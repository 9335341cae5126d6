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
});
