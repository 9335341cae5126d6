import assert from "node:assert/strict";
import { InvalidInputError } from "../../runtime/errors.ts";
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSeconds,
  parseSize,
} from "../../runtime/measures.ts";

Deno.test("parseSeconds reads up to a day, fractions included", () => {
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

Deno.test("parseDuration reads a number with a unit, or of seconds, up to a maximum", () => {
  const day = 86_400_000;
  const texts = ["500ms", "2", "1.5s", ".5m", "10m", "24h", "1d"];
  assert.deepEqual(
    texts.map((text) => parseDuration(text, day)),
    [500, 2_000, 1_500, 30_000, 600_000, day, day],
  );
  for (const text of ["", "0s", "-1s", "10 m", "1w", "m", "1e3", "25h", "0.1ms", "1h30m"]) {
    assert.throws(() => parseDuration(text, day), {
      message: `not a duration up to 1d, such as 30s or 10m: ${JSON.stringify(text)}`,
    });
  }
  assert.throws(() => parseDuration("1d", 90_000), /^InvalidInputError: .* up to 90s, /);
});

Deno.test("formatDuration uses the largest unit that divides", () => {
  assert.deepEqual(
    [500, 90_000, 120_000, 5_400_000, 86_400_000, 0].map(formatDuration),
    ["500ms", "90s", "2m", "90m", "1d", "0s"],
  );
});

Deno.test("parseSize reads bytes, with powers of 1000 and of 1024, in a range", () => {
  const range = { least: 1, most: 2 ** 40 };
  const read = (text: string) => parseSize(text, range);
  assert.deepEqual(
    ["4096", "1kB", "1KiB", "1.5 MB", "512MiB", "1GiB", "2GB", "1TiB"].map(read),
    [4096, 1000, 1024, 1_500_000, 536_870_912, 2 ** 30, 2e9, 2 ** 40],
  );
  for (const text of ["", "0", "-1", "1M", "1mb", "MiB", "1 TiB 2", "2TiB", "1e3", "toString"]) {
    assert.throws(() => read(text), {
      name: "InvalidInputError",
      message: `not a size from 1B to 1TiB, such as 512MiB or 2GB: ${JSON.stringify(text)}`,
    }, text);
  }
});

Deno.test("formatSize uses the largest unit that divides", () => {
  assert.deepEqual(
    [100, 1000, 1024, 536_870_912, 2e9, 0].map(formatSize),
    ["100B", "1kB", "1KiB", "512MiB", "2GB", "0B"],
  );
});
