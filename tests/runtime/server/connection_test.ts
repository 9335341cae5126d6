import assert from "node:assert/strict";
import { parseServerId } from "../../../runtime/actor/server_id.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import { HARD_LIMIT, MAX_FRAME } from "../../../runtime/wire/limits.ts";
import { RoguePeer } from "../../rogue_peer.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { ChildServer } from "./child_server.ts";
import { anyPort, LocalEnsemble, refTo } from "./local_ensemble.ts";

function header(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

const BROKEN: Record<string, [bytes: Uint8Array, reason: RegExp]> = {
  "a frame larger than the limit": [
    header(MAX_FRAME + 1),
    /frame too large: 67108865 bytes announced, and the limit is 67108864$/,
  ],
  "a byte that is no probe": [new Uint8Array([0, 0, 0, 1, 7]), /malformed frame: not an envelope$/],
  "text": [new Uint8Array([0, 0, 0, 3, 0x61, 0x62, 0x63]), /malformed frame: /],
  "a header that goes beyond the frame": [
    new Uint8Array([0, 0, 0, 3, 0x92, 1, 2]),
    /malformed frame: it ends too early$/,
  ],
  "a header that ends too early": [
    new Uint8Array([0, 0, 0, 3, 0xdc, 0xff, 0xff]),
    /malformed frame: /,
  ],
};

for (const [what, [bytes, reason]] of Object.entries(BROKEN)) {
  Deno.test(`closed with one line that names the peer, others unhurt: ${what}`, async () => {
    using logs = await CapturedLogs.start();
    await using ensemble = new LocalEnsemble();
    await ensemble.startRegistry();
    const [a, b] = await Promise.all([
      ensemble.start("a", { listen: [ensemble.socket("a"), anyPort()] }),
      ensemble.start("b"),
    ]);
    await b.connect(a.id);
    for (const address of a.entry.addresses) {
      using peer = await RoguePeer.join(address, { cookie: ensemble.cookie });
      await peer.write(bytes);
      await peer.closed();
      assert.equal(logs.complaints.length, 1, logs.complaints.join("\n"));
      const [line] = logs.complaints.splice(0, 1);
      assert.match(line!, /^WARN server: closing the connection to rogue: /);
      assert.match(line!, reason);
      logs.lines.length = 0;
      assert.equal(await b.actors.ask(refTo("a", "server"), { type: "ping" }), "OK");
      assert.deepEqual(LocalEnsemble.peers(a), ["b", "registry"]);
    }
  });
}

Deno.test("a connection that ends inside a message is lost without harm", async () => {
  using logs = await CapturedLogs.start("debug");
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  {
    using peer = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
    await peer.write(new Uint8Array([0, 0, 1, 0, 0x97]));
  }
  await eventually(
    () => logs.matching(/lost: the connection was lost inside a message/).length === 1,
    "a line",
  );
  assert.deepEqual(LocalEnsemble.peers(a), ["registry"]);
});

Deno.test("heartbeats are taken, and a probe is answered with one", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  using peer = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await peer.send(new Uint8Array(0));
  await peer.send(new Uint8Array([0xc0]));
  assert.equal((await peer.receive())?.length, 0);
  assert.deepEqual(LocalEnsemble.peers(a), ["registry", "rogue"]);
});

Deno.test("a message as large as a frame travels, a larger one is refused at its sender", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  b.actors.serve("echo", { length: ({ bytes }: { bytes: Uint8Array }) => bytes.length });
  const bytes = new Uint8Array(MAX_FRAME - 1000);
  const message = { type: "length", bytes };
  assert.equal(await a.actors.ask(refTo("b", "echo"), message), bytes.length);
  await assert.rejects(
    a.actors.ask(refTo("b", "echo"), { type: "length", bytes: new Uint8Array(MAX_FRAME) }),
    /^ProtocolError: the message is too large/,
  );
  assert.equal(await a.actors.ask(refTo("b", "server"), { type: "ping" }), "OK");
});

