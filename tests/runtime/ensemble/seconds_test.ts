import assert from "node:assert/strict";
import { parseSeconds } from "../../../runtime/ensemble/seconds.ts";
import { InvalidInputError } from "../../../runtime/errors.ts";

Deno.test("parseSeconds reads seconds up to a day, fractions too", () => {
  const read = (isZeroAllowed: boolean) => (text: string) => parseSeconds(text, { isZeroAllowed });
  assert.deepEqual(["0.25", ".5", "5", "86400"].map(read(false)), [250, 500, 5000, 86_400_000]);
  assert.equal(read(true)("0"), 0);
  for (const text of ["", "-1", "1e3", "0x5", "5s", " 5", "Infinity", "NaN", "86401", "5.", "."]) {
    for (const isZeroAllowed of [true, false]) {
      assert.throws(() => read(isZeroAllowed)(text), InvalidInputError, text);
    }
  }
  for (const text of ["0", "0.0"]) {
    assert.throws(() => read(false)(text), {
      message: `not a number of seconds above 0 and up to 86400: "${text}"`,
    });
  }
});
