import assert from "node:assert/strict";
import { LINUX, testWith } from "../requirements.ts";
import { TemporaryEnsemble } from "../temporary_ensemble.ts";

const OUTPUT = new URL("../../cli/output.ts", import.meta.url).href;

Deno.test("a reader that stops early does not make the command fail", async () => {
  using ensemble = new TemporaryEnsemble();
  // More than a pipe holds, so that the second half is written after the reader has gone.
  const program = `
    import { printLine, printNotice } from ${JSON.stringify(OUTPUT)};
    printLine("first");
    for (let line = 0; line < 20_000; line++) printLine("another line of the result");
    printNotice("done");
  `;
  const child = ensemble.command("eval", program).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assert.ok(new TextDecoder().decode(value).startsWith("first\n"));
  await reader.cancel();
  const stderr = await new Response(child.stderr).text();
  assert.deepEqual({ code: (await child.status).code, stderr }, { code: 0, stderr: "done\n" });
});

testWith([LINUX], {
  name: "an output that takes no more makes the command fail",
  async fn() {
    using ensemble = new TemporaryEnsemble();
    const shell = new Deno.Command("sh", {
      args: ["-c", '"$@" >/dev/full', "sh", ...ensemble.program, "help"],
      env: ensemble.environment,
    });
    const { code, stderr } = await shell.output();
    assert.equal(code, 1);
    assert.match(
      new TextDecoder().decode(stderr),
      /^gxensemble: error: the output cannot be written: No space left on device.*\n$/,
    );
  },
});
