/**
 * Connections: authenticated streams of envelopes.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { answersAsk, type Receiver } from "../actor/messaging.ts";
import { within } from "../timeout.ts";
import { ProtocolError } from "../errors.ts";
import type { Address } from "../wire/address.ts";
import { giveBack } from "../wire/buffers.ts";
import { IncomingFrame } from "../wire/envelope_frames.ts";
import { type FrameReader, type Outbox, PREFIX_LENGTH } from "../wire/frames.ts";
import { isPiece, PieceReader } from "../wire/pieces.ts";
import { ReadingTurns } from "../wire/reading_turns.ts";
import {
  EARLY_MESSAGES,
  FRAMES_PER_CHECK,
  LARGE_FRAME,
  MAX_FRAME,
  MAX_TURN,
  PROBE_TIMEOUT,
} from "../wire/limits.ts";
import { type ByteStream, closeStream } from "../wire/stream.ts";
import { Session } from "./capabilities.ts";
import type { Authenticated } from "./handshake.ts";
import type { Peer } from "./peers.ts";

const logger = getLogger(["gxensemble", "server"]);

const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array();

/** An empty frame: a heartbeat. */
const HEARTBEAT = NOTHING;

/** A frame of one byte: requests a heartbeat. */
const PROBE = new Uint8Array([0xc0]);

/** The heartbeat of a connection. */
export interface Heartbeat {
  /** After this time without sending, a heartbeat is sent, in ms. */
  readonly interval: number;
  /** After this time without receiving, the peer counts as dead, in ms. */
  readonly timeout: number;
}

/** Options of a connection. */
export interface ConnectionOptions {
  /** The address at which the peer was reached, or from which it connected. */
  readonly address: Address;
  /** The other server, whose outbox is sent. */
  readonly peer: Peer;
  /** The heartbeat of both ends. */
  readonly heartbeat: Heartbeat;
  /** Receives the messages. */
  readonly receiver: Pick<Receiver, "lines" | "settle" | "expects" | "deliver">;
  /** Called once, when the connection has ended. */
  onClosed(connection: Connection, why: string): void;
}

/** What a connection has carried in one direction, without the handshake. */
export interface Traffic {
  /** The number of messages, without heartbeats. */
  readonly messages: number;
  /** The number of bytes, with those of frames and heartbeats. */
  readonly bytes: number;
}

/** What connections have carried in both directions. */
export interface TotalTraffic {
  /** What came from other servers. */
  readonly received: Traffic;
  /** What was sent to other servers. */
  readonly sent: Traffic;
}

/** Adds up what connections have carried. */
export function addTraffic(all: Iterable<TotalTraffic>): TotalTraffic {
  const received = { messages: 0, bytes: 0 };
  const sent = { messages: 0, bytes: 0 };
  for (const each of all) {
    received.messages += each.received.messages;
    received.bytes += each.received.bytes;
    sent.messages += each.sent.messages;
    sent.bytes += each.sent.bytes;
  }
  return { received, sent };
}

/** A connection of a server, and what it has carried. */
export interface ConnectionInfo {
  /** The server at the other end. */
  readonly peer: string;
  /** The address at which it was reached, or from which it connected. */
  readonly address: Address;
  /** The time at which it was opened, in ms since 1970. */
  readonly since: number;
  /** What the peer has sent. */
  readonly received: Traffic;
  /** What was sent to the peer. */
  readonly sent: Traffic;
  /** The number of bytes that wait to be sent. */
  readonly waiting: number;
}

/** A stream to a peer, until either side closes it. */
export class Connection {
  /** The session of the peer on this connection. */
  readonly session: Session;
  readonly #stream: ByteStream;
  readonly #reader: FrameReader;
  readonly #frame = new IncomingFrame();
  readonly #pieces = new PieceReader();
  readonly #turns = new ReadingTurns();
  readonly #outbox: Outbox;
  readonly #options: ConnectionOptions;
  readonly #heart: ReturnType<typeof setInterval>;
  /** Whether it was closed because the peer was silent for too long. */
  isSilent = false;
  #lastReceived = performance.now();
  #lastBeat = performance.now();
  /** When the first piece came of the large message that is being received. */
  #largeBegan = 0;
  #sent = false;
  #writing = false;
  #flushing = false;
  #seen = 0;
  /** Whether an answer to a probe is already waiting to be written. */
  #answersProbe = false;
  #ended: string | undefined;
  readonly #since = Date.now();
  #receivedMessages = 0;
  #receivedBytes = 0;
  /** The messages that the outbox had given to earlier connections of the peer. */
  readonly #earlierMessages: number;
  #sentBytes = 0;
  /** The bytes that were taken from the outbox and are not written yet. */
  #unwritten = 0;
  readonly #closed = Promise.withResolvers<void>();
  /** Resolved when everything that {@linkcode Connection.drain} waits for is written. */
  #written: PromiseWithResolvers<void> | undefined;

