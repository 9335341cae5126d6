import assert from "node:assert/strict";
import v8 from "node:v8";
import vm from "node:vm";
import type { Actor } from "../../../runtime/actor/actor.ts";
import type { Envelope, Receiver } from "../../../runtime/actor/messaging.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { ProtocolError, TimeoutError } from "../../../runtime/errors.ts";
import { LineLimit } from "../../../runtime/line_limit.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import { Connection, type ConnectionOptions } from "../../../runtime/server/connection.ts";
import { Peer } from "../../../runtime/server/peers.ts";
import { controlHandlers } from "../../../runtime/server/control.ts";
import {
  EARLY_MESSAGES,
  FRAMES_PER_CHECK,
  HARD_LIMIT,
  LARGE_FRAME,
  MAX_FRAME,
  MAX_MESSAGE,
  MAX_TURN,
  MAX_WRITE,
} from "../../../runtime/wire/limits.ts";
import { FrameReader, Outbox, PREFIX_LENGTH } from "../../../runtime/wire/frames.ts";
import type { ByteStream } from "../../../runtime/wire/stream.ts";
import { Tag } from "../../../runtime/wire/value_format.ts";
import { moveClock, passTime, stopClock } from "../../fake_clock.ts";
import { concatenate, frame, pieces, rogueBody, rogueFrame, RoguePeer } from "../../rogue_peer.ts";
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
    /frame too large: 262145 bytes announced, and the limit is 262144$/,
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

Deno.test("heartbeats are taken, and each probe is answered with one", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  using peer = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await peer.send(new Uint8Array(0));
  for (let i = 0; i < 2; i++) {
    await peer.send(new Uint8Array([0xc0]));
    await peer.sendEnvelope({ dest: "server", replyExpected: true }, rogueBody({ type: "ping" }));
    assert.equal((await peer.receive())?.length, 0);
    assert.equal((await peer.receiveEnvelope())?.message, "OK");
  }
  assert.deepEqual(LocalEnsemble.peers(a), ["registry", "rogue"]);
});

Deno.test("a connection counts messages and bytes each way, and what waits", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  using peer = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  const ofRogue = () => a.connections().find(({ peer }) => peer === "rogue")!;
  await eventually(() => ofRogue() !== undefined, "the connection is in use");
  assert.deepEqual(ofRogue().received, { messages: 0, bytes: 0 });
  // A heartbeat is a frame of 4 bytes and no message.
  await peer.send(new Uint8Array(0));
  await peer.sendEnvelope({ dest: "server", replyExpected: true }, rogueBody({ type: "ping" }));
  const answer = (await peer.receiveEnvelope())!;
  assert.equal(answer.message, "OK");
  const { received, sent, waiting } = ofRogue();
  assert.equal(received.messages, 1);
  assert.ok(received.bytes > 4 + 4 && received.bytes < 200, `${received.bytes}`);
  assert.equal(sent.messages, 1);
  assert.ok(sent.bytes > 4 && sent.bytes < 200, `${sent.bytes}`);
  assert.equal(waiting, 0);
  // The peer reads nothing: what the stream does not take waits.
  const large = new Uint8Array(1024 * 1024);
  for (let i = 0; i < 16; i++) a.actors.tell(refTo("rogue", "x"), large);
  await eventually(() => ofRogue().sent.bytes > sent.bytes, "some is written");
  const stuck = ofRogue();
  assert.ok(stuck.waiting > large.length, `${stuck.waiting}`);
  const all = stuck.sent.bytes - sent.bytes + stuck.waiting;
  assert.ok(all > 16 * large.length && all < 16 * (large.length + 200), `${all}`);
});

Deno.test("probes of a peer that reads nothing do not fill the outbox", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  const { promise: marked, resolve: mark } = Promise.withResolvers<void>();
  a.actors.serve("marker", { mark: () => mark() });
  using peer = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  const probe = frame(new Uint8Array([0xc0]));
  const probes = new Uint8Array(300_000 * probe.length);
  for (let at = 0; at < probes.length; at += probe.length) probes.set(probe, at);
  await peer.write(probes);
  await peer.tell("marker", { type: "mark" });
  await marked;
  assert.equal(a.congested(peer.id), false);
  assert.equal((await peer.ask("server", { type: "ping" })).message, "OK");
});

