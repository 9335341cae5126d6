/**
 * Peers that break the rules: one below the handshake, which sends any bytes that a test provides,
 * and a member of the ensemble, which has the cookie and completes the handshake before it does.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Envelope } from "../runtime/actor/messaging.ts";
import { type ActorId, ActorRef } from "../runtime/actor/references.ts";
import {
  type Authenticated,
  clientHandshake,
  serverHandshake,
} from "../runtime/server/handshake.ts";
import { CookieKeys } from "../runtime/server/cookie_keys.ts";
import { type Credentials, InstanceKey } from "../runtime/server/credentials.ts";
import type { Address } from "../runtime/wire/address.ts";
import type { ByteStream } from "../runtime/wire/stream.ts";
import { connectTo } from "../runtime/wire/transport.ts";
import { FrameReader } from "../runtime/wire/frames.ts";
import { MAX_FRAME } from "../runtime/wire/limits.ts";
import { Arrivals, encodeEnvelope } from "./runtime/wire/single_frames.ts";

/** Bytes with the header of a frame before them. */
export function frame(body: Uint8Array): Uint8Array {
  const framed = new Uint8Array(4 + body.length);
  new DataView(framed.buffer).setUint32(0, body.length);
  framed.set(body, 4);
  return framed;
}

/** The body of the first frame of a large message. Any number can be one that no honest server sends. */
export function firstPiece(
  { total, payload = { offset: 0, length: 0 } }: {
    total: number;
    payload?: { offset: number; length: number };
  },
  bytes: Uint8Array = new Uint8Array(),
): Uint8Array {
  const numbers = new Uint8Array(new Uint32Array([total, payload.offset, payload.length]).buffer);
  return concatenate([new Uint8Array([0, 0]), numbers, bytes]);
}

/** The body of another frame of a large message. */
export function nextPiece(bytes: Uint8Array): Uint8Array {
  return concatenate([new Uint8Array([1, 0]), bytes]);
}

/** The bodies of the frames in which an envelope of any size travels. */
export function pieces(
  envelope: Uint8Array,
  { size = 100_000, payload }: {
    size?: number;
    payload?: { offset: number; length: number };
  } = {},
): Uint8Array[] {
  const first = firstPiece({ total: envelope.length, payload }, envelope.subarray(0, size));
  const bodies = [first];
  for (let at = size; at < envelope.length; at += size) {
    bodies.push(nextPiece(envelope.subarray(at, at + size)));
  }
  return bodies;
}

/** How long a test waits for a frame, in ms: one that never comes is a failure, and no test that hangs. */
const DEADLINE = 20_000;

/** One end of a stream, below the handshake. */
export class RawPeer implements Disposable {
  readonly #stream: ByteStream;
  readonly #reader: FrameReader;

  /** Speaks on a stream; after a handshake with its reader, which may hold frames already. */
  constructor(stream: ByteStream, reader: FrameReader = new FrameReader(stream, 0)) {
    this.#stream = stream;
    this.#reader = reader;
    reader.limit = MAX_FRAME;
  }

  /** Connects to an address. */
  static async connect(address: Address): Promise<RawPeer> {
    return new RawPeer(await connectTo(address));
  }

  /** Sends bytes as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#stream.write(rest));
  }

  /** Sends bytes as a frame. */
  send(body: Uint8Array): Promise<void> {
    return this.write(frame(body));
  }

  /** The body of the next frame, or undefined when the other end has closed. Rejects when neither comes. */
  async receive(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this[Symbol.dispose]();
    }, DEADLINE);
    try {
      while (!this.#reader.next()) if (!await this.#reader.fill()) return undefined;
    } catch (error) {
      if (late) throw new Error(`neither a frame nor the end came within ${DEADLINE} ms`);
      if (error instanceof Deno.errors.ConnectionReset) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
    const { buffer, start, end } = this.#reader;
    return buffer.slice(start, end) as Uint8Array<ArrayBuffer>;
  }

  /** Reads until the other end closes. */
  async closed(): Promise<void> {
    while (await this.receive());
  }

  [Symbol.dispose](): void {
    try {
      this.#stream.close();
    } catch {
      // Closed already.
    }
  }
}

/** The identity that a rogue claims. */
export interface RogueOptions {
  /** The ensemble's cookie. */
  readonly cookie: Uint8Array;
  /** Its id; default `rogue`. */
  readonly id?: string;
  /** Its instance; default a new one. Two connections of one instance belong to one server. */
  readonly instance?: InstanceKey;
  /** Its certificate, and the authorities it trusts. */
  readonly tls?: Credentials["tls"];
}

/**
 * The header of a frame as a rogue writes it. Any field can have a value that no honest server
 * sends.
 */
export interface RogueHeader {
  /** The receiving actor. */
  readonly dest: ActorId;
  /** The claimed sender; default `rogue`. */
  readonly source?: ActorId;
  /** Its nonce; default the next one, even like those of asks. */
  readonly nonce?: number;
  /** The nonce that it answers; default none. */
  readonly replyTo?: number;
  /** Its timeout, in ms; default none. */
  readonly timeout?: number;
  /** Whether an answer is expected; default false. */
  readonly replyExpected?: boolean;
  /** Whether it is an answer that reports a failure; default false. */
  readonly failed?: boolean;
  /** Fields at its end that this version does not know; default none. */
  readonly trailing?: readonly number[];
}

