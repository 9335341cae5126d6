import assert from "node:assert/strict";
import {
  actorsShare,
  DEFAULT_GRACE,
  parseSeconds,
  requireGrace,
} from "../../../runtime/ensemble/start_options.ts";
import { InvalidInputError } from "../../../runtime/errors.ts";

Deno.test("actorsShare leaves 2 s of the grace to the program, or half of a short one", () => {
  for (
    const [grace, share] of [
      [DEFAULT_GRACE, 3000],
      [60_000, 58_000],
      [4000, 2000],
      [1000, 500],
      [0, 0],
      [Infinity, Infinity],
    ] as const
  ) assert.equal(actorsShare(grace), share);
});

Deno.test("requireGrace refuses what is no time", () => {
  for (const grace of [0, 1.5, Infinity]) assert.equal(requireGrace(grace), grace);
  for (const grace of [-1, NaN, "5", null, undefined]) {
    assert.throws(() => requireGrace(grace as number), InvalidInputError);
  }
});

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
