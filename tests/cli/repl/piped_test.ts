import assert from "node:assert/strict";
import { pipeLines } from "../../e2e/repl_process.ts";
import { HostileEnsemble } from "../hostile_ensemble.ts";

Deno.test("a script whose last input is not complete fails", async () => {
  await using ensemble = await HostileEnsemble.start();
  assert.deepEqual(await pipeLines(ensemble.places, ["rogue"], ["[", "1,"]), {
    code: 1,
    stdout: "",
    stderr: "gxensemble: error: the last input is not complete\n" +
      "gxensemble: error: 1 input failed\n",
  });
});

Deno.test("a program that writes a line and waits for the answer gets it", async () => {
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
