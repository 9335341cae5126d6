import assert from "node:assert/strict";
import { installAdministrator } from "./administrator.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

/** A server whose actor `deaf` takes no message, and whose event loop can be blocked. */
const WORKING = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = async () => {
    const server = currentServer();
    server.spawn("deaf", (self) => self.signal.aborted || new Promise((done) => {
      self.signal.addEventListener("abort", done);
    }));
    server.serve("work", {
      block({ ms }) {
        const end = performance.now() + ms;
        while (performance.now() < end);
      },
    });
    await server.stopped;
  };
`;

Deno.test("status shows all servers, the worst first, and all about one", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("a", ["--roles", "web"]);
  const b = await ensemble.startServer("b", ["--roles", "(db web)"], WORKING);
  const c = await ensemble.startServer("c");
  for (let i = 0; i < 3; i++) await ensemble.lines("tell", "deaf@b", "anything");
  await ensemble.lines("call", "work@b", "block", "ms=600");
  const rows = (lines: string[]) => lines.map((line) => line.split("\t"));
  // What has been late is so for a minute.
  const all = rows(await ensemble.lines("status"));
  assert.deepEqual(all.map(([id]) => id).toSorted(), ["a", "b", "c", "registry"]);
  assert.deepEqual(all[0]!.slice(0, 2), ["b", "up"]);
  assert.equal(all[0]![5], "3");
  assert.equal(all[0]![13], `${b.pid}`);
  assert.deepEqual(rows(await ensemble.lines("status", "--role", "web")).map(([id]) => id), [
    ...["b", "a"],
  ]);
  const block = await ensemble.lines("status", "b");
  assert.equal(block[0], "b up (db web)");
  assert.ok(block.includes("  mailboxes    deaf 3"), block.join("\n"));
  assert.ok(block.some((line) => line.startsWith(`  process      pid ${b.pid} on `)));
  const [json] = await ensemble.lines("status", "--json", "b,c");
  const { server, result } = JSON.parse(json!);
  assert.deepEqual([server, result.server, result.longestMailboxes], [
    ...["b", "b", [{ actor: "deaf", length: 3 }]],
  ]);
  assert.ok(result.eventLoopDelay.max > 300, json);
  c.signal("SIGKILL");
  await c.exit();
  await b.until(async () => {
    const { code, stdout, stderr } = await ensemble.run("status");
    assert.equal(code, stdout.includes("unreachable") || stderr !== "" ? 1 : 0);
    return stdout.startsWith("c\tunreachable\t") &&
      stderr.endsWith("1 of 4 servers did not answer\n");
  }, "c is shown first, as unreachable");
});

Deno.test("status asks for the passphrase where an administrator is set up", async () => {
  await using ensemble = new RunningEnsemble();
  const { right } = await installAdministrator(ensemble);
  await ensemble.run("cookie");
  await ensemble.startRegistry();
  const a = await ensemble.startServer("a");
  const [line] = await ensemble.lines("status", ...right, "a");
  assert.equal(line, "a up");
  await a.logged(/audit: elevation allowed .*observer/);
  await a.logged(/audit: status allowed/);
  const rows = await ensemble.lines("status", ...right);
  assert.equal(rows.length, 2);
});
