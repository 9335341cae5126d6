import assert from "node:assert/strict";
import { encodePem } from "../../../runtime/pki/pem.ts";
import { observerClient } from "../../../runtime/observation/observer_protocol.ts";
import { VERSION } from "../../../runtime/version.ts";
import { testEnsemble } from "../../../testing/test_ensemble.ts";
import { CapturedLogs } from "../server/captured_logs.ts";

Deno.test("status gives the process, the actors, the messages and the loads of a server", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a", { roles: ["web", "db"] });
  const client = await ensemble.startServer();
  a.serve("echo", { say: ({ text }: { text: string }) => text });
  const waiting = Promise.withResolvers<void>();
  a.serve("slow", { wait: () => waiting.promise });
  for (let i = 0; i < 10; i++) await client.ask("echo@a", { type: "say", text: "x" });
  for (let i = 0; i < 4; i++) client.tell("slow@a", { type: "wait" });
  const before = Date.now();
  const status = await client.remote("a").status();
  assert.deepEqual([status.id, status.pid, status.state], ["a", Deno.pid, "up"]);
  assert.deepEqual(status.roles, ["web", "db"]);
  assert.deepEqual([status.version, status.deno], [VERSION, Deno.version.deno]);
  assert.ok(status.startedAt <= before && status.now >= before);
  assert.ok(status.memory.rss > status.memory.heapUsed && status.memory.heapUsed > 1e6);
  assert.ok(status.handled.messages >= 11, `${status.handled.messages}`);
  assert.ok(status.handled.messagesPerSecond > 0);
  assert.ok(status.received.messages >= 15 && status.received.bytes > 150);
  assert.ok(status.received.messagesPerSecond > 0 && status.received.bytesPerSecond > 0);
  assert.deepEqual(status.longestMailboxes, [{ actor: "slow", length: 3 }]);
  assert.equal(status.actors, a.actors.actors().length);
  assert.equal(status.connections, 2);
  assert.equal(status.pendingAsks, 0);
  assert.deepEqual(status.loads, { count: 0, last: [] });
  assert.equal(status.certificateEnd, undefined);
  waiting.resolve();
});

Deno.test("status counts restarts, pending asks, and what connections carried that have ended", async () => {
  await using ensemble = await testEnsemble();
  const [a, b] = await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
  const client = await ensemble.startServer();
  a.supervise("main", {
    intensity: { restarts: 10, within: 1_000 },
    children: [{ name: "child", serve: { work: () => 1 } }],
  });
  await a.supervisor("main").restart("child");
  b.serve("deaf", { hear: (_request, { later }) => later });
  b.serve("echo", { say: () => "said" });
  for (let i = 0; i < 20; i++) await a.ask("echo@b", { type: "say" });
  const asked = a.ask("deaf@b", { type: "hear" }).catch(() => "failed");
  const first = a.status.read();
  assert.deepEqual([first.restarts, first.pendingAsks], [1, 1]);
  await b.stop();
  assert.equal(await asked, "failed");
  const second = await client.remote("a").status();
  const open = a.connections().reduce((sum, { sent }) => sum + sent.messages, 0);
  assert.ok(second.sent.messages >= open + 20, `${second.sent.messages}, ${open}`);
  assert.ok(second.received.messages >= 20 && second.received.bytes >= first.received.bytes);
  assert.equal(second.pendingAsks, 0);
});

Deno.test("status and modules name the loads of a server, the newest first", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  const observer = observerClient(client, "a");
  const { loadFile } = await import("../../../cli/modules/load_file.ts");
  const file = `${ensemble.directory}/number.ts`;
  const hashes: string[] = [];
  for (const value of [1, 2]) {
    await Deno.writeTextFile(file, `export const number = ${value};\n`);
    hashes.unshift((await loadFile(client.remote("a"), file))[0]!.hash);
  }
  const { loads } = a.status.read();
  assert.equal(loads.count, 2);
  assert.deepEqual(loads.last.map(({ hash }) => hash), hashes);
  assert.deepEqual(loads.last.map(({ current }) => current), [true, false]);
  assert.deepEqual((await observer.modules()).map(({ hash }) => hash), hashes.slice(0, 1));
});

Deno.test("where an administrator is set up, status takes the capability observer, and is audited once", async () => {
  using logs = await CapturedLogs.start();
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const { publicKey, privateKey } = pair as CryptoKeyPair;
  const adminKey = encodePem("PUBLIC KEY", await crypto.subtle.exportKey("spki", publicKey));
  const key = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", privateKey));
  await using ensemble = await testEnsemble({ adminKey, log: false });
  await ensemble.startServer("a");
  const client = await ensemble.startServer();
  const remote = client.remote("a");
  await assert.rejects(remote.status(), /not authorized for status in a: .* capability observer/);
  await client.elevate("a", { key, capabilities: ["observer"] });
  for (let i = 0; i < 5; i++) await remote.status();
  await observerClient(client, "a").history({});
  const audited = logs.lines.filter((line) => /status|history/.test(line) && /audit/.test(line));
  assert.equal(audited.filter((line) => /status refused/.test(line)).length, 1, audited.join("\n"));
  assert.equal(audited.filter((line) => /status allowed/.test(line)).length, 1);
  assert.equal(audited.filter((line) => /history allowed/.test(line)).length, 1);
});

Deno.test("the client of an observer says so when the server has none", async () => {
  await using ensemble = await testEnsemble();
  const client = await ensemble.startServer();
  const asker = {
    ask: (_dest: unknown, message: unknown) => client.ask("nosuch@registry", message),
  };
  await assert.rejects(observerClient(asker as typeof client, "a").status(), {
    message: /^a runs a version of gxensemble that cannot be observed/,
    code: "UNKNOWN_ACTOR",
  });
});
