import assert from "node:assert/strict";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { on, onShutdown } from "../../../runtime/actor/cases.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { client } from "../../../runtime/actor/service.ts";
import { UnitStore } from "../../../runtime/code/unit_store.ts";
import { serveLoader } from "../../../runtime/ensemble/loader.ts";
import { controlClient } from "../../../runtime/ensemble/remote.ts";
import type { Declaration, Expansion, ReplHandlers } from "../../../runtime/repl/repl_protocol.ts";
import { startReplSession } from "../../../runtime/repl/repl_session.ts";
import { MAX_PREVIEW_LENGTH } from "../../../runtime/repl/shown_value.ts";
import { AdministeredEnsemble } from "../server/administered_ensemble.ts";
import { eventually } from "../server/captured_logs.ts";
import { LocalEnsemble } from "../server/local_ensemble.ts";

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

/** A server with a session, whose owner collects the messages that it receives. */
function open(actors = new ActorSystem("test")) {
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

Deno.test("a session accepts a request while an evaluation runs", async () => {
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

Deno.test("output of evaluated code goes to the owner", async () => {
  const { evaluate, output } = open();
  await evaluate('console.log("a", { b: 1 }); console.error("c"); console.info("x".repeat(1e6));');
  assert.deepEqual(output.slice(0, 2), ["a { b: 1 }", "c"]);
  const { length } = output[2]!;
  assert.ok(length <= MAX_PREVIEW_LENGTH && length > MAX_PREVIEW_LENGTH - 100, `${length}`);
});

Deno.test("a session ends with its owner, and answers only the owner", async () => {
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

Deno.test("a session answers only its owner, and ends only with it", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [target, owner, other] = await Promise.all([
    ensemble.start("target"),
    ensemble.start("owner"),
    ensemble.start("other"),
  ]);
  const store = await UnitStore.open(`${ensemble.directory}/loader.d`);
  const opener = owner.actors.spawn("opener", (self) => self.loop([onShutdown()]));
  const session = startReplSession(target.actors, { owner: opener.ref, store, ensemble: target });
  const ref = new ActorRef(target.id, session.serial);
  const request = { type: "isDefined", name: "globalThis" };
  await assert.rejects(other.actors.ask(ref, request), {
    remoteName: "NotAuthorizedError",
    message: "this session is opener@owner's",
  });
  other.actors.tell(ref, { type: "down", monitor: 0, ref: opener.ref });
  await other.actors.ask(ref, { type: "down", monitor: 0, ref: opener.ref });
  assert.equal(await owner.actors.ask(ref, request), true);
  opener.exit();
  await eventually(() => session.activity === "dead", "it ends with its owner");
});

Deno.test("the guard of the loader also wraps the handlers of its sessions", async () => {
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const [target, owner] = await Promise.all([ensemble.start("target"), ensemble.start("owner")]);
  const store = await UnitStore.open(`${ensemble.directory}/loader.d`);
  serveLoader(target, { store });
  const refused = { remoteName: "NotAuthorizedError" };
  const opener = owner.actors.spawn("opener", (self) => self.loop([onShutdown()]));
  const open = () => opener.ask<number>(new ActorRef(target.id, "loader"), { type: "openSession" });
  await assert.rejects(open(), refused);

  const control = controlClient(target.actors, target.id);
  await control.authorize({ server: owner.id, capabilities: ["loader"] });
  const session = new ActorRef(target.id, await open());
  const look = () => opener.ask(session, { type: "isDefined", name: "globalThis" });
  assert.equal(await look(), true);
  await control.retract({ server: owner.id });
  await assert.rejects(look(), refused);
  const expansion = { text: "1", declarations: [], imports: [] };
  const evaluate = { type: "evaluate", input: 1, expansion, preview: {} };
  await assert.rejects(opener.ask(session, evaluate), refused);
});
