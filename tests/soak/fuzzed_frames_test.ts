/**
 * Fuzzed frames, and fuzzed pieces of large messages, against a server in a process of its own.
 *
 * A member of the ensemble sends modified valid frames and random bytes over an authenticated
 * connection. When the server closes it, as it must, it reconnects. Meanwhile another server sends
 * asks, none of which may fail.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Envelope } from "../../runtime/actor/messaging.ts";
import { ActorRef } from "../../runtime/actor/references.ts";
import { ProtocolError } from "../../runtime/errors.ts";
import { ActorServer } from "../../runtime/server/actor_server.ts";
import { InstanceKey } from "../../runtime/server/credentials.ts";
import { type Address, localUnixAddress } from "../../runtime/wire/address.ts";
import { IncomingFrame } from "../../runtime/wire/envelope_frames.ts";
import { MAX_FRAME, MAX_MESSAGE } from "../../runtime/wire/limits.ts";
import { isPiece, PieceReader } from "../../runtime/wire/pieces.ts";
import { Tag } from "../../runtime/wire/value_format.ts";
import {
  firstPiece,
  frame,
  nextPiece,
  pieces,
  rogueBody,
  rogueFrame,
  type RogueHeader,
  RoguePeer,
} from "../rogue_peer.ts";
import { SeededRandom } from "../seeded_random.ts";

const FRAMES = 200_000;

/** The number of connections with fuzzed large messages. */
const LARGE_CONNECTIONS = 500;

/** Number of frames on a connection before the one that closes it. */
const BATCH = 200;

/** Limit for the server's memory at the end, in bytes. It starts with about 80 MiB. */
const MAX_MEMORY = 400 * 1024 * 1024;

/** Seed of the frames, to reproduce a failed run. */
const SEED_VARIABLE = "FUZZ_SEED";

const cycle: Record<string, unknown> = { name: "cycle" };
cycle.self = [cycle, new Map([[cycle, new Set([cycle])]])];

const BODIES = [
  { type: "ping" },
  { type: "echo", payload: "x".repeat(100), list: [1, -1, 1.5, true, null, undefined, "語"] },
  { type: "listActors" },
  { type: "listConnections" },
  { type: "threadState", serial: 1 },
  { type: "monitor", monitor: 1, actor: "echo" },
  { type: "demonitor", monitor: 1 },
  { type: "down", monitor: 1, reason: "none" },
  { type: "challenge", capabilities: ["admin"] },
  { type: "elevate", signature: new Uint8Array(64) },
  { type: "connect", server: "nowhere", addresses: [] },
  { type: "open", server: "other" },
  { type: "read", tunnel: 1 },
  { type: "write", tunnel: 1, bytes: new Uint8Array(200).fill(1) },
  { type: "end", tunnel: 1 },
  { type: "close", tunnel: 2 },
  [new Map([[1, { a: 1n << 70n }]]), new Set(["a", NaN]), new Error("e", { cause: [/a+/gu] })],
  [new Date(5), new Float64Array(9), new DataView(new ArrayBuffer(3)), Object(5), "\ud800"],
  new ActorRef("a", "b"),
  cycle,
].map(rogueBody);

const DESTINATIONS = ["server", "echo", "tunnels", "nobody", 1, 2, 3, 99];

function randomBytes(random: SeededRandom, limit: number): Uint8Array {
  const bytes = new Uint8Array(random.below(limit));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256);
  return bytes;
}

function randomHeader(random: SeededRandom): RogueHeader {
  return {
    dest: random.pick(DESTINATIONS),
    nonce: random.below(1000),
    replyExpected: random.below(2) === 0,
    failed: random.below(8) === 0,
    ...random.below(4) === 0 && { replyTo: random.below(1000) },
    ...random.below(4) === 0 && { timeout: random.pick([0, -1, 1, 5000, Infinity, NaN]) },
    ...random.below(8) === 0 && { trailing: [...randomBytes(random, 20)] },
  };
}

/** Changes bits, sets bytes to those that mean something, cuts, or puts a piece of another in. */
function mutate(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const changed = bytes.slice();
  for (let i = 1 + random.below(2); i > 0 && changed.length > 0; i--) {
    const at = random.below(changed.length);
    if (random.below(2) === 0) changed[at]! ^= 1 << random.below(8);
    else {changed[at] = random.pick([
        0,
        0x7f,
        0x80,
        0xbf,
        0xc1,
        0xd1,
        0xff,
        Tag.Null + random.below(24),
      ]);}
  }
  switch (random.below(12)) {
    case 0:
      return changed.subarray(0, random.below(changed.length + 1));
    case 1: {
      const piece = random.pick(BODIES);
      const at = random.below(changed.length + 1);
      const from = random.below(piece.length);
      return join([changed.subarray(0, at), piece.subarray(from)]);
    }
    default:
      return changed;
  }
}