Deno.test("a message as large as the limit travels, a larger one is refused at its sender", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  b.actors.serve("echo", { length: ({ bytes }: { bytes: Uint8Array }) => bytes.length });
  const bytes = new Uint8Array(MAX_MESSAGE - 1000);
  const message = { type: "length", bytes };
  const timeout = 60_000;
  assert.equal(await a.actors.ask(refTo("b", "echo"), message, { timeout }), bytes.length);
  await assert.rejects(
    a.actors.ask(refTo("b", "echo"), { type: "length", bytes: new Uint8Array(MAX_MESSAGE) }),
    /^ProtocolError: the message is too large/,
  );
  assert.equal(await a.actors.ask(refTo("b", "server"), { type: "ping" }), "OK");
});

Deno.test("an answer that cannot travel is a failure at once", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  b.actors.serve("odd", { get: () => () => 1, large: () => new Uint8Array(MAX_MESSAGE) });
  await assert.rejects(a.actors.ask(refTo("b", "odd"), { type: "get" }), /odd@b answered: /);
  await assert.rejects(a.actors.ask(refTo("b", "odd"), { type: "large" }), /too large/);
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const CHUNK = 64 * 1024;

/** Tells a server bytes until it is congested; gives how many. */
async function congest(server: ActorServer, to: string): Promise<number> {
  const bytes = new Uint8Array(CHUNK);
  let told = 0;
  while (!server.congested(to)) {
    server.actors.tell(refTo(to, "sink"), { type: "bytes", bytes });
    told += CHUNK;
    await pause(0);
    assert.ok(told < 64 * 1024 * 1024, "never congested");
  }
  return told;
}

Deno.test("congested and drained report a peer that does not read, and when it reads again", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  await using child = await ChildServer.start(ensemble, "child");
  await a.connect("child");
  child.signal("SIGSTOP");
  let told = await congest(a, "child");
  let drained = false;
  const drain = a.flushed("child").then(() => drained = true);
  await pause(50);
  assert.equal(drained, false);
  // Others do not suffer.
  assert.equal(a.congested(b.id), false);
  assert.equal(await a.actors.ask(refTo("b", "server"), { type: "ping" }), "OK");
  child.signal("SIGCONT");
  await drain;
  assert.equal(a.congested("child"), false);
  for (let i = 0; i < 200; i++) {
    a.actors.tell(refTo("child", "sink"), { type: "bytes", bytes: new Uint8Array(CHUNK) });
    told += CHUNK;
    if (a.congested("child")) await a.flushed("child");
  }
  assert.equal(await a.actors.ask(refTo("child", "sink"), { type: "total" }), told);
});

Deno.test("a peer that never reads is given up loudly, and what waits for it fails", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  await using child = await ChildServer.start(ensemble, "child");
  await a.connect("child");
  child.signal("SIGSTOP");
  await congest(a, "child");
  const ask = assert.rejects(
    a.actors.ask(refTo("child", "sink"), { type: "total" }, { timeout: Infinity }),
    /^DisconnectedError: the connection to child was lost: too much is waiting to be sent$/,
  );
  const drained = a.flushed("child");
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
  await a.connect("child");
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

const GARBAGE = new Uint8Array([0xff, 0xff, 0xff]);

Deno.test("Connection does not decode a message to an actor that is not there", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a");
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await rogue.sendEnvelope({ dest: "nobody" }, GARBAGE);
  await rogue.sendEnvelope({ dest: 999_999, nonce: 8, replyExpected: true }, GARBAGE);
  const answer = await rogue.receiveEnvelope();
  assert.deepEqual([answer?.replyTo, answer?.failed], [8, true]);
  assert.match((answer!.message as Error).message, /^unknown actor: 999999@a$/);
  assert.deepEqual(LocalEnsemble.peers(a), ["registry", "rogue"]);
  // To one that is there it is decoded.
  await rogue.sendEnvelope({ dest: "server" }, GARBAGE);
  await rogue.closed();
  assert.equal(logs.complaints.length, 1);
});

