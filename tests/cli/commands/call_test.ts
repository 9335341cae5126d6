import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import { on, onShutdown } from "../../../runtime/actor/cases.ts";
import type { HandlerContext } from "../../../runtime/actor/handler_context.ts";
import { InvalidInputError } from "../../../runtime/errors.ts";
import { LocalEnsemble } from "../../runtime/server/local_ensemble.ts";
import { commandsIn } from "../commands_in.ts";

/** Servers `a` and `b` with the service `counter`, and commands that find them. */
async function startCounters() {
  const ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  let unnamed: Actor | undefined;
  for (const id of ["a", "b"]) {
    const { actors } = await ensemble.start(id, { roles: ["counting"] });
    let total = 0;
    actors.serve("counter", {
      add({ amount }: { amount: unknown }) {
        if (typeof amount !== "number") throw new InvalidInputError("amount is no number");
        return total += amount;
      },
      reset: () => void (total = 0),
      show: (request: object) => request,
      fail() {
        throw new TypeError("a bug\nof two lines");
      },
      odd: () => ({ big: 2n ** 70n, bytes: new Uint8Array([1, 2]), map: new Map([[1, "x"]]) }),
      big: () => [2n ** 70n],
      bytes: () => ({ raw: new Uint8Array([1, 2]) }),
      control: () => "\x1b[2J",
      later: (_request: object, context: HandlerContext) => context.later,
    });
    actors.spawn("raw", (self: Actor) => self.loop([on("never", () => {}), onShutdown()]));
    unnamed = actors.spawn(
      undefined,
      (self: Actor) => self.loop([on("never", () => {}), onShutdown()]),
    );
  }
  const commands = commandsIn(ensemble);
  return {
    commands,
    /** An actor of `b` without a name. */
    unnamed: unnamed!.ref,
    call: (...args: string[]) => commands.run("call", ...args),
    async [Symbol.asyncDispose]() {
      commands[Symbol.dispose]();
      await ensemble[Symbol.asyncDispose]();
    },
  };
}

const printed = (stdout: string) => ({ code: 0, stdout, stderr: "" });

const failed = (message: string) => ({
  code: 1,
  stdout: "",
  stderr: `gxensemble: error: ${message}\n`,
});

Deno.test("call prints the answer of a service, with any form of arguments", async () => {
  await using running = await startCounters();
  const { call, commands } = running;
  assert.deepEqual(await call("counter@a", "add", "amount=3"), printed("3\n"));
  assert.deepEqual(await call("counter@a", "add", '{"amount": 4}'), printed("7\n"));
  const piped = await commands.runWithInput('{\n"amount": 5\n}\n', "call", "counter@a", "add", "-");
  assert.deepEqual(piped, printed("12\n"));
  assert.deepEqual(await call("counter@a", "reset"), printed(""));
  assert.deepEqual(await call("--json", "counter@a", "reset"), printed("null\n"));
  assert.deepEqual(
    await call("--json", "counter@a", "show", "a.b=1", "c-d=x=y", "__proto__=null"),
    printed('{"a.b":1,"c-d":"x=y","__proto__":null,"type":"show"}\n'),
  );
  assert.deepEqual(
    await call("counter@a", "show", "--", "--n=12345678901234567890"),
    printed('{ "--n": 12345678901234567890n, type: "show" }\n'),
  );
});

Deno.test("call shows answers that JSON cannot hold, and refuses them as JSON", async () => {
  await using running = await startCounters();
  const { call } = running;
  assert.deepEqual(
    await call("counter@a", "odd"),
    printed(
      "{\n  big: 1180591620717411303424n,\n  bytes: Uint8Array(2) [ 1, 2 ],\n" +
        '  map: Map(1) { 1 => "x" }\n}\n',
    ),
  );
  assert.deepEqual(
    await call("--json", "counter@a", "big"),
    failed('the value cannot be written as JSON: its "0" is 1180591620717411303424, a bigint'),
  );
  assert.deepEqual(
    await call("--json", "counter@a", "bytes"),
    failed('the value cannot be written as JSON: its "raw" is of the class Uint8Array'),
  );
  assert.deepEqual(await call("counter@a", "control"), printed('"\\x1b[2J"\n'));
});

