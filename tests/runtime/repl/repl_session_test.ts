import assert from "node:assert/strict";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { on } from "../../../runtime/actor/cases.ts";
import { parseServerId } from "../../../runtime/actor/references.ts";
import { client } from "../../../runtime/actor/service.ts";
import type { UnitStore } from "../../../runtime/code/unit_store.ts";
import { type ReplHandlers, startReplSession } from "../../../runtime/repl/repl_actor.ts";
import type { Declaration, Expansion } from "../../../runtime/repl/repl_scope.ts";
import { MAX_PREVIEW_LENGTH } from "../../../runtime/repl/shown_value.ts";

const MODULES = {
  namespace: () => undefined,
  libraries: () => [],
  importLibrary: () => Promise.reject(new Error("none")),
  restoreSources: (text: string) => text,
  commentBefore: () => undefined,
} as unknown as UnitStore;

/** The expansion of an input, as `cli/repl` makes it. */
function expansion(code: string, ...declarations: Declaration[]): Expansion {
  const text = `(function () { with (arguments[0]) return (function () {
    return async () => { "use strict"; ${code} }; })(); })`;
  return { text, declarations, imports: [] };
}

const A: Declaration = { name: "a", kind: "let" };

/** A server, and a session in it of an owner that collects what it is told. */
function open(actors = new ActorSystem(parseServerId("test"), { send: () => false })) {
  const output: string[] = [];
  const owner = actors.spawn(
    undefined,
    (self) => self.loop([on("output", ({ text }: { text: string }) => void output.push(text))]),
  );
  const actor = startReplSession(actors, { owner: owner.ref, store: MODULES, ensemble: actors });
  const session = client<ReplHandlers>(owner, actor.ref);
  let input = 0;
  const evaluate = (code: string, ...declarations: Declaration[]) =>
    session.evaluate({ input: ++input, expansion: expansion(code, ...declarations), preview: {} }, {
      timeout: Infinity,
    });
  return { actors, owner, actor, session, output, evaluate };
}

Deno.test("sessions do not see each other's names", async () => {
  const one = open();
  const other = open(one.actors);
  await one.evaluate("a = 1;", A);
  await other.evaluate("a = 2;", A);
  assert.deepEqual(await one.evaluate("return { value: a };"), { result: "1" });
  assert.deepEqual(await other.evaluate("return { value: a };"), { result: "2" });
  assert.equal("a" in globalThis, false);
  assert.equal(await one.session.isDefined({ name: "a" }), true);
  assert.equal(await one.session.isDefined({ name: "b" }), false);
  assert.equal(await one.session.isDefined({ name: "fetch" }), true);
});

Deno.test("an evaluation may take its time, and another be asked for meanwhile", async () => {
  const { evaluate, session } = open();
  const gate = Promise.withResolvers<string>();
  (globalThis as { replSessionTest?: unknown }).replSessionTest = gate.promise;
  const slow = evaluate("a = await replSessionTest; return { value: a };", A);
  assert.deepEqual(await evaluate("return { value: 2 };"), { result: "2" });
  await session.interrupt({ input: 1 });
  gate.resolve("late");
  assert.deepEqual(await slow, {});
  assert.deepEqual(await evaluate("return { value: _ };"), { result: "2" });
  assert.deepEqual(await evaluate("return { value: a };"), { result: '"late"' });
});

Deno.test("what evaluated code writes to the console goes to the owner", async () => {
  const { evaluate, output } = open();
  await evaluate('console.log("a", { b: 1 }); console.error("c"); console.info("x".repeat(1e6));');
  assert.deepEqual(output.slice(0, 2), ["a { b: 1 }", "c"]);
  const { length } = output[2]!;
  assert.ok(length <= MAX_PREVIEW_LENGTH && length > MAX_PREVIEW_LENGTH - 100, `${length}`);
});

Deno.test("a session ends with its owner, and is nobody else's", async () => {
  const { actors, owner, actor } = open();
  owner.exit();
  assert.equal(await actor.ended, undefined);
  assert.equal(actors.find(actor.serial), undefined);
});

Deno.test("an input that cannot be compiled is an outcome", async () => {
  const { evaluate } = open();
  const { error } = await evaluate("return )");
  assert.match(error!, /^Uncaught SyntaxError: /);
});
