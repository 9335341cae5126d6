import assert from "node:assert/strict";
import type { ImportResolver } from "../../../cli/repl/import_resolver.ts";
import { RemoteSession } from "../../../cli/repl/remote_session.ts";
import { Repl } from "../../../cli/repl/repl.ts";
import { loaderHandlers } from "../../../runtime/code/loader.ts";
import { loaderChecks } from "../../../runtime/code/loader_requests.ts";
import { UnitStore } from "../../../runtime/code/unit_store.ts";
import { eventually } from "../../runtime/server/captured_logs.ts";
import { LocalEnsemble } from "../../runtime/server/local_ensemble.ts";

/** What a REPL printed: how, and what. */
type Printed = [kind: "line" | "value" | "error", text: string];

/** Opens a REPL in a server of this process, and hands it to a test with what it prints. */
async function withRepl(test: (repl: Repl, printed: Printed[]) => Promise<void>): Promise<void> {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const server = await ensemble.start("target");
  const store = await UnitStore.open(`${ensemble.directory}/loader.d`);
  server.actors.serve("loader", loaderHandlers(store, server), { requests: loaderChecks });
  const { actors } = await ensemble.startConsole();
  const printed: Printed[] = [];
  const session = await RemoteSession.open(actors, {
    server: server.id,
    resolver: {} as ImportResolver,
    preview: {},
    elevating: (work) => work(),
    onOutput: () => {},
    onLost: () => {},
  });
  const repl = new Repl({
    actors,
    server: server.id,
    session,
    libraryPrefix: [],
    elevating: (_capability, work) => work(),
    print: (line) => printed.push(["line", line]),
    printValue: (text) => printed.push(["value", text]),
    printError: (text) => printed.push(["error", text]),
  });
  await test(repl, printed);
}

Deno.test("a REPL prints values as values, errors as errors, and what control commands say as lines", () =>
  withRepl(async (repl, printed) => {
    assert.equal(await repl.enter("1 + 1"), "done");
    assert.equal(await repl.enter("undefined"), "done");
    assert.equal(await repl.enter("  "), "done");
    assert.equal(await repl.enter("throw 'a'"), "failed");
    assert.equal(await repl.enter(" ,(defined? fetch)"), "done");
    assert.equal(await repl.enter(",(nosuch)"), "failed");
    assert.equal(await repl.enter(",q"), "quit");
    assert.deepEqual(printed, [
      ["value", "2"],
      ["error", 'Uncaught "a"'],
      ["line", "true"],
      ["error", "gxensemble: error: there is no control command ,nosuch: ,help lists them"],
    ]);
  }));

Deno.test("a REPL collects the lines of an input, and what is left at the end is an error", () =>
  withRepl(async (repl, printed) => {
    assert.equal(await repl.enter("["), "incomplete");
    assert.equal(repl.isIncomplete, true);
    // Within an input these are lines of it.
    assert.equal(await repl.enter(""), "incomplete");
    assert.equal(await repl.enter(",2"), "incomplete");
    assert.equal(await repl.enter("]"), "done");
    assert.equal(repl.end(), "done");
    assert.equal(await repl.enter("function f() {"), "incomplete");
    assert.equal(await repl.enter("const a = ;"), "failed");
    assert.equal(repl.isIncomplete, false);
    assert.equal(await repl.enter("{"), "incomplete");
    assert.equal(repl.end(), "failed");
    assert.equal(repl.end(), "done");
    assert.equal(await repl.enter("3"), "done");
    const [first, second, ...rest] = printed;
    assert.deepEqual(first, ["value", "[ <1 empty item>, 2 ]"]);
    assert.match(second![1], /^Uncaught SyntaxError: Expression expected \(2:11\)\n/);
    assert.deepEqual(rest, [
      ["error", "gxensemble: error: the last input is not complete"],
      ["value", "3"],
    ]);
  }));

Deno.test("what is interrupted is no longer the last result when it ends", () =>
  withRepl(async (repl, printed) => {
    await repl.enter("'kept'");
    const waiting = repl.enter(
      "await new Promise((resolve) => { globalThis.endReplTest = resolve })",
    );
    await eventually(() => "endReplTest" in globalThis, "the server evaluates it");
    repl.interrupt();
    assert.equal(await waiting, "failed");
    printed.length = 0;
    await repl.enter("endReplTest('late'); await new Promise((r) => setTimeout(r, 1)); _");
    assert.deepEqual(printed, [["value", '"kept"']]);
  }));

Deno.test("interrupt stops the waiting or forgets the input, and says whether there was either", () =>
  withRepl(async (repl, printed) => {
    assert.equal(repl.interrupt(), false);
    assert.equal(await repl.enter("("), "incomplete");
    assert.equal(repl.interrupt(), true);
    assert.equal(repl.isIncomplete, false);
    const waiting = repl.enter("await new Promise(() => {})");
    assert.equal(repl.interrupt(), true);
    assert.equal(await waiting, "failed");
    assert.equal(await repl.enter("4"), "done");
    assert.equal(repl.interrupt(), false);
    assert.deepEqual(printed, [
      ["error", "interrupted: target may still be busy with it"],
      ["value", "4"],
    ]);
  }));