Deno.test("call reports the failure of a handler with its code", async () => {
  await using running = await startCounters();
  const { call } = running;
  assert.deepEqual(
    await call("counter@a", "add", "amount=x"),
    failed("amount is no number (INVALID_INPUT)"),
  );
  assert.deepEqual(await call("counter@a", "fail"), failed("a bug\n  of two lines (FAILED)"));
  const late = await call("--timeout", "0.1", "counter@a", "later");
  assert.equal(late.code, 1);
  assert.match(late.stderr, /^gxensemble: error: no answer from counter@a to later within 100 ms/);
});

Deno.test("call suggests what is meant by an unknown actor, type or server", async () => {
  await using running = await startCounters();
  const { call } = running;
  assert.deepEqual(
    await call("countr@a", "add"),
    failed("unknown actor: countr@a; did you mean counter?"),
  );
  assert.deepEqual(await call("999@a", "add"), failed("unknown actor: 999@a"));
  assert.deepEqual(
    await call("counter@a", "adds"),
    failed(
      "unexpected message: adds; it takes add, big, bytes, control, fail, later, odd, reset, " +
        "show; did you mean add?",
    ),
  );
  // An actor that takes only some messages leaves the others in its mailbox.
  const late = await call("--timeout", "0.1", "raw@a", "adds");
  assert.match(late.stderr, /^gxensemble: error: no answer from raw@a to adds within 100 ms/);
  assert.match(
    (await call("counter@aa", "add")).stderr,
    /no server aa is registered; did you mean/,
  );
});

Deno.test("call reads standard input only as a JSON object", async () => {
  await using running = await startCounters();
  const { commands } = running;
  const call = (input: string) => commands.runWithInput(input, "call", "counter@a", "show", "-");
  assert.deepEqual(await call(""), failed("standard input is empty; it takes a JSON object"));
  assert.deepEqual(await call("[1]\n"), failed('standard input is not a JSON object: "[1]"'));
  assert.match((await call("{a:1}")).stderr, /^gxensemble: error: standard input is not JSON: /);
  assert.deepEqual(
    await call('{"type":"x"}'),
    failed('the message\'s type is given once, as "show"'),
  );
});

Deno.test("call asks the actors of a set of servers", async () => {
  await using running = await startCounters();
  const { call } = running;
  const both = (first: number, second: number) => printed(`a: ${first}\nb: ${second}\n`);
  assert.deepEqual(await call("counter@a,b", "add", "amount=1"), both(1, 1));
  assert.deepEqual(await call("counter@b,counter@a", "add", "amount=1"), printed("b: 2\na: 2\n"));
  assert.deepEqual(await call("--role", "counting", "counter", "add", "amount=1"), both(3, 3));
  assert.deepEqual(await call("counter", "add", "amount=1", "--all"), both(4, 4));
  const mixed = await call("--json", "counter@a,other@b", "add", "amount=1");
  assert.deepEqual(mixed.stdout.trimEnd().split("\n").map((line) => JSON.parse(line)), [
    { server: "a", result: 5 },
    { server: "b", error: "unknown actor: other@b", code: "UNKNOWN_ACTOR" },
  ]);
  assert.equal(mixed.code, 1);
});

Deno.test("tell sends a message and prints nothing", async () => {
  await using running = await startCounters();
  const { call, commands } = running;
  const tell = (...args: string[]) => commands.run("tell", ...args);
  assert.deepEqual(await tell("counter@a", "add", "amount=3"), printed(""));
  assert.deepEqual(await tell("--all", "counter", "add", "amount=1"), printed(""));
  assert.deepEqual(await call("counter@a", "add", "amount=0"), printed("4\n"));
  assert.deepEqual(await call("counter@b", "add", "amount=0"), printed("1\n"));
  // A message that fails is the actor's matter.
  assert.deepEqual(await tell("counter@a", "nosuch"), printed(""));
  assert.deepEqual(
    await tell("countr@a", "add"),
    failed("unknown actor: countr@a; did you mean counter?"),
  );
  assert.deepEqual(await tell("999@a", "add"), failed("unknown actor: 999@a"));
  const serial = running.unnamed.actor;
  assert.equal(typeof serial, "number");
  assert.deepEqual(await tell(`${serial}@b`, "never"), printed(""));
  assert.match((await tell("counter@nosuch", "add")).stderr, /no server nosuch is registered/);
});