/**
 * The frames of a large message. Most have a wrong number, or pieces that are missing, repeated or
 * changed.
 */
function largeMessage(random: SeededRandom): Uint8Array[] {
  const binary = { bytes: new Uint8Array(MAX_FRAME + random.below(1000)), text: "after it" };
  const text = "x".repeat(MAX_FRAME + random.below(1000));
  const message = random.pick([binary, text, [binary, text, binary]]);
  const { timeout, ...rest } = randomHeader(random);
  // Whether one of 1 ms is over when all pieces have come depends on the host.
  const fields = { ...rest, ...timeout !== undefined && timeout !== 1 && { timeout } };
  const header = rogueFrame(fields, new Uint8Array());
  const envelope = join([header, rogueBody(message)]);
  // Where the bytes of `binary` are, and elsewhere.
  const bytesAt = header.length + rogueBody({ bytes: new Uint8Array() }).length;
  const payload = {
    offset: random.pick([0, bytesAt, random.below(envelope.length)]),
    length: random.pick([0, binary.bytes.length, random.below(envelope.length)]),
  };
  const size = 20_000 + random.below(100_000);
  const bodies = pieces(envelope, { size, ...random.below(2) === 0 && { payload } });
  const at = random.below(bodies.length);
  switch (random.below(8)) {
    case 0:
      bodies[at] = mutate(bodies[at]!, random);
      break;
    case 1:
      bodies.splice(at, 1);
      break;
    case 2:
      bodies.splice(at, 0, random.pick(bodies));
      break;
    case 3: {
      const totals = [0, MAX_FRAME, MAX_MESSAGE, MAX_MESSAGE + 1, random.below(2 ** 32)];
      bodies[0] = firstPiece({ total: random.pick(totals), payload }, bodies[0]!.subarray(14));
      break;
    }
    case 4:
      bodies.splice(at, 0, nextPiece(randomBytes(random, 2)));
  }
  return bodies;
}

/** Valid frames of all kinds of headers and messages. */
function validFrames(random: SeededRandom): Uint8Array[] {
  return Array.from(
    { length: 500 },
    () => rogueFrame(randomHeader(random), random.pick(BODIES)),
  );
}

