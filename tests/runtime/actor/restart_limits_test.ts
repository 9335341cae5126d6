import assert from "node:assert/strict";
import { RestartCount, RestartDelay } from "../../../runtime/actor/restart_limits.ts";

Deno.test("RestartCount allows so many restarts in any stretch of time", () => {
  let now = 0;
  const count = new RestartCount({ restarts: 2, within: 100 }, () => now);
  const at = (time: number) => {
    now = time;
    return count.add();
  };
  assert.deepEqual([0, 50, 101, 151, 252].map(at), [true, true, true, true, true]);
  assert.deepEqual([260, 261].map(at), [true, false]);
});

Deno.test("RestartCount allows none, or any number", () => {
  assert.equal(new RestartCount({ restarts: 0, within: 1 }).add(), false);
  const endless = new RestartCount({ restarts: Infinity, within: 1 });
  for (let i = 0; i < 100; i++) assert.ok(endless.add());
});

Deno.test("RestartDelay doubles up to its longest, and begins anew after a long run", () => {
  const delay = new RestartDelay({ initial: 100, max: 700 });
  assert.deepEqual([0, 1, 699, 5, 5].map((age) => delay.next(age)), [100, 200, 400, 700, 700]);
  assert.deepEqual([700, 0].map((age) => delay.next(age)), [100, 200]);
  assert.equal(new RestartDelay(undefined).next(0), 0);
});
