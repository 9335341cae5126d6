import assert from "node:assert/strict";
import {
  actorsShare,
  checkStartOptions,
  DEFAULT_GRACE,
  requireGrace,
} from "../../../runtime/ensemble/start_options.ts";
import { InvalidInputError } from "../../../runtime/errors.ts";

Deno.test("actorsShare leaves the program 2 s of the grace, or half of a short one", () => {
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

Deno.test("requireGrace refuses anything but a duration", () => {
  for (const grace of [0, 1.5, Infinity]) assert.equal(requireGrace(grace), grace);
  for (const grace of [-1, NaN, "5", null, undefined]) {
    assert.throws(() => requireGrace(grace as number), InvalidInputError);
  }
});

Deno.test("checkStartOptions refuses roles and heartbeats that are not valid", () => {
  checkStartOptions({});
  checkStartOptions({ roles: ["web"], heartbeat: { interval: 10, timeout: 30 } });
  const invalid = [
    { roles: "web" },
    { roles: [5] },
    { roles: [""] },
    { heartbeat: {} },
    { heartbeat: { interval: -1, timeout: 5 } },
    { heartbeat: { interval: 5, timeout: 5 } },
    { heartbeat: { interval: 2 ** 31, timeout: Infinity } },
  ];
  for (const options of invalid) {
    assert.throws(
      () => checkStartOptions(options as never),
      InvalidInputError,
      Deno.inspect(options),
    );
  }
});
