import assert from "node:assert/strict";
import { isPromise, toFailure } from "../../../runtime/actor/messaging.ts";

/** Values that throw when they are inspected. */
function touchy(): unknown[] {
  const refuse = () => {
    throw new Error("not to be looked at");
  };
  return [
    new Proxy({}, { get: refuse, getPrototypeOf: refuse, ownKeys: refuse }),
    Object.defineProperty(new Error("x"), "message", { get: refuse }),
    Object.assign(new Error("x"), { name: { toString: refuse } }),
    { [Symbol.for("Deno.customInspect")]: refuse },
  ];
}

Deno.test("toFailure converts any thrown value, and never throws", () => {
  const cases: [unknown, string, string][] = [
    [new RangeError("broken"), "RangeError", "broken"],
    [Object.assign(new Error("x"), { name: Symbol("odd"), message: 5 }), "Symbol(odd)", "5"],
    ["text", "Error", "text"],
    [undefined, "Error", "undefined"],
    [{ code: 5 }, "Error", "{ code: 5 }"],
  ];
  for (const [thrown, name, message] of cases) {
    const { stack, ...failure } = toFailure(thrown);
    assert.deepEqual(failure, { name, message });
    assert.equal(stack === undefined, !(thrown instanceof Error), `${message}: ${stack}`);
  }
  const long = new Error("x");
  long.stack = `Error: x\n${"    at f (a.ts:1:1)\n".repeat(1e5)}`;
  assert.ok(toFailure(long).stack!.length <= 4_000);
  for (const thrown of touchy()) {
    const { name, message } = toFailure(thrown);
    assert.deepEqual([typeof name, typeof message], ["string", "string"]);
  }
});

Deno.test("isPromise is true for what await waits for", () => {
  // deno-lint-ignore no-explicit-any
  const thenable: any = {};
  thenable["then"] = () => {};
  for (const promise of [Promise.resolve(), thenable]) assert.equal(isPromise(promise), true);
  for (const value of [undefined, null, 5, "then", {}, [], { then: 5 }, () => {}]) {
    assert.equal(isPromise(value), false);
  }
});