const NOBODY = ActorRef.unchecked("rogue", "");

/**
 * Encodes a value as the body of a message. A test writes a value that no honest server can send as
 * bytes.
 */
export function rogueBody(value: unknown): Uint8Array {
  const envelope = new Envelope(value, "", NOBODY, 0, undefined, undefined, false, false);
  const bytes = encodeEnvelope(envelope);
  return bytes.subarray(new DataView(bytes.buffer).getUint16(0, true));
}

/**
 * Makes a frame of a header and any bytes as the message; see `runtime/wire/envelope_frames.ts`.
 */
export function rogueFrame(header: RogueHeader, body: Uint8Array): Uint8Array {
  const { dest, source = "rogue", nonce = 4, replyTo, timeout, trailing = [] } = header;
  const flags = (header.replyExpected ? 1 : 0) | (header.failed ? 2 : 0) |
    (timeout === undefined ? 0 : 4) | (replyTo === undefined ? 0 : 8);
  const numbers = [nonce, timeout ?? [], replyTo ?? []].flat();
  const fields = concatenate([
    new Uint8Array(new Float64Array(numbers).buffer),
    rogueBody(dest),
    rogueBody(source),
    new Uint8Array(trailing),
  ]);
  const length = 3 + fields.length;
  return concatenate([new Uint8Array([length, length >>> 8, flags]), fields, body]);
}

/** One connection of a rogue; closed with `using`. */
export class RoguePeer extends RawPeer {
  /** The id that it claims. */
  readonly id: string;
  /** Its instance: its key pair. */
  readonly instance: InstanceKey;
  /** The id of the server at the other end. */
  readonly peer: string;
  #nonce = 2;
  readonly #arrivals = new Arrivals();

  private constructor(stream: ByteStream, self: Credentials, { peer, reader }: Authenticated) {
    super(stream, reader);
    this.id = self.id;
    this.instance = self.instance;
    this.peer = peer;
  }

  /** Connects to a server. Rejects if the server refuses it. */
  static async join(address: Address, options: RogueOptions): Promise<RoguePeer> {
    // Before it connects, as servers do: a server that is busy closes clients that say nothing.
    const self = await credentialsOf(options);
    const stream = await connectTo(address, { tls: options.tls });
    return await RoguePeer.#greet(stream, self);
  }

  /** Completes the handshake on a stream that the test has opened. */
  static async over(stream: ByteStream, options: RogueOptions): Promise<RoguePeer> {
    return await RoguePeer.#greet(stream, await credentialsOf(options));
  }

  static async #greet(stream: ByteStream, self: Credentials): Promise<RoguePeer> {
    return new RoguePeer(
      stream,
      self,
      await clientHandshake(stream, self, { proceed: () => true }),
    );
  }

  /** Completes the handshake on a stream that a server has opened to the test. */
  static async accept(stream: ByteStream, options: RogueOptions): Promise<RoguePeer> {
    const self = await credentialsOf(options);
    const admit = () => Promise.resolve(undefined);
    return new RoguePeer(stream, self, await serverHandshake(stream, self, { admit }));
  }

  /** Sends a message with any header, and any bytes as the message. */
  async sendEnvelope(header: RogueHeader, body: Uint8Array): Promise<void> {
    const envelope = rogueFrame({ nonce: this.#nonce += 2, ...header }, body);
    if (envelope.length <= MAX_FRAME) return await this.send(envelope);
    for (const piece of pieces(envelope)) await this.send(piece);
  }

  /** Sends a message; the value is not checked. */
  tell(dest: ActorId, message: unknown): Promise<void> {
    return this.sendEnvelope({ dest }, rogueBody(message));
  }

  /** Sends a message and waits for its answer, which can be a failure. Skips everything else. */
  async ask(dest: ActorId, message: unknown): Promise<Envelope> {
    const nonce = this.#nonce += 2;
    await this.sendEnvelope({ dest, nonce, replyExpected: true }, rogueBody(message));
    while (true) {
      const envelope = await this.receiveEnvelope();
      assert.ok(envelope, `${this.peer} closed the connection and did not answer`);
      if (envelope.replyTo === nonce) return envelope;
    }
  }

  /** The next message, or undefined when the other end has closed. Skips heartbeats and probes. */
  async receiveEnvelope(): Promise<Envelope | undefined> {
    for (let bytes; (bytes = await this.receive());) {
      const envelope = this.#arrivals.take(bytes, this.peer);
      if (envelope) return envelope;
    }
    return undefined;
  }

  /** On a connection to the registry: registers this instance under its id. */
  async register(addresses: readonly Address[] = [], roles: readonly string[] = []): Promise<void> {
    const { id, instance } = this;
    const state = "up";
    const entry = { id, instance: instance.publicKey, addresses, roles, state };
    const { failed, message } = await this.ask("registry", { type: "register", entry });
    assert.ok(!failed, Deno.inspect(message));
  }
}

async function credentialsOf(options: RogueOptions): Promise<Credentials> {
  const [instance, cookies] = await Promise.all([
    options.instance ?? InstanceKey.generate(),
    CookieKeys.import([options.cookie]),
  ]);
  return { id: options.id ?? "rogue", instance, cookies, tls: options.tls };
}

/** Joins bytes. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