Deno.test("Connection does not decode an answer that no ask waits for from that server", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  const never = Promise.withResolvers<void>();
  b.actors.serve("slow", { get: () => never.promise });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  const asked = a.actors.ask(refTo("b", "slow"), { type: "get" });
  // It guesses the nonce of an ask to another server, among all that there are.
  for (let replyTo = 0; replyTo < 200; replyTo += 2) {
    await rogue.sendEnvelope({ dest: "server", replyTo }, GARBAGE);
  }
  assert.equal((await rogue.ask("server", { type: "ping" })).message, "OK");
  never.resolve();
  await asked;
  // One that is waited for is decoded.
  const own = a.actors.ask(refTo("rogue", "x"), 1);
  const { nonce } = (await rogue.receiveEnvelope())!;
  await rogue.sendEnvelope({ dest: "server", replyTo: nonce }, GARBAGE);
  await assert.rejects(own, /the connection to rogue was lost: malformed frame/);
});

Deno.test("Connection closes for a frame of millions of objects, without affecting others", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  const maps = new Uint8Array(8 * 1024 * 1024).fill(0xc0);
  maps.set([Tag.Array, 0xfb, 0xff, 0x7f, 0]);
  // Without a receiver they are skipped. With one they are refused.
  await rogue.sendEnvelope({ dest: "nobody" }, maps);
  assert.equal((await rogue.ask("server", { type: "ping" })).message, "OK");
  const asks = Array.from(
    { length: 10 },
    () => b.actors.ask(refTo("a", "server"), { type: "ping" }),
  );
  await rogue.sendEnvelope({ dest: "server" }, maps);
  await rogue.closed();
  assert.deepEqual(new Set(await Promise.all(asks)), new Set(["OK"]));
  assert.deepEqual(logs.complaints, [
    "WARN server: closing the connection to rogue: malformed frame: too many parts",
  ]);
});

Deno.test("Connection skips fields of a header that it does not know", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.start("a", { register: false });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  const header = { dest: "server", nonce: 8, replyExpected: true, trailing: [1, 2, 3] };
  await rogue.sendEnvelope(header, rogueBody({ type: "ping" }));
  assert.equal((await rogue.receiveEnvelope())?.message, "OK");
});

Deno.test("Connection drops a message whose timeout is over when it comes", async () => {
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  const got: unknown[] = [];
  a.actors.serve("sink", { n: ({ n }: { n: number }) => got.push(n) });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  for (const [n, timeout] of [0, -1, -Infinity, 60_000, Infinity].entries()) {
    await rogue.sendEnvelope({ dest: "sink", timeout }, rogueBody({ type: "n", n }));
  }
  await rogue.ask("sink", { type: "n", n: 5 });
  assert.deepEqual(got, [3, 4, 5]);
});

Deno.test("Connection does not write an ask that has timed out while it waited to be written", async () => {
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  // More than the socket holds, so that all that follows waits in the outbox.
  a.actors.tell(refTo("rogue", "x"), new Uint8Array(16 * 1024 * 1024));
  a.actors.tell(refTo("rogue", "x"), "before");
  const ask = a.actors.ask(refTo("rogue", "x"), "asked", { timeout: 1 });
  a.actors.tell(refTo("rogue", "x"), "between");
  a.actors.tell(refTo("rogue", "x"), "expired", { timeout: 1 });
  const lasting = a.actors.ask(refTo("rogue", "x"), "lasting", { timeout: 60_000 });
  a.actors.tell(refTo("rogue", "x"), "after");
  await assert.rejects(ask, TimeoutError);
  const got = [];
  for (let i = 0; i < 5; i++) got.push((await rogue.receiveEnvelope())!);
  const [large, ...rest] = got.map(({ message }) => message);
  assert.equal((large as Uint8Array).length, 16 * 1024 * 1024);
  assert.deepEqual(rest, ["before", "between", "lasting", "after"]);
  // What it waited is taken off what it has left.
  const { nonce, timeout } = got[3]!;
  assert.ok(timeout! > 0 && timeout! < 60_000, `${timeout}`);
  await rogue.sendEnvelope({ dest: "server", replyTo: nonce }, rogueBody("late but in time"));
  assert.equal(await lasting, "late but in time");
});

