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
