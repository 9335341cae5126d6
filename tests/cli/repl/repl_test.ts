import assert from "node:assert/strict";
import type { ImportResolver } from "../../../cli/repl/import_resolver.ts";
import { RemoteSession } from "../../../cli/repl/remote_session.ts";
import { Repl } from "../../../cli/repl/repl.ts";
import { UnitStore } from "../../../runtime/code/unit_store.ts";
import { serveLoader } from "../../../runtime/ensemble/loader.ts";
import { pipeLines } from "../../e2e/repl_process.ts";
import { eventually } from "../../runtime/server/captured_logs.ts";
import { LocalEnsemble } from "../../runtime/server/local_ensemble.ts";
import { HostileEnsemble } from "../hostile_ensemble.ts";

/** The output of a REPL, and the method that printed it. */
type Printed = [kind: "line" | "value" | "error", text: string];

/** Opens a REPL on a server of this process, and passes it to a test with its output. */
async function withRepl(test: (repl: Repl, printed: Printed[]) => Promise<void>): Promise<void> {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const server = await ensemble.start("target");
  const store = await UnitStore.open(`${ensemble.directory}/loader.d`);
  serveLoader(server, { store });
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

Deno.test("Repl prints values as values, errors as errors, and output of control commands as lines", () =>
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
      ["error", "gxensemble: error: no control command ,nosuch: see ,help"],
    ]);
  }));

Deno.test("Repl reports whether a text is incomplete", () =>
  withRepl(async (repl) => {
    const incomplete = ["[", "function f() {\n", "{ a: 1,", ",(defined? a)\nf(", "[\n,2", ".map(("];
    for (const text of incomplete) assert.equal(await repl.isIncomplete(text), true, text);
    const whole = ["", "  ", "1", ",(load", "a = 3.5e", ".map(f)", "[\n,2\n]"];
    for (const text of whole) assert.equal(await repl.isIncomplete(text), false, text);
  }));

Deno.test("Repl evaluates a text of several lines as one input, and locates its errors", () =>
  withRepl(async (repl, printed) => {
    assert.equal(await repl.enter("[\n\n,2\n]\n"), "done");
    assert.equal(await repl.enter("const words = 'a bc'\n  .split(' ')"), "done");
    assert.equal(await repl.enter("words\n  // Each\n  .map((word) => word.length)"), "done");
    assert.equal(await repl.enter("function f() {\nconst a = ;"), "failed");
    assert.equal(await repl.enter("{"), "failed");
    const [array, lengths, error, ...rest] = printed;
    assert.deepEqual([array, lengths], [["value", "[ <1 empty item>, 2 ]"], ["value", "[ 1, 2 ]"]]);
    assert.match(error![1], /^Uncaught SyntaxError: Expression expected \(2:11\)\n/);
    assert.deepEqual(rest, [["error", "gxensemble: error: the last input is not complete"]]);
  }));

Deno.test("Repl runs the control commands within a text in order, until one fails", () =>
  withRepl(async (repl, printed) => {
    const text = "const a = [\n1\n]\n,(defined? a)\na\n  .length\n,(defined? b) ; not yet\n";
    assert.equal(await repl.enter(text), "done");
    assert.equal(await repl.enter("1\n,(nosuch)\n2"), "failed");
    assert.equal(await repl.enter("3\n,q\n4"), "quit");
    assert.deepEqual(printed.map(([, text]) => text), [
      "true",
      "1",
      "false",
      "1",
      "gxensemble: error: no control command ,nosuch: see ,help",
      "3",
    ]);
  }));

Deno.test("Repl continues with the last result when a line begins with a dot", () =>
  withRepl(async (repl, printed) => {
    assert.equal(await repl.enter("['b', 'a']"), "done");
    assert.equal(await repl.enter("  .sort()"), "done");
    assert.equal(await repl.enter("?.at(0)"), "done");
    assert.equal(await repl.enter(".5"), "done");
    assert.equal(await repl.enter("const d = 1"), "done");
    assert.equal(await repl.enter(".toString()"), "failed");
    assert.equal(await repl.enter(".exit"), "failed");
    const texts = printed.map(([, text]) => text);
    assert.deepEqual(texts.slice(0, 4), ['[ "b", "a" ]', '[ "a", "b" ]', '"a"', "0.5"]);
    assert.match(texts[4]!, /the last input had none: enter the whole chain as one input/);
    assert.match(texts[5]!, /,q leaves/);
  }));

Deno.test("an interrupted input does not become the last result when it finishes", () =>
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

Deno.test("interrupt stops waiting, and returns whether an input was running", () =>
  withRepl(async (repl, printed) => {
    assert.equal(repl.interrupt(), false);
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

Deno.test("Repl refuses an input that is nested too deeply, and accepts the next", () =>
  withRepl(async (repl, printed) => {
    const reason = "expressions or blocks are nested too deep to be parsed";
    for (const deep of [`${"!".repeat(30_000)}1`, `${"[".repeat(20_000)}${"]".repeat(20_000)}`]) {
      assert.equal(await repl.enter(deep), "failed");
      const [kind, text] = printed.pop()!;
      assert.equal(kind, "error");
      assert.ok(text.startsWith(`Uncaught SyntaxError: ${reason} (1:1)\n`), text.slice(0, 200));
    }
    assert.equal(await repl.enter("const a: number = 41; a + 1"), "done");
    assert.deepEqual(printed, [["value", "42"]]);
  }));

Deno.test("a script fails if its last input is incomplete", async () => {
  await using ensemble = await HostileEnsemble.start();
  assert.deepEqual(await pipeLines(ensemble.places, ["rogue"], ["[", "1,"]), {
    code: 1,
    stdout: "",
    stderr: "gxensemble: error: the last input is not complete\n" +
      "gxensemble: error: 1 input failed\n",
  });
});

Deno.test("a program that writes a line and waits for the answer gets one", async () => {
  await using ensemble = await HostileEnsemble.start();
  const { environment, program: [program, ...args] } = ensemble.places;
  await using child = new Deno.Command(program!, {
    args: [...args, "repl", "rogue"],
    env: environment,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (const line of ["1\n", "f(\n2)\n"]) {
    await writer.write(new TextEncoder().encode(line));
    let answer = "";
    while (!answer.includes("result: 1")) {
      const { value, done } = await reader.read();
      assert.ok(!done, `it ended after ${line}`);
      answer += value;
    }
  }
  await writer.write(new TextEncoder().encode("3"));
  await writer.close();
  const rest = await Array.fromAsync({
    async *[Symbol.asyncIterator]() {
      for (let next; !(next = await reader.read()).done;) yield next.value;
    },
  });
  assert.match(rest.join(""), /result: 1/);
  assert.equal((await child.status).code, 0);
});
