import assert from "node:assert/strict";
import { on, onDown } from "../../../runtime/actor/cases.ts";
import { TimeoutError } from "../../../runtime/errors.ts";
import { MAX_FRAME, MAX_MESSAGE } from "../../../runtime/wire/limits.ts";
import { isPiece } from "../../../runtime/wire/pieces.ts";
import { moveClock, passTime, stopClock } from "../../fake_clock.ts";
import {
  firstPiece,
  nextPiece,
  pieces,
  rogueBody,
  rogueFrame,
  type RogueHeader,
  RoguePeer,
} from "../../rogue_peer.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { anyPort, LocalEnsemble, refTo } from "./local_ensemble.ts";

const MIB = 1024 * 1024;
const TOTAL = MAX_FRAME + 1000;
const SOME = new Uint8Array(1000);

/** The frames of a request with many bytes, which are sent one by one. */
function largeRequest(request: Record<string, unknown>, header: Partial<RogueHeader> = {}) {
  const message = { ...request, bytes: new Uint8Array(2 * MAX_FRAME) };
  return pieces(rogueFrame({ dest: "sink", ...header }, rogueBody(message)));
}

Deno.test("a server answers others while a large message is being received", async () => {
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  const got: unknown[] = [];
  a.actors.serve("sink", { n: ({ n }: { n: number }) => void got.push(n) });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  for (const piece of largeRequest({ type: "n", n: 1 })) {
    assert.deepEqual(got, []);
    await rogue.send(piece);
    assert.equal((await rogue.ask("server", { type: "ping" })).message, "OK");
  }
  await rogue.ask("sink", { type: "n", n: 2 });
  assert.deepEqual(got, [1, 2]);
});

Deno.test("a probe is answered between the pieces of a large message", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.start("a", { register: false });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await rogue.send(firstPiece({ total: TOTAL }, SOME));
  await rogue.send(new Uint8Array([0xc0]));
  assert.equal((await rogue.receive())?.length, 0);
});

for (const kind of ["unix", "tcp"]) {
  Deno.test(`large asks and answers travel both ways at once over ${kind}`, async () => {
    await using ensemble = new LocalEnsemble();
    const listen = [kind === "unix" ? ensemble.socket("b") : anyPort()];
    const [a, b] = await Promise.all([
      ensemble.start("a", { register: false, listen: [] }),
      ensemble.start("b", { register: false, listen }),
    ]);
    await a.connect("b", b.entry.addresses);
    for (const server of [a, b]) server.actors.serve("echo", { echo: (value: unknown) => value });
    const ask = (i: number) => {
      const bytes = new Uint8Array(i * MIB).fill(i);
      const value = { type: "echo", i, bytes, text: "x".repeat(MIB) };
      const [from, to] = i % 2 ? [a, b] : [b, a];
      return from.actors.ask<typeof value>(refTo(to.id, "echo"), value, { timeout: 60_000 });
    };
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(ask));
    for (const [index, { i, bytes, text }] of answers.entries()) {
      assert.deepEqual([i, bytes.length, text.length], [index + 1, i * MIB, MIB]);
      assert.ok(bytes.every((byte) => byte === i));
    }
    assert.equal(a.connections().length, 1);
  });
}

Deno.test("an ask that waits for its turn behind a large message times out, and is not sent", async () => {
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  const to = refTo("rogue", "x");
  a.actors.tell(to, { name: "first", bytes: new Uint8Array(16 * MIB) });
  const late = a.actors.ask(to, { name: "late", bytes: new Uint8Array(MIB) }, { timeout: 1 });
  const small = a.actors.ask(to, { name: "small" }, { timeout: 1 });
  a.actors.tell(to, { name: "last" });
  await assert.rejects(late, TimeoutError);
  await assert.rejects(small, TimeoutError);
  const got = [await rogue.receiveEnvelope(), await rogue.receiveEnvelope()];
  assert.deepEqual(got.map((each) => (each!.message as { name: string }).name), ["first", "last"]);
});

Deno.test("the timeout of a large message runs from its first piece", async () => {
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  const got: unknown[] = [];
  a.actors.serve("sink", { n: ({ n }: { n: number }) => void got.push(n) });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  for (const [n, timeout] of [60_000, 600_000].entries()) {
    const [first, ...rest] = largeRequest({ type: "n", n }, { timeout });
    await rogue.send(first!);
    await rogue.ask("server", { type: "ping" });
    using _ = moveClock(300_000);
    for (const piece of rest) await rogue.send(piece);
    await rogue.ask("server", { type: "ping" });
    await rogue.ask("sink", { type: "n", n: n + 10 });
  }
  assert.deepEqual(got, [10, 1, 11]);
});

Deno.test("a monitor hears of an actor's end after its large messages", async () => {
  await using ensemble = new LocalEnsemble();
  const [a, b] = await Promise.all([
    ensemble.start("a", { register: false }),
    ensemble.start("b", { register: false }),
  ]);
  await a.connect("b", [ensemble.socket("b")]);
  const result = new Uint8Array(16 * MIB);
  for (const name of ["worker", undefined]) {
    const worker = a.actors.spawn(name, async (self) => {
      await self.receive([on("begin", () => self.tell(refTo("b", "watcher"), { result }))]);
    });
    const got: string[] = [];
    const watcher = b.actors.spawn("watcher", async (self) => {
      self.monitor(worker.ref);
      await self.ask(refTo("a", "server"), { type: "ping" });
      self.tell(worker.ref, { type: "begin" });
      const cases = [
        onDown(() => got.push("its end")),
        { matches: () => true, react: () => got.push("its result") },
      ];
      while (got.length < 2) await self.receive(cases);
    });
    assert.equal(await watcher.ended, undefined);
    assert.deepEqual(got, ["its result", "its end"]);
  }
});