  /** Takes over a stream after its handshake, and sends what is in the outbox. */
  constructor(
    stream: ByteStream,
    { peer, instance, certified, binding, reader, via, isBehind }: Authenticated,
    options: ConnectionOptions,
  ) {
    const { address, heartbeat } = options;
    this.session = new Session({ peer, instance, certified, binding, address, via, isBehind });
    this.#stream = stream;
    this.#reader = reader;
    this.#outbox = options.peer.outbox;
    this.#earlierMessages = this.#outbox.messagesTaken;
    this.#options = options;
    this.#heart = setInterval(() => this.#beat(), heartbeat.interval);
    this.#heart.unref();
    reader.limit = MAX_FRAME;
    void this.#readAll();
    this.flush();
  }

  /** Whether it is open. */
  get open(): boolean {
    return this.#ended === undefined;
  }

  /** What it has carried so far. */
  get info(): ConnectionInfo {
    const { peer, address } = this.session;
    return {
      peer,
      address,
      since: this.#since,
      received: { messages: this.#receivedMessages, bytes: this.#receivedBytes },
      sent: {
        messages: this.#outbox.messagesTaken - this.#earlierMessages,
        bytes: this.#sentBytes,
      },
      waiting: this.#outbox.size + this.#unwritten,
    };
  }

  /** The time of the last data from the peer, by `performance.now()`. */
  get lastReceived(): number {
    return this.#lastReceived;
  }

  /**
   * Writes the outbox at the end of this turn of the event loop, so that the messages of the turn go
   * out in few writes. If there is enough for a write already, it begins at once: the peer works on
   * those messages while this server makes the next ones.
   */
  flush(): void {
    if (this.#writing) return;
    if (this.#outbox.messagesAdded >= (this.#stream.earlyMessages ?? EARLY_MESSAGES)) {
      return void this.#writeAll();
    }
    if (this.#flushing) return;
    this.#flushing = true;
    this.#seen = -1;
    queueMicrotask(this.#settle);
  }

  /**
   * Asks the peer for a heartbeat. Returns whether it answered within `timeout` ms, by default
   * {@linkcode PROBE_TIMEOUT}.
   */
  async probe(timeout: number = PROBE_TIMEOUT): Promise<boolean> {
    const before = this.#lastReceived;
    this.#outbox.add(PROBE);
    this.flush();
    const deadline = performance.now() + timeout;
    while (this.open && this.#lastReceived === before && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.open && this.#lastReceived !== before;
  }

  /** Closes at once. Unsent messages are lost. */
  close(why: string): void {
    if (!this.open) return;
    this.#ended = why;
    this.session.ended = true;
    clearInterval(this.#heart);
    // The handshake's limits may have closed it a moment after the handshake.
    closeStream(this.#stream);
    this.#closed.resolve();
    this.#options.onClosed(this, why);
  }

  /** Writes what is waiting, lets the peer read it, and closes, within `timeout` ms. */
  async drain(timeout: number): Promise<void> {
    await within(timeout, this.#drain());
    this.close("drained");
  }

  async #drain(): Promise<void> {
    this.#written ??= Promise.withResolvers<void>();
    this.flush();
    await this.#written.promise;
    if (this.open) await this.#stream.closeWrite().catch(() => {});
    // Closing with unread input would reset the stream and discard what the peer has not read.
    await this.#closed.promise;
  }

  readonly #settle = (): void => {
    if (this.#outbox.size !== this.#seen) {
      this.#seen = this.#outbox.size;
      queueMicrotask(this.#settle);
      return;
    }
    this.#flushing = false;
    if (!this.#writing) void this.#writeAll();
  };

  async #writeAll(): Promise<void> {
    this.#writing = true;
    try {
      while (this.open && this.#outbox.size > 0) {
        let rest = this.#outbox.take();
        this.#answersProbe = false;
        this.#sent ||= rest.length > 0;
        // Now, not when all is written, so that new messages are gathered meanwhile.
        if (this.#outbox.size === 0) this.#options.peer.notifyDrained();
        while ((this.#unwritten = rest.length) > 0) {
          const written = await this.#stream.write(rest);
          this.#sentBytes += written;
          // Mostly it is all of them, and making an array takes time.
          rest = written === rest.length ? NOTHING : rest.subarray(written);
        }
      }
      // Once this one is closed, the next connection to the peer may be writing from its buffers.
      if (this.open) this.#outbox.rest();
    } catch (error) {
      this.close(`the connection was lost: ${(error as Error).message}`);
    }
    this.#writing = false;
    this.#written?.resolve();
  }

  async #readAll(): Promise<void> {
    try {
      do {
        // Mostly there is nothing to wait for, and awaiting that takes time.
        const turn = this.#turns.take();
        if (turn) await turn;
        // Many costly frames must not block everything else.
        let began = this.#lastReceived = performance.now();
        let count = 1;
        for (; this.open && this.#reader.next(); count++) {
          const isLarge = this.#reader.end - this.#reader.start > LARGE_FRAME;
          this.#receive();
          if (!isLarge && count % FRAMES_PER_CHECK !== 0) continue;
          if (performance.now() - began < MAX_TURN) continue;
          // A timer, since Deno polls its sockets only after many turns of `setImmediate`.
          await new Promise((resolve) => setTimeout(resolve));
          began = performance.now();
        }
        this.#turns.handled(count - 1);
        // Do not keep a large frame while the peer is silent.
        this.#frame.clear();
      } while (this.open && await this.#reader.fill());
      this.close(
        this.#reader.cut || this.#pieces.pending
          ? "the connection was lost inside a message"
          : "the peer closed it",
      );
    } catch (error) {
      if (!this.open) return;
      const { message } = error as Error;
      const { peer } = this.session;
      if (
        error instanceof ProtocolError &&
        this.#options.receiver.lines.allows(peer, "broken messages")
      ) {
        logger.warn("closing the connection to {peer}: {reason}", { peer, reason: message });
      }
      this.close(message);
    }
  }

  #receive(): void {
    const { buffer, start, end } = this.#reader;
    this.#receivedBytes += PREFIX_LENGTH + end - start;
    if (end - start > 1) {
      if (isPiece(buffer, start)) return this.#receivePiece();
      this.#frame.read(buffer, start, end);
      this.#deliver();
    } else if (end > start) {
      if (buffer[start] !== PROBE[0]) throw new ProtocolError("malformed frame: not an envelope");
      // A peer that reads nothing could fill the outbox with these.
      if (this.#answersProbe) return;
      this.#answersProbe = true;
      this.#outbox.add(HEARTBEAT);
      this.flush();
    }
  }

  #receivePiece(): void {
    const { buffer, start, end } = this.#reader;
    if (!this.#pieces.pending) this.#largeBegan = this.#lastReceived;
    if (!this.#pieces.take(buffer, start, end)) return;
    const large = this.#pieces.finish();
    this.#frame.readLarge(large, this.#lastReceived - this.#largeBegan);
    this.#deliver();
    this.#frame.clear();
    giveBack(large.envelope);
  }

  /** Delivers the message whose header was read. */
  #deliver(): void {
    this.#receivedMessages++;
    const frame = this.#frame;
    if (frame.expired) return;
    const { peer } = this.session;
    const { receiver } = this.#options;
    if (answersAsk(frame.replyTo)) return receiver.settle(frame, peer);
    const envelope = receiver.expects(frame)
      ? frame.decode(peer, this.#lastReceived)
      : frame.withoutMessage(peer);
    envelope.session = this.session;
    receiver.deliver(envelope);
  }

  #beat(): void {
    const { heartbeat } = this.#options;
    const now = performance.now();
    // A process that was suspended, for example with its host, still has to read what arrived
    // meanwhile.
    const wasStopped = now - this.#lastBeat > 2 * heartbeat.interval;
    this.#lastBeat = now;
    const silence = now - this.#lastReceived;
    if (silence > heartbeat.timeout && !wasStopped) {
      logger.warn("closing the connection to {peer}: silent for {seconds} s", {
        peer: this.session.peer,
        seconds: Math.round(silence / 1000),
      });
      this.isSilent = true;
      return this.close("the peer is silent");
    }
    if (!this.#sent) {
      this.#outbox.add(HEARTBEAT);
      this.flush();
    }
    this.#sent = false;
  }
}