Deno.test("a message that cannot travel fails at its sender, and no ask under way is hurt", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  const gate = Promise.withResolvers<string>();
  b.actors.serve("slow", { get: () => gate.promise });
  await a.connect(b.id);
  const session = a.session(b.id);
  const asks = Array.from({ length: 5 }, () => a.actors.ask(refTo("b", "slow"), { type: "get" }));
  const odd = [
    ActorRef.unchecked(b.id, undefined as unknown as string),
    ActorRef.unchecked("not a server", "x"),
    new Array(1e8),
    1n << 1_000_000n,
    /\p{RGI_Emoji}/v,
  ];
  for (const message of odd) {
    assert.throws(() => a.actors.tell(refTo("b", "slow"), message), ProtocolError);
    await assert.rejects(a.actors.ask(refTo("b", "slow"), message), ProtocolError);
  }
  const nowhere = ActorRef.unchecked(b.id, {} as unknown as string);
  assert.throws(() => a.actors.tell(nowhere, 1), ProtocolError);
  await assert.rejects(a.actors.ask(nowhere, 1), ProtocolError);
  assert.throws(() => a.actors.tell(refTo("b", "slow"), 1, { replyTo: NaN }), ProtocolError);
  assert.throws(() => a.actors.tell(refTo("b", "slow"), 1, { timeout: NaN }), ProtocolError);
  gate.resolve("unhurt");
  assert.deepEqual(await Promise.all(asks), new Array(5).fill("unhurt"));
  assert.equal(a.session(b.id), session);
});

Deno.test("a request without its fields makes no server send what cannot be read", async () => {
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  for (const type of Object.keys(controlHandlers(a))) {
    if (type === "shutdown") continue;
    for (
      const message of [{ type }, { type, monitor: 1, actor: {} }, { type, monitor: {}, actor: 1 }]
    ) {
      // Its answer, if there is one, can be read: receiveEnvelope decodes it.
      await rogue.tell("server", message);
    }
  }
  assert.equal((await rogue.ask("server", { type: "ping" })).message, "OK");
  assert.deepEqual(LocalEnsemble.peers(a), ["rogue"]);
});

for (
  const [what, size, most] of [
    // A few more may come while the actor itself lets everything else have a turn. Taken all at once there are 63.
    ["costly", 0, 2 * FRAMES_PER_CHECK],
    ["large", LARGE_FRAME, FRAMES_PER_CHECK / 4],
  ] as const
) {
  Deno.test(`Connection takes ${what} frames in turns with everything else`, async () => {
    await using ensemble = new LocalEnsemble();
    const a = await ensemble.start("a", { register: false });
    const waiting: number[] = [];
    const sink: Actor = a.actors.serve("sink", { n: () => waiting.push(sink.mailboxLength) });
    using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
    await rogue.ask("server", { type: "ping" });
    const { now } = performance;
    let time = now.call(performance);
    // Each look at the clock finds that a good while has passed.
    performance.now = () => time += MAX_TURN;
    try {
      const body = rogueBody({ type: "n", bytes: new Uint8Array(size) });
      const one = frame(rogueFrame({ dest: "sink" }, body));
      const all = new Uint8Array(64 * one.length);
      for (let i = 0; i < 64; i++) all.set(one, i * one.length);
      await rogue.write(all);
      await eventually(() => waiting.length === 64, "all are taken");
    } finally {
      performance.now = now;
    }
    assert.ok(Math.max(...waiting) <= most, `${waiting}`);
  });
}

/** So long that the time which the test itself takes does not count; in ms. */
const HEARTBEAT = { interval: 100_000, timeout: 500_000 };

