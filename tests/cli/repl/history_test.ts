import assert from "node:assert/strict";
import { History, MAX_HISTORY } from "../../../cli/repl/history.ts";

async function withFile(test: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(`${directory}/history`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("lines are kept for the next session, each once in a row, for the owner alone", () =>
  withFile(async (path) => {
    const history = await History.open(path);
    assert.deepEqual(history.lines, []);
    for (const line of ["a", "a", "  ", "b", "a"]) await history.add(line);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    const next = await History.open(path);
    assert.deepEqual(next.lines, ["a", "b", "a"]);
    await next.add("a");
    assert.deepEqual((await History.open(path)).lines, ["a", "b", "a"]);
  }));

Deno.test("the oldest lines go when there are too many", () =>
  withFile(async (path) => {
    const lines = Array.from({ length: MAX_HISTORY + 5 }, (_, line) => `${line}`);
    await Deno.writeTextFile(path, lines.join("\n"), { mode: 0o600 });
    assert.deepEqual((await History.open(path)).lines, lines.slice(5));
    assert.equal((await Deno.readTextFile(path)).split("\n").length, MAX_HISTORY + 1);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  }));

Deno.test("without a place for it there is no history, and no failure", () =>
  withFile(async (path) => {
    await Deno.writeTextFile(path, "");
    const history = await History.open(`${path}/history`);
    await history.add("a");
    assert.deepEqual(history.lines, []);
  }));

Deno.test("a history that others could read is for its owner alone once it is opened", () =>
  withFile(async (path) => {
    await Deno.writeTextFile(path, "secret\n");
    await Deno.chmod(path, 0o644);
    assert.deepEqual((await History.open(path)).lines, ["secret"]);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  }));
