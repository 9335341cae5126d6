import assert from "node:assert/strict";
import { History, MAX_INPUTS, MAX_SIZE } from "../../../../cli/repl/editor/history.ts";

async function withFile(test: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(`${directory}/history`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function inputsIn(path: string): Promise<readonly string[]> {
  return (await History.open(path)).inputs;
}

Deno.test("History keeps inputs for the next session, without adjacent duplicates, readable only by the owner", () =>
  withFile(async (path) => {
    const history = await History.open(path);
    assert.deepEqual(history.inputs, []);
    for (const input of ["a", "a", "  ", "b", "a\n", "a"]) await history.add(input);
    assert.deepEqual(history.inputs, ["a", "b", "a"]);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    const next = await History.open(path);
    assert.deepEqual(next.inputs, ["a", "b", "a"]);
    await next.add("a");
    assert.deepEqual(await inputsIn(path), ["a", "b", "a"]);
  }));

Deno.test("History keeps an input of several lines as one entry", () =>
  withFile(async (path) => {
    const history = await History.open(path);
    const inputs = ["function f() {\n\treturn 1\n}", "`\\n\n\n`", "[\n日本\n]", "one"];
    for (const input of inputs) await history.add(input);
    assert.deepEqual(await inputsIn(path), inputs);
    assert.equal((await Deno.readTextFile(path)).split("\n").length, inputs.length + 1);
  }));

Deno.test("History reads each line of a plain file as an input", () =>
  withFile(async (path) => {
    await Deno.writeTextFile(path, "const a = 1\nfunction f() {\n  return a }\n\n,(help)\r\n");
    assert.deepEqual(await inputsIn(path), [
      "const a = 1",
      "function f() {",
      "  return a }",
      ",(help)",
    ]);
  }));

Deno.test("History drops the oldest inputs when there are too many or they are too long", () =>
  withFile(async (path) => {
    const lines = Array.from({ length: MAX_INPUTS + 5 }, (_, line) => `${line}`);
    await Deno.writeTextFile(path, lines.join("\n"), { mode: 0o600 });
    assert.deepEqual(await inputsIn(path), lines.slice(5));
    assert.equal((await Deno.readTextFile(path)).split("\n").length, MAX_INPUTS + 1);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    const history = await History.open(path);
    await history.add("x".repeat(MAX_SIZE - 100));
    await history.add("y".repeat(MAX_SIZE + 1));
    await history.add("last");
    const kept = await inputsIn(path);
    assert.deepEqual([kept.length < 50, kept.at(-1)], [true, "last"]);
    assert.equal((await Deno.stat(path)).size <= MAX_SIZE, true);
  }));

Deno.test("History loses no input of concurrent sessions, even when one of them drops old inputs", () =>
  withFile(async (path) => {
    const old = Array.from({ length: MAX_INPUTS + 1 }, (_, line) => `old ${line}`);
    await Deno.writeTextFile(path, old.join("\n") + "\n");
    const histories = await Promise.all(Array.from({ length: 4 }, () => History.open(path)));
    await Promise.all(histories.map(async (history, session) => {
      for (let input = 0; input < 20; input++) {
        await history.add(`session ${session}\ninput ${input}`);
        if (input % 5 === 0) await History.open(path);
      }
    }));
    const kept = await inputsIn(path);
    assert.equal(kept.length, MAX_INPUTS);
    for (let session = 0; session < 4; session++) {
      assert.deepEqual(
        kept.filter((input) => input.startsWith(`session ${session}\n`)),
        Array.from({ length: 20 }, (_, input) => `session ${session}\ninput ${input}`),
      );
    }
  }));

Deno.test("History keeps inputs only for the session when it has no file", () =>
  withFile(async (path) => {
    await Deno.writeTextFile(path, "");
    const history = await History.open(`${path}/history`);
    await history.add("a");
    assert.deepEqual(history.inputs, ["a"]);
    await new Deno.Command("mkfifo", { args: [`${path}.pipe`] }).output();
    const piped = await History.open(`${path}.pipe`);
    await piped.add("a");
    assert.deepEqual(piped.inputs, ["a"]);
  }));

Deno.test("History makes its file private", () =>
  withFile(async (path) => {
    await Deno.writeTextFile(path, "secret\n");
    await Deno.chmod(path, 0o644);
    assert.deepEqual(await inputsIn(path), ["secret"]);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  }));
