import assert from "node:assert/strict";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

Deno.test("env known-servers adds, sets, lists and removes, and reports missing entries", async () => {
  using places = new TemporaryEnsemble();
  const path = `${places.gerbilPath}/ensemble/known-servers`;
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await places.run("env", "known-servers", ...args);
    return { code, stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
  };
  const unix = `(unix: "${Deno.hostname()}" "${places.socketDirectory}/registry")`;
  assert.deepEqual(await run("--add", "registry"), {
    code: 0,
    stdout: "",
    stderr: `... (registry ${unix}) in ${path}`,
  });
  // Concurrent changes of one server lose no address.
  const ports = ["tcp://a:1", "tcp://a:2"];
  await Promise.all(ports.map((address) => run("--add", "web1", address)));
  const { stdout } = await run();
  assert.ok(stdout.startsWith(`(registry ${unix})\n(web1 (tcp: "a:`), stdout);
  assert.equal(stdout.split("tcp:").length - 1, ports.length);
  const set = await run("--set", "web1", "tls://b:1", '(tcp: "b:2") tls://b:1');
  assert.equal(set.stderr, `... (web1 (tls: "b:1") (tcp: "b:2")) in ${path}`);
  assert.deepEqual(await run("--remove", "web1", "tcp://b:2", "tls://c:3"), {
    code: 1,
    stdout: "",
    stderr: `gxensemble: error: tls://c:3 is not an address of web1 in ${path}`,
  });
  assert.equal((await run("--remove", "web1")).stderr, `... web1 is no longer in ${path}`);
  assert.equal(Deno.readTextFileSync(path), `registry unix:${places.socketDirectory}/registry\n`);
});
