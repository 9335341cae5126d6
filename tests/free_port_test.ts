import assert from "node:assert/strict";
import { freePort } from "./free_port.ts";

/** Prints a port, and ends when its standard input ends. */
const CHOOSER = `
  import { freePort } from ${JSON.stringify(new URL("./free_port.ts", import.meta.url).href)};
  console.log(freePort());
  for await (const _ of Deno.stdin.readable);
`;

Deno.test("freePort differs between processes, and from call to call, before anything listens", async () => {
  const ports = [freePort(), freePort()];
  const choosers = Array.from({ length: 2 }, () =>
    new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", CHOOSER],
      stdin: "piped",
      stdout: "piped",
    }).spawn());
  for (const chooser of choosers) {
    const reader = chooser.stdout.getReader();
    const port = Number(new TextDecoder().decode((await reader.read()).value));
    ports.push(port);
    reader.releaseLock();
  }
  for (const chooser of choosers) {
    await chooser.stdin.close();
    await chooser.stdout.cancel();
    assert.equal((await chooser.status).code, 0);
  }
  assert.equal(new Set(ports).size, 4, String(ports));
  // This process and the two others each have a block of 100.
  assert.equal(new Set(ports.map((port) => Math.floor(port / 100))).size, 3, String(ports));
});

Deno.test("freePort passes over a port on which something listens", () => {
  const first = freePort();
  using _busy = Deno.listen({ hostname: "127.0.0.1", port: first + 1 });
  assert.equal(freePort(), first + 2);
});