Deno.test("Connection sends a heartbeat when it has sent nothing else for the interval", async () => {
  using clock = stopClock("setInterval", "clearInterval");
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false, heartbeat: HEARTBEAT });
  const idle = clock.countTimers();
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await eventually(() => clock.countTimers() > idle, "the connection is in use");
  const next = rogue.receive();
  clock.tick(HEARTBEAT.interval);
  assert.equal((await next)?.length, 0);
  // What it sends shows that it lives as well.
  a.actors.tell(refTo("rogue", "x"), "a message");
  assert.equal((await rogue.receiveEnvelope())?.message, "a message");
  clock.tick(HEARTBEAT.interval);
  clock.tick(HEARTBEAT.interval);
  a.actors.tell(refTo("rogue", "x"), "another");
  const frames = [await rogue.receive(), await rogue.receive()];
  assert.deepEqual(frames.map((bytes) => bytes!.length === 0), [true, false]);
});

Deno.test("Connection closes when its peer is silent for the timeout, and not before", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopClock("setInterval", "clearInterval");
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false, heartbeat: HEARTBEAT });
  const idle = clock.countTimers();
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await eventually(() => clock.countTimers() > idle, "the connection is in use");
  using _first = passTime(clock, HEARTBEAT.timeout - HEARTBEAT.interval);
  assert.deepEqual(LocalEnsemble.peers(a), ["rogue"]);
  // Any frame is a sign of life.
  assert.equal((await rogue.ask("server", { type: "ping" })).message, "OK");
  using _second = passTime(clock, HEARTBEAT.timeout - HEARTBEAT.interval);
  assert.deepEqual(LocalEnsemble.peers(a), ["rogue"]);
  using _third = passTime(clock, HEARTBEAT.interval);
  assert.deepEqual(LocalEnsemble.peers(a), []);
  await rogue.closed();
  assert.deepEqual(logs.complaints, [
    "WARN server: closing the connection to rogue: silent for 500 s",
  ]);
  assert.equal(clock.countTimers(), idle);
});

Deno.test("Connection outlives a stop of its own process, and closes when the peer is silent after it", async () => {
  using clock = stopClock("setInterval", "clearInterval");
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false, heartbeat: HEARTBEAT });
  const idle = clock.countTimers();
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await eventually(() => clock.countTimers() > idle, "the connection is in use");
  const stop = () => {
    const moved = moveClock(2 * HEARTBEAT.timeout);
    // What is due meanwhile is run once.
    clock.jump(2 * HEARTBEAT.timeout);
    return moved;
  };
  using _first = stop();
  assert.equal((await rogue.ask("server", { type: "ping" })).message, "OK");
  clock.tick(HEARTBEAT.interval);
  assert.deepEqual(LocalEnsemble.peers(a), ["rogue"]);
  using _second = stop();
  assert.deepEqual(LocalEnsemble.peers(a), ["rogue"]);
  clock.tick(HEARTBEAT.interval);
  assert.deepEqual(LocalEnsemble.peers(a), []);
});

Deno.test("Connection beats every 15 s and closes after 60 s, where nothing else is asked for", async () => {
  using clock = stopClock("setInterval", "clearInterval");
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  const idle = clock.countTimers();
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await eventually(() => clock.countTimers() > idle, "the connection is in use");
  const next = rogue.receive();
  clock.tick(15_000);
  assert.equal((await next)?.length, 0);
  using _ = passTime(clock, 60_000);
  assert.deepEqual(LocalEnsemble.peers(a), []);
});

Deno.test("Connection ends its heartbeat when it is closed", async () => {
  using clock = stopClock("setInterval", "clearInterval");
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  const idle = clock.countTimers();
  {
    using _ = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
    await eventually(() => clock.countTimers() > idle, "the connection is in use");
  }
  await eventually(() => LocalEnsemble.peers(a).length === 0, "the connection is closed");
  assert.equal(clock.countTimers(), idle);
});

Deno.test("a peer that breaks the protocol over and over does not fill the log", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.start("a", { register: false });
  for (let i = 0; i < 8; i++) {
    using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
    await rogue.send(GARBAGE);
    await rogue.closed();
  }
  assert.equal(logs.matching(/closing the connection to rogue: malformed frame/).length, 5);
});

