import assert from "node:assert/strict";
import { LocalEnsemble } from "../../runtime/server/local_ensemble.ts";
import { commandsIn } from "../commands_in.ts";

/** A server `a` that answers with the expressions that it gets. */
async function startEcho() {
  const ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await ensemble.start("a", {
    prepare: ({ actors }) =>
      void actors.serve("loader", { evaluate: ({ expression }) => expression }),
  });
  const commands = commandsIn(ensemble);
  return {
    commands,
    async [Symbol.asyncDispose]() {
      commands[Symbol.dispose]();
      await ensemble[Symbol.asyncDispose]();
    },
  };
}

Deno.test("eval reads its expression from standard input, or from a file", async () => {
  await using running = await startEcho();
  const { commands } = running;
  const lines = "ensemble.connections()\n  .length";
  const file = `${commands.directory}/report.js`;
  await Deno.writeTextFile(file, `\n${lines};\n`);
  const expected = { code: 0, stdout: `${lines}\n`, stderr: "" };
  assert.deepEqual(await commands.runWithInput(`${lines}\n`, "eval", "a", "-"), expected);
  assert.deepEqual(await commands.runWithInput(lines, "eval", "--file", "-", "a"), expected);
  assert.deepEqual(await commands.run("eval", "a", "--file", file), expected);
  assert.deepEqual(await commands.run("eval", "--all", "--file", file), {
    ...expected,
    stdout: "a: ensemble.connections()\na:   .length\n",
  });
});

Deno.test("eval explains an expression that cannot be read", async () => {
  await using running = await startEcho();
  const { commands } = running;
  const error = (text: string) => ({ code: 1, stdout: "", stderr: `gxensemble: error: ${text}\n` });
  assert.deepEqual(
    await commands.runWithInput(" \n;", "eval", "a", "-"),
    error("standard input contains no expression"),
  );
  assert.deepEqual(
    await commands.runWithInput(new Uint8Array([0x22, 0xff, 0x22]), "eval", "a", "-"),
    error("cannot read standard input: it is not UTF-8"),
  );
  const nosuch = `${commands.directory}/nosuch.js`;
  assert.deepEqual(
    await commands.run("eval", "a", "--file", nosuch),
    error(`cannot read ${nosuch}: No such file or directory`),
  );
  assert.match(
    (await commands.run("eval", "a", "--file", commands.directory)).stderr,
    /^gxensemble: error: cannot read .*: Is a directory\n$/,
  );
});
