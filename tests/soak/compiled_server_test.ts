import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { pipeLines } from "../e2e/repl_process.ts";
import { RunningEnsemble } from "../e2e/running_ensemble.ts";
import { freePort } from "../free_port.ts";

const HTTPD = fileURLToPath(new URL("../../examples/httpd/httpd_exe.ts", import.meta.url));

Deno.test("gxensemble compile makes a server in one file that joins the ensemble, and accepts load and a REPL", async () => {
  await using ensemble = await RunningEnsemble.start();
  const output = `${ensemble.places.directory}/httpd-exe`;
  const [made, hash] = await ensemble.lines("compile", "--portable", "-o", output, HTTPD);
  assert.match(made!, /^\.\.\. compiled \/.*httpd-exe \(portable, \d+ bytes\)$/);
  assert.match(hash!, /^[0-9a-f]{64}$/);
  const port = String(freePort());
  const server = ensemble.spawnProgram(output, "httpd3", port);
  await server.until(() => ensemble.answers("httpd3"), "reached");
  const handler = HTTPD.replace("httpd_exe.ts", "handler.ts");
  const loaded = await ensemble.lines("load", "httpd3", handler);
  assert.equal(loaded[0], "... loading library module examples/httpd/httpd.ts");
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await response.text(), "the world is not flat but round!\n");
  const typed = await pipeLines(ensemble.places, ["httpd3"], [
    ",(import examples/httpd/handler.ts)",
    'setGreeting("hello, i am httpd3 and i am a binary executable\\n")',
    ",(import examples/httpd/httpd.ts)",
    'registerHandler(currentHttpServer(), "/greeting", writeSimpleHandler)',
  ]);
  assert.deepEqual(typed, { code: 0, stdout: "", stderr: "" });
  const greeting = await fetch(`http://127.0.0.1:${port}/greeting`);
  assert.equal(await greeting.text(), "hello, i am httpd3 and i am a binary executable\n");
  assert.match(await ensemble.failure("compile", `${HTTPD}.nosuch`), /^no such file: /);
  assert.match(
    await ensemble.failure("compile", "-o", output, await ensemble.write("bad.ts", "const = 1;")),
    /^cannot bundle .*bad\.ts: /,
  );
  await ensemble.lines("shutdown", "-f", "httpd3");
  assert.equal(await server.exit(), 0);
});