/** A stream that reads as the bytes and then stays open, and takes what is written. */
class HeldStream implements ByteStream {
  readonly kind = "unix";
  readonly #closed = Promise.withResolvers<null>();
  #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const count = Math.min(buffer.length, this.#bytes.length);
    if (count === 0) return this.#closed.promise;
    buffer.set(this.#bytes.subarray(0, count));
    this.#bytes = this.#bytes.subarray(count);
    return Promise.resolve(count);
  }

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#closed.resolve(null);
  }
}

/** A connection without a server around it. */
function connectionOf(
  bytes: Uint8Array,
  options: Partial<Pick<ConnectionOptions, "peer" | "onClosed">> & {
    receiver?: Partial<Receiver>;
    stream?: ByteStream;
  } = {},
): Connection {
  const { stream = new HeldStream(bytes), receiver, peer = new Peer("peer") } = options;
  return new Connection(stream, {
    peer: peer.id,
    instance: new Uint8Array(32),
    certified: undefined,
    via: undefined,
    binding: new Uint8Array(32),
    isBehind: false,
    reader: new FrameReader(stream, 0),
  }, {
    address: anyPort(),
    heartbeat: HEARTBEAT,
    peer,
    receiver: {
      lines: new LineLimit(),
      settle: () => {},
      expects: () => true,
      deliver: () => {},
      ...receiver,
    },
    onClosed: options.onClosed ?? (() => {}),
  });
}

Deno.test("Connection takes nothing more from a peer once it is closed", async () => {
  const one = frame(rogueFrame({ dest: "x" }, rogueBody(1)));
  const got: Envelope[] = [];
  const closed = Promise.withResolvers<void>();
  const connection = connectionOf(new Uint8Array([...one, ...one, ...one]), {
    receiver: {
      deliver(envelope) {
        got.push(envelope);
        connection.close("enough");
      },
    },
    onClosed: () => closed.resolve(),
  });
  await closed.promise;
  await pause(0);
  assert.equal(got.length, 1);
});

Deno.test("Connection is lost when its stream was closed at the end of the handshake", async () => {
  class LostStream extends HeldStream {
    override read(): Promise<number | null> {
      return Promise.reject(new Deno.errors.BadResource("Bad resource ID"));
    }

    override close(): void {
      throw new Deno.errors.BadResource("Bad resource ID");
    }
  }
  const closed = Promise.withResolvers<void>();
  const stream = new LostStream(new Uint8Array());
  connectionOf(new Uint8Array(), { stream, onClosed: () => closed.resolve() });
  await closed.promise;
});

Deno.test("Connection leaves the buffers of its outbox alone once it is closed", async () => {
  /** Takes what is written when the test says so. */
  class SlowStream extends HeldStream {
    readonly writes: { bytes: Uint8Array; taken: PromiseWithResolvers<number> }[] = [];

    override write(bytes: Uint8Array): Promise<number> {
      const taken = Promise.withResolvers<number>();
      this.writes.push({ bytes, taken });
      return taken.promise;
    }
  }
  const peer = new Peer("peer");
  const body = (fill: number) => new Uint8Array(100).fill(fill);
  const [first, second] = [1, 2].map(() => new SlowStream(new Uint8Array()));
  peer.outbox.add(body(1));
  const lost = connectionOf(new Uint8Array(), { stream: first!, peer });
  await eventually(() => first!.writes.length === 1, "the first connection writes");
  lost.close("lost");
  peer.disconnect();
  peer.outbox.add(body(2));
  const next = connectionOf(new Uint8Array(), { stream: second!, peer });
  await eventually(() => second!.writes.length === 1, "the next one writes");
  const { bytes } = second!.writes[0]!;
  const before = bytes.slice();
  first!.writes[0]!.taken.resolve(first!.writes[0]!.bytes.length);
  await pause(0);
  // Others take their buffers from those that are free.
  for (let i = 0; i < 40; i++) new Outbox().add(body(3));
  assert.deepEqual(bytes, before);
  next.close("done");
});

