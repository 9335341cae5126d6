import assert from "node:assert/strict";
import { explainThrown, reportThrown } from "../../runtime/error_report.ts";

/** An error with a stack of these frames. */
function errorAt(message: string, frames: string[], options?: ErrorOptions): Error {
  const error = new Error(message, options);
  error.stack = [`Error: ${message}`, ...frames.map((frame) => `    at ${frame}`)].join("\n");
  return error;
}

const PROJECT = new URL("../../", import.meta.url).href;
const RUNTIME = `${PROJECT}runtime/`;

Deno.test("reportThrown shows the frames of the user's code and of the code it called", () => {
  const error = errorAt("no", [
    "JSON.parse (<anonymous>)",
    "f (repl:a/1:1:5)",
    "Array.map (<anonymous>)",
    `ReplSession.evaluate (${RUNTIME}code/repl_session.ts:1:1)`,
    "new Promise (<anonymous>)",
    `callMain (${PROJECT}cli/executables/run_program.ts:1:1)`,
    `async runSingleCommand (${PROJECT}cli/kit/command_line.ts:1:1)`,
    "async Command.parseAsync (file:///cache/npm/registry.npmjs.org/commander/15.1.0/lib/command.js:1:1)",
    "async node:internal/timers:1:1",
    "f (ext:core/01_core.js:1:1)",
    "async file:///home/me/handler.ts:3:4",
  ]);
  assert.equal(
    reportThrown(error),
    "Error: no\n    at JSON.parse (<anonymous>)\n    at f (repl:a/1:1:5)\n" +
      "    at async file:///home/me/handler.ts:3:4",
  );
});

Deno.test("reportThrown shows the runtime's frames when there are no others", () => {
  const error = errorAt("no", [`f (${RUNTIME}actor/actor.ts:1:1)`, "g (ext:core/01_core.js:1:1)"]);
  assert.equal(reportThrown(error), error.stack);
});

Deno.test("reportThrown shows causes, collected errors and properties", () => {
  const cause = errorAt("inner", ["g (repl:a/1:2:3)"], { cause: { code: 7 } });
  const error = Object.assign(errorAt("outer", [], { cause }), { status: 500 });
  assert.equal(
    reportThrown(error),
    "Error: outer\n    { status: 500 }\n" +
      "Caused by: Error: inner\n    at g (repl:a/1:2:3)\nCaused by: { code: 7 }",
  );
  const all = new AggregateError([errorAt("one", []), 2], "both");
  all.stack = "AggregateError: both";
  assert.equal(reportThrown(all), "AggregateError: both\n    Error: one\n    2");
});

Deno.test("reportThrown describes any thrown value", () => {
  const throws = new Proxy({}, {
    getPrototypeOf() {
      throw new Error("not me");
    },
  });
  const circular = errorAt("round", []);
  circular.cause = circular;
  assert.equal(reportThrown(undefined), "undefined");
  assert.equal(reportThrown({ a: 1 }), "{ a: 1 }");
  assert.equal(reportThrown(throws), "something that cannot be shown");
  assert.match(reportThrown(circular), /^Error: round\nCaused by: Error: round\n/);
  assert.ok(reportThrown("x".repeat(1e6)).length < 110_000);
});

Deno.test("reportThrown shows part of a long chain of causes, and of many errors", () => {
  const chain = (length: number): Error =>
    errorAt(`${length}`, [], length > 0 ? { cause: chain(length - 1) } : {});
  const causes = reportThrown(chain(30)).split("\n");
  assert.equal(causes.length, 21);
  assert.equal(causes.at(-1), "Caused by: Error: 10");
  const crowd = new AggregateError(Array.from({ length: 100 }, (_, n) => errorAt(`${n}`, [])), "");
  crowd.stack = "AggregateError";
  assert.equal(reportThrown(crowd).split("\n").length, 21);
});

Deno.test("reportThrown cuts a long message", () => {
  const { length } = reportThrown(new Error("x".repeat(1e6)));
  assert.ok(length > 50_000 && length < 110_000, `${length}`);
});

Deno.test("explainThrown describes a thrown value, its members and its causes", () => {
  const cause = new TypeError("no stock", { cause: { code: 7 } });
  const error = new AggregateError([new RangeError("one"), "two"], "both failed", { cause });
  assert.deepEqual(explainThrown(error).split("\n"), [
    "both failed",
    "    RangeError: one",
    '    "two"',
    "Caused by: TypeError: no stock",
    "Caused by: { code: 7 }",
  ]);
  assert.equal(explainThrown(new Error("several\nlines")), "several\nlines");
  const handedOn = new Error("no stock", { cause: new TypeError("no stock", { cause: "rain" }) });
  assert.equal(explainThrown(handedOn), 'no stock\nCaused by: "rain"');
  const wide = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`key${n}`, n]));
  assert.equal(explainThrown(wide).match(/key7\b/g)?.length, 1);
});

Deno.test("explainThrown and reportThrown always end, and never throw", () => {
  const refuse = () => {
    throw new Error("not to be looked at");
  };
  const round = new AggregateError([], "x".repeat(1e6));
  round.errors = Array.from({ length: 100 }, () => round);
  round.cause = round;
  const hostile = new Proxy(new Error(), { get: refuse });
  const holder = new AggregateError([hostile, new Proxy({}, { getPrototypeOf: refuse })], "both");
  for (
    const thrown of [round, hostile, holder, Object.assign(new Error("x"), { cause: hostile })]
  ) {
    for (const text of [explainThrown(thrown), reportThrown(thrown)]) {
      assert.ok(text.length > 0 && text.length < 210_000, `${text.length}`);
    }
  }
});
