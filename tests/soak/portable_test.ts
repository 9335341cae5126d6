import assert from "node:assert/strict";
import { PortableHost } from "../cli/executables/portable_host.ts";

Deno.test("a portable executable with a full Deno is built reproducibly, and survives a race and damage", async () => {
  using host = new PortableHost({ deno: Deno.execPath() });
  await host.compile(`console.log("one");`);
  const bytes = await Deno.readFile(host.executable);
  await host.compile(`console.log("one");`);
  assert.deepEqual(await Deno.readFile(host.executable), bytes);

  const start = () => host.shell("./program");
  const expected = { code: 0, stdout: "one\n", stderr: "" };
  assert.deepEqual(await Promise.all([start(), start(), start()]), [expected, expected, expected]);
  assert.deepEqual(host.cached(), ["deno", "program"]);

  for (const length of [1_000_000, bytes.length / 2, bytes.length - 10]) {
    await Deno.remove(host.cache, { recursive: true });
    await Deno.writeFile(host.executable, bytes.subarray(0, length));
    const { code, stdout, stderr } = await start();
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" }, `${length} bytes`);
    assert.match(stderr, /is damaged/);
  }
});