Deno.test("Connection does not keep a large message or frame while its peer is silent", async () => {
  v8.setFlagsFromString("--expose-gc");
  const collectGarbage = vm.runInNewContext("gc");
  const large: WeakRef<ArrayBufferLike>[] = [];
  class WatchedStream extends HeldStream {
    override read(buffer: Uint8Array): Promise<number | null> {
      if (buffer.buffer.byteLength > 128 * 1024) large.push(new WeakRef(buffer.buffer));
      return super.read(buffer);
    }
  }
  const got = Promise.withResolvers<void>();
  let messages = 0;
  const envelope = rogueFrame({ dest: "x" }, rogueBody(new Uint8Array(200_000)));
  const payload = new Uint8Array(4 * 1024 * 1024);
  const message = rogueFrame({ dest: "x" }, rogueBody(payload));
  const offset = message.length - payload.length;
  const bodies = [envelope, ...pieces(message, { payload: { offset, length: payload.length } })];
  const connection = connectionOf(concatenate(bodies.map(frame)), {
    stream: new WatchedStream(concatenate(bodies.map(frame))),
    receiver: {
      deliver({ message }) {
        large.push(new WeakRef((message as Uint8Array).buffer));
        if (++messages === 2) got.resolve();
      },
    },
  });
  await got.promise;
  await eventually(() => {
    collectGarbage();
    return large.every((buffer) => buffer.deref() === undefined);
  }, "its bytes are let go of");
  assert.notEqual(large.length, 0);
  connection.close("done");
});

Deno.test("Connection begins to write before the end of the turn once it has enough messages", async () => {
  class CountingStream extends HeldStream {
    readonly earlyMessages: number | undefined;
    written = 0;

    constructor(earlyMessages: number | undefined) {
      super(new Uint8Array());
      this.earlyMessages = earlyMessages;
    }

    override write(bytes: Uint8Array): Promise<number> {
      this.written += bytes.length;
      return Promise.resolve(bytes.length);
    }
  }
  for (const earlyMessages of [undefined, 32]) {
    const stream = new CountingStream(earlyMessages);
    const peer = new Peer("peer");
    const connection = connectionOf(new Uint8Array(), { stream, peer });
    let added = 0;
    const add = (messages: number) => {
      for (let i = 0; i < messages; i++) {
        peer.outbox.add(new Uint8Array(100));
        connection.flush();
        added += PREFIX_LENGTH + 100;
      }
    };
    const enough = earlyMessages ?? EARLY_MESSAGES;
    add(enough - 1);
    assert.equal(stream.written, 0);
    add(1);
    assert.equal(stream.written, added);
    await pause(0);
    add(enough - 1);
    assert.notEqual(stream.written, added);
    await eventually(() => stream.written === added, "the rest is written after the turn");
    connection.close("done");
  }
});

Deno.test("Connection says that its outbox is drained when the last of it is being written", async () => {
  const peer = new Peer("peer");
  const { outbox } = peer;
  for (let i = 0; i < 4; i++) outbox.add(new Uint8Array(MAX_WRITE));
  const waiting: number[] = [];
  peer.notifyDrained = () => void waiting.push(outbox.size);
  const connection = connectionOf(new Uint8Array(), { peer });
  await eventually(() => outbox.size === 0, "all is written");
  assert.deepEqual(waiting, [0]);
  connection.close("done");
});

Deno.test("Connection keeps no process alive by its heartbeat", () => {
  const { setInterval } = globalThis;
  const made: { hasRef(): boolean }[] = [];
  globalThis.setInterval = ((...args: Parameters<typeof setInterval>) => {
    const timer = setInterval(...args);
    made.push(timer as unknown as { hasRef(): boolean });
    return timer;
  }) as typeof setInterval;
  try {
    const connection = connectionOf(new Uint8Array());
    assert.deepEqual(made.map((timer) => timer.hasRef()), [false]);
    connection.close("done");
  } finally {
    globalThis.setInterval = setInterval;
  }
});