/** The body of a frame: mostly right in its header, so that it gets as far as the values. */
function fuzzed(valid: Uint8Array[], random: SeededRandom): Uint8Array {
  const kind = random.below(10);
  if (kind === 0) return randomBytes(random, 200);
  const bytes = random.pick(valid);
  if (kind === 1) return mutate(bytes, random);
  if (kind === 2) return bytes;
  const header = bytes.subarray(0, bytes[0]! | bytes[1]! << 8);
  const body = kind === 3
    ? randomBytes(random, 100)
    : mutate(bytes.subarray(header.length), random);
  return join([header, body]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const PING = rogueBody({ type: "ping" });

/** The nonce of the ask that confirms that all frames were taken. No fuzzed frame has it. */
const OWN_NONCE = 2 ** 40;

const TARGET = "target";

/** Whether a server has to close the connection because of a frame, after the pieces before it. */
function isMalformed(bytes: Uint8Array, before = new PieceReader()): boolean {
  if (bytes.length === 0) return false;
  if (bytes.length === 1) return bytes[0] !== 0xc0;
  const incoming = new IncomingFrame();
  try {
    if (isPiece(bytes, 0)) {
      if (!before.take(bytes, 0, bytes.length)) return false;
      incoming.readLarge(before.finish(), 0);
    } else {
      incoming.read(bytes, 0, bytes.length);
    }
    // Messages without a receiver are not decoded. The target's actors are among these.
    const { dest, replyTo } = incoming;
    const isAnswer = replyTo !== undefined && replyTo % 2 === 0;
    const exists = typeof dest === "number"
      ? dest > 1 && dest < 6
      : /^(server|echo|tunnels)$/.test(dest);
    if (exists && !isAnswer && !incoming.expired) incoming.decode(TARGET);
    return false;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return true;
  }
}

/** Sends frames that the server must take, makes sure that it took them, and then one that it must not. */
async function fuzz(rogue: RoguePeer, valid: Uint8Array[], random: SeededRandom): Promise<void> {
  const taken: Uint8Array[] = [];
  let last: Uint8Array | undefined;
  while (taken.length < BATCH || !last) {
    const bytes = fuzzed(valid, random);
    if (isMalformed(bytes)) last = bytes;
    else if (taken.length < BATCH && !isPiece(bytes, 0)) taken.push(bytes);
  }
  await sendTaken(rogue, taken);
  await rogue.send(last);
  await rogue.closed();
}

/** The same with large messages, between which there are small ones. The last one may be cut short. */
async function fuzzLarge(
  rogue: RoguePeer,
  valid: Uint8Array[],
  random: SeededRandom,
): Promise<void> {
  const reader = new PieceReader();
  const taken: Uint8Array[] = [];
  for (let count = 0; count < 4; count++) {
    for (const body of largeMessage(random)) {
      if (isMalformed(body, reader)) {
        await sendTaken(rogue, taken);
        await rogue.send(body);
        return await rogue.closed();
      }
      taken.push(body);
      const between = fuzzed(valid, random);
      if (!isPiece(between, 0) && !isMalformed(between)) taken.push(between);
    }
  }
  await sendTaken(rogue, taken);
}

/** Sends frames, and makes sure that the server took them. */
async function sendTaken(rogue: RoguePeer, bodies: readonly Uint8Array[]): Promise<void> {
  await rogue.write(join(bodies.map(frame)));
  await rogue.sendEnvelope({ dest: "server", nonce: OWN_NONCE, replyExpected: true }, PING);
  let answer: Envelope | undefined;
  do {
    answer = await rogue.receiveEnvelope();
    assert.ok(answer, "the server closed the connection for a frame that is in order");
  } while (answer.replyTo !== OWN_NONCE);
  assert.equal(answer.message, "OK");
}

/** Sends asks from another server until told to end, and returns the number of answers. */
async function askMeanwhile(server: ActorServer, signal: AbortSignal): Promise<number> {
  const echo = new ActorRef(TARGET, "echo");
  for (let asked = 0;; asked++) {
    if (signal.aborted) return asked;
    const request = { type: "echo", asked };
    assert.deepEqual(await server.actors.ask(echo, request, { timeout: 20_000 }), request);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Starts the target, and a server connected to it. */
async function startTarget(address: Address & { kind: "unix" }, cookie: Uint8Array) {
  const program = fileURLToPath(new URL("./fuzzed_target.ts", import.meta.url));
  const target = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, address.path, cookie.toHex()],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = target.stdout.getReader();
  const { done } = await reader.read();
  await reader.cancel();
  assert.ok(!done, "the server did not start");
  return target;
}

Deno.test(`${FRAMES} fuzzed frames, and fuzzed large messages, do not affect a server and its other connections`, async () => {
  const given = Deno.env.get(SEED_VARIABLE);
  const seed = Number(given ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  console.log(`${SEED_VARIABLE}=${seed}`);
  const random = new SeededRandom(seed);
  const directory = await Deno.makeTempDir({ prefix: "gx-" });
  const address = localUnixAddress(`${directory}/target`) as Address & { kind: "unix" };
  const cookie = crypto.getRandomValues(new Uint8Array(32));
  const target = await startTarget(address, cookie);
  const innocent = await ActorServer.start({
    id: "innocent",
    cookies: [cookie],
    listen: [],
    registry: [],
    roles: [],
    register: false,
  });
  // A malformed frame logs an error, and there are hundreds of thousands here.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    await innocent.connect(TARGET, [address]);
    const session = innocent.session(TARGET);
    const end = new AbortController();
    const asking = askMeanwhile(innocent, end.signal);
    asking.catch(() => end.abort());
    const instance = await InstanceKey.generate();
    const valid = validFrames(random);
    for (let sent = 0; sent < FRAMES && !end.signal.aborted; sent += BATCH + 1) {
      using rogue = await RoguePeer.join(address, { cookie, instance });
      await fuzz(rogue, valid, random);
    }
    for (let count = 0; count < LARGE_CONNECTIONS && !end.signal.aborted; count++) {
      using rogue = await RoguePeer.join(address, { cookie, instance });
      await fuzzLarge(rogue, valid, random);
    }
    end.abort();
    assert.ok(await asking > 0);
    assert.equal(innocent.session(TARGET), session);
    const memory = new ActorRef(TARGET, "memory");
    const bytes = await innocent.actors.ask<number>(memory, { type: "get" });
    console.log(`the server has ${Math.round(bytes / 1024 / 1024)} MiB`);
    assert.ok(bytes < MAX_MEMORY, `the server has ${bytes} bytes`);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    await innocent.stop({ grace: 100 });
    target.kill("SIGKILL");
    await target.status;
    await Deno.remove(directory, { recursive: true });
  }
});