Deno.test("an answer that cannot travel is a failure at once", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  b.actors.serve("odd", { get: () => () => 1, large: () => new Uint8Array(MAX_FRAME) });
  await assert.rejects(a.actors.ask(refTo("b", "odd"), { type: "get" }), /odd@b answered: /);
  await assert.rejects(a.actors.ask(refTo("b", "odd"), { type: "large" }), /too large/);
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const CHUNK = 64 * 1024;

/** Tells a server bytes until it is congested; gives how many. */
async function congest(server: ActorServer, to: string): Promise<number> {
  const bytes = new Uint8Array(CHUNK);
  let told = 0;
  while (!server.congested(parseServerId(to))) {
    server.actors.tell(refTo(to, "sink"), { type: "bytes", bytes });
    told += CHUNK;
    await pause(0);
    assert.ok(told < 64 * 1024 * 1024, "never congested");
  }
  return told;
}

Deno.test("who sends to a peer that does not read is told, and told when it reads again", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  await using child = await ChildServer.start(ensemble, "child");
  await a.connect(parseServerId("child"));
  child.signal("SIGSTOP");
  let told = await congest(a, "child");
  let drained = false;
  const drain = a.drained(parseServerId("child")).then(() => drained = true);
  await pause(50);
  assert.equal(drained, false);
  // Others do not suffer.
  assert.equal(a.congested(b.id), false);
  assert.equal(await a.actors.ask(refTo("b", "server"), { type: "ping" }), "OK");
  child.signal("SIGCONT");
  await drain;
  assert.equal(a.congested(parseServerId("child")), false);
  for (let i = 0; i < 200; i++) {
    a.actors.tell(refTo("child", "sink"), { type: "bytes", bytes: new Uint8Array(CHUNK) });
    told += CHUNK;
    if (a.congested(parseServerId("child"))) await a.drained(parseServerId("child"));
  }
  assert.equal(await a.actors.ask(refTo("child", "sink"), { type: "total" }), told);
});

Deno.test("a peer that never reads is given up loudly, and what waits for it fails", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  await using child = await ChildServer.start(ensemble, "child");
  await a.connect(parseServerId("child"));
  child.signal("SIGSTOP");
  await congest(a, "child");
  const ask = assert.rejects(
    a.actors.ask(refTo("child", "sink"), { type: "total" }, { timeout: Infinity }),
    /^DisconnectedError: the connection to child was lost: too much was waiting to be sent$/,
  );
  const drained = a.drained(parseServerId("child"));
  const bytes = new Uint8Array(8 * 1024 * 1024);
  let told = 0;
  while (a.actors.tell(refTo("child", "sink"), { type: "bytes", bytes }) !== undefined) {
    told += bytes.length;
    assert.ok(told <= HARD_LIMIT, "more than the limit waits");
  }
  await ask;
  await drained;
  assert.equal(logs.matching(/^ERROR server: child is stuck: its connection is closed/).length, 1);
  assert.equal(await a.actors.ask(refTo("b", "server"), { type: "ping" }), "OK");
  child.signal("SIGCONT");
  assert.equal(await a.actors.ask(refTo("child", "server"), { type: "ping" }), "OK");
});

Deno.test("a server that is killed is noticed at once", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  await using child = await ChildServer.start(ensemble, "child");
  await a.connect(parseServerId("child"));
  child.signal("SIGSTOP");
  const ask = assert.rejects(
    a.actors.ask(refTo("child", "sink"), { type: "total" }, { timeout: Infinity }),
    /^DisconnectedError: the connection to child was lost: /,
  );
  child.signal("SIGKILL");
  await ask;
  assert.deepEqual(LocalEnsemble.peers(a), ["registry"]);
  await using _again = await ChildServer.start(ensemble, "child");
  assert.equal(await a.actors.ask(refTo("child", "sink"), { type: "total" }), 0);
});
