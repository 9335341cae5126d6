import assert from "node:assert/strict";
import { logStrayErrors } from "../../../runtime/ensemble/stray_errors.ts";
import { CapturedLogs } from "../server/captured_logs.ts";

/** Lets the runtime say that nobody handles an error; gives whether that was taken. */
function throwNowhere(error: unknown): boolean {
  return !dispatchEvent(new ErrorEvent("error", { error, cancelable: true }));
}

function rejectNowhere(reason: unknown): boolean {
  const promise = Promise.resolve();
  const event = new PromiseRejectionEvent("unhandledrejection", {
    reason,
    promise,
    cancelable: true,
  });
  return !dispatchEvent(event);
}

Deno.test("logStrayErrors logs what nobody handles, and keeps the process from ending", async () => {
  using logs = await CapturedLogs.start();
  {
    using _errors = logStrayErrors();
    const error = new RangeError("broken");
    error.stack = "RangeError: broken\n    at somewhere";
    assert.ok(throwNowhere(error));
    assert.ok(rejectNowhere({ code: 5 }));
  }
  assert.deepEqual(logs.lines, [
    "ERROR server: uncaught error: broken\n    RangeError: broken\n        at somewhere",
    "ERROR server: unhandled rejection: { code: 5 }",
  ]);
});

Deno.test("logStrayErrors logs values that do not let themselves be looked at, and shortens others", async () => {
  using logs = await CapturedLogs.start();
  {
    using _errors = logStrayErrors();
    const refuse = () => {
      throw new Error("not to be looked at");
    };
    assert.ok(rejectNowhere(new Proxy({}, { get: refuse, getPrototypeOf: refuse })));
    assert.ok(rejectNowhere(new Error("x".repeat(1_000_000))));
  }
  assert.match(logs.lines[0]!, /unhandled rejection: something that cannot be shown$/);
  assert.ok(logs.lines[1]!.length < 22_000);
});

Deno.test("logStrayErrors says how many lines it left out of an error over and over, and logs others", async () => {
  using logs = await CapturedLogs.start();
  {
    using _errors = logStrayErrors();
    for (let i = 0; i < 1000; i++) rejectNowhere("again");
    rejectNowhere("another");
  }
  assert.equal(logs.matching(/ERROR .* "again"$/).length, 5);
  assert.equal(logs.matching(/ERROR .* "another"$/).length, 1);
  assert.deepEqual(logs.matching(/WARN/), [
    'WARN server: 995 more lines were left out: unhandled rejection: "again" of this program',
  ]);
});