const MALFORMED: Record<string, [bodies: Uint8Array[], reason: RegExp]> = {
  "a piece of no message": [[nextPiece(SOME)], /a piece of no message$/],
  "a large message inside another": [
    [firstPiece({ total: TOTAL }, SOME), firstPiece({ total: TOTAL }, SOME)],
    /a large message inside another$/,
  ],
  "a total beyond the limit": [
    [firstPiece({ total: MAX_MESSAGE + 1 }, SOME)],
    /a large message of 67108865 bytes/,
  ],
  "an empty piece": [
    [firstPiece({ total: TOTAL }, SOME), nextPiece(new Uint8Array())],
    /an empty piece$/,
  ],
  "more than was announced": [
    [firstPiece({ total: TOTAL }, SOME), ...Array(3).fill(nextPiece(new Uint8Array(100_000)))],
    /more pieces than announced$/,
  ],
  "a payload beyond the message": [
    [firstPiece({ total: TOTAL, payload: { offset: 1000, length: TOTAL } }, SOME)],
    /a payload beyond the message$/,
  ],
  "pieces that are no envelope": [
    pieces(new Uint8Array(TOTAL).fill(0xff)),
    /malformed frame: /,
  ],
  "a payload that is no binary value": [
    pieces(rogueFrame({ dest: "server" }, rogueBody("x".repeat(TOTAL))), {
      payload: { offset: 100, length: MAX_FRAME },
    }),
    /malformed frame: /,
  ],
};

for (const [what, [bodies, reason]] of Object.entries(MALFORMED)) {
  Deno.test(`only the connection is closed, with one line: ${what}`, async () => {
    using logs = await CapturedLogs.start();
    await using ensemble = new LocalEnsemble();
    const [a, b] = await Promise.all([
      ensemble.start("a", { register: false }),
      ensemble.start("b", { register: false }),
    ]);
    await b.connect("a", [ensemble.socket("a")]);
    using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
    // The server may close it before all is written.
    for (const body of bodies) await rogue.send(body).catch(() => {});
    await rogue.closed();
    assert.equal(logs.complaints.length, 1, logs.complaints.join("\n"));
    assert.match(logs.complaints[0]!, /^WARN server: closing the connection to rogue: malformed/);
    assert.match(logs.complaints[0]!, reason);
    assert.equal(await b.actors.ask(refTo("a", "server"), { type: "ping" }), "OK");
    assert.deepEqual(LocalEnsemble.peers(a), ["b"]);
  });
}

Deno.test("a connection that ends between pieces is lost without harm", async () => {
  using logs = await CapturedLogs.start("debug");
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  {
    using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
    await rogue.send(firstPiece({ total: TOTAL }, SOME));
  }
  await eventually(
    () => logs.matching(/lost: the connection was lost inside a message/).length === 1,
    "a line",
  );
  assert.deepEqual(LocalEnsemble.peers(a), []);
});

Deno.test("what waits behind a large message is lost with its connection, and the next one works", async () => {
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  {
    using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
    await eventually(() => LocalEnsemble.peers(a).length === 1, "the connection is in use");
    a.actors.tell(refTo("rogue", "x"), new Uint8Array(16 * MIB));
    a.actors.tell(refTo("rogue", "x"), "behind it");
    assert.ok(isPiece((await rogue.receive())!, 0));
  }
  await eventually(() => LocalEnsemble.peers(a).length === 0, "the connection is lost");
  using again = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await eventually(() => LocalEnsemble.peers(a).length === 1, "the next connection is in use");
  a.actors.tell(refTo("rogue", "x"), "next");
  assert.equal((await again.receiveEnvelope())?.message, "next");
});

Deno.test("a server that stops sends all of a large message, and what follows it", async () => {
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await eventually(() => LocalEnsemble.peers(a).length === 1, "the connection is in use");
  a.actors.tell(refTo("rogue", "x"), new Uint8Array(16 * MIB));
  a.actors.tell(refTo("rogue", "x"), "behind it");
  const stopped = a.stop();
  assert.equal(((await rogue.receiveEnvelope())?.message as Uint8Array).length, 16 * MIB);
  assert.equal((await rogue.receiveEnvelope())?.message, "behind it");
  while (await rogue.receiveEnvelope());
  rogue[Symbol.dispose]();
  await stopped;
});

Deno.test("pieces are a sign of life, and a heartbeat goes between them", async () => {
  using clock = stopClock("setInterval", "clearInterval");
  await using ensemble = new LocalEnsemble();
  const heartbeat = { interval: 100_000, timeout: 500_000 };
  const a = await ensemble.start("a", { register: false, heartbeat });
  using rogue = await RoguePeer.join(ensemble.socket("a"), { cookie: ensemble.cookie });
  await eventually(() => LocalEnsemble.peers(a).length === 1, "the connection is in use");
  const got = Promise.withResolvers<void>();
  a.actors.serve("sink", { n: () => got.resolve() });
  using time = new DisposableStack();
  let sent = 0;
  for (const piece of largeRequest({ type: "n" })) {
    await rogue.send(piece);
    sent += 4 + piece.length;
    await eventually(() => a.connections()[0]!.received.bytes === sent, "the piece has come");
    time.use(passTime(clock, heartbeat.timeout - heartbeat.interval));
    assert.deepEqual(LocalEnsemble.peers(a), ["rogue"]);
    assert.equal((await rogue.receive())?.length, 0);
  }
  await got.promise;
});
