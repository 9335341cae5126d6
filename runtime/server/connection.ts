/**
 * Connections: authenticated streams of envelopes.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Receiver } from "../actor/messaging.ts";
import { within } from "../actor/time.ts";
import { ProtocolError } from "../errors.ts";
import type { Address } from "../wire/address.ts";
import { IncomingFrame } from "../wire/codec.ts";
import type { FrameReader, Outbox } from "../wire/frames.ts";
import {
  FRAMES_PER_CHECK,
  LARGE_FRAME,
  MAX_FRAME,
  MAX_TURN,
  PROBE_TIMEOUT,
} from "../wire/limits.ts";
import type { ByteStream } from "../wire/stream.ts";
import { Session } from "./capabilities.ts";
import type { Authenticated } from "./handshake.ts";
import type { Peer } from "./peers.ts";

const logger = getLogger(["gxensemble", "server"]);

/** A frame without a body: says that this side lives. */
const HEARTBEAT = new Uint8Array(0);

/** A frame of one byte: asks for a heartbeat. */
const PROBE = new Uint8Array([0xc0]);

/** How a connection shows that its ends live. */
export interface Heartbeat {
  /** After how long without sending anything a sign of life is sent, in ms. */
  readonly interval: number;
  /** After how long without receiving anything the peer is taken for dead, in ms. */
  readonly timeout: number;
}

/** What a connection is made of, besides its stream. */
export interface ConnectionOptions {
  /** Where the peer was reached, or where it came from. */
  readonly address: Address;
  /** The other server: what waits in its outbox is sent. */
  readonly peer: Peer;
  /** How both ends show that they live. */
  readonly heartbeat: Heartbeat;
  /** Takes in what comes. */
  readonly receiver: Pick<Receiver, "lines" | "expects" | "deliver">;
  /** Called once, when the connection is over. */
  onClosed(connection: Connection, why: string): void;
}

/** One stream to one peer, in use until either side closes it. */
export class Connection {
  /** What is known of the peer while this lasts. */
  readonly session: Session;
  readonly #stream: ByteStream;
  readonly #reader: FrameReader;
  readonly #frame = new IncomingFrame();
  readonly #outbox: Outbox;
  readonly #options: ConnectionOptions;
  readonly #heart: ReturnType<typeof setInterval>;
  /** Whether it was closed because the peer was silent for too long. */
  isSilent = false;
  #lastReceived = performance.now();
  #lastBeat = performance.now();
  #sent = false;
  #writing = false;
  #flushing = false;
  #seen = 0;
  /** Whether the answer to a probe waits to be written: another one says no more. */
  #answersProbe = false;
  #ended: string | undefined;
  readonly #closed = Promise.withResolvers<void>();
  /** The end of the writing that {@linkcode Connection.drain} waits for. */
  #written: PromiseWithResolvers<void> | undefined;

  /** Takes over a stream after its handshake; what is in the outbox is sent. */
  constructor(
    stream: ByteStream,
    { peer, instance, certified, binding, reader }: Authenticated,
    options: ConnectionOptions,
  ) {
    const { address, heartbeat } = options;
    this.session = new Session({ peer, instance, certified, binding, address });
    this.#stream = stream;
    this.#reader = reader;
    this.#outbox = options.peer.outbox;
    this.#options = options;
    this.#heart = setInterval(() => this.#beat(), heartbeat.interval);
    this.#heart.unref();
    reader.limit = MAX_FRAME;
    void this.#readAll();
    this.flush();
  }

  /** Whether it is in use. */
  get open(): boolean {
    return this.#ended === undefined;
  }

  /** When the peer was heard last, by `performance.now()`. */
  get lastReceived(): number {
    return this.#lastReceived;
  }

  /**
   * Has the outbox written in this turn of the event loop, once nothing more is added to it: so all that this turn
   * sends leaves in one write.
   */
  flush(): void {
    if (this.#flushing || this.#writing) return;
    this.#flushing = true;
    this.#seen = -1;
    queueMicrotask(this.#settle);
  }

  /** Asks the peer for a sign of life; says whether one came within {@linkcode PROBE_TIMEOUT}. */
  async probe(): Promise<boolean> {
    const before = this.#lastReceived;
    this.#outbox.add(PROBE);
    this.flush();
    const deadline = performance.now() + PROBE_TIMEOUT;
    while (this.open && this.#lastReceived === before && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.open && this.#lastReceived !== before;
  }

  /** Closes at once; what is not written yet is lost. */
  close(why: string): void {
    if (!this.open) return;
    this.#ended = why;
    this.session.ended = true;
    clearInterval(this.#heart);
    this.#stream.close();
    this.#closed.resolve();
    this.#options.onClosed(this, why);
  }

  /** Writes what is waiting, lets the peer read it to the end, and closes; `timeout` in ms in all. */
  async drain(timeout: number): Promise<void> {
    await within(timeout, this.#drain());
    this.close("drained");
  }

  async #drain(): Promise<void> {
    this.#written ??= Promise.withResolvers<void>();
    this.flush();
    await this.#written.promise;
    if (this.open) await this.#stream.closeWrite().catch(() => {});
    // Closing with unread input would reset the stream and take back what the peer has not read.
    await this.#closed.promise;
  }

  readonly #settle = (): void => {
    if (this.#outbox.size !== this.#seen) {
      this.#seen = this.#outbox.size;
      queueMicrotask(this.#settle);
      return;
    }
    this.#flushing = false;
    void this.#writeAll();
  };

  async #writeAll(): Promise<void> {
    this.#writing = true;
    try {
      while (this.open && this.#outbox.size > 0) {
        let rest = this.#outbox.take();
        this.#answersProbe = false;
        this.#sent ||= rest.length > 0;
        // Now, and not when all is written: so the next messages are gathered while these are being written.
        if (this.#outbox.size === 0) this.#options.peer.notifyDrained();
        while (rest.length > 0) rest = rest.subarray(await this.#stream.write(rest));
      }
    } catch (error) {
      this.close(`the connection was lost: ${(error as Error).message}`);
    }
    this.#writing = false;
    this.#written?.resolve();
  }

  async #readAll(): Promise<void> {
    try {
      do {
        // Many costly frames must not keep everything else waiting.
        let began = this.#lastReceived = performance.now();
        for (let count = 1; this.open && this.#reader.next(); count++) {
          const isLarge = this.#reader.end - this.#reader.start > LARGE_FRAME;
          this.#receive();
          if (!isLarge && count % FRAMES_PER_CHECK !== 0) continue;
          if (performance.now() - began < MAX_TURN) continue;
          // A timer: Deno looks at its sockets only after many turns of `setImmediate`.
          await new Promise((resolve) => setTimeout(resolve));
          began = performance.now();
        }
        // A large frame is not kept while the peer is silent.
        this.#frame.clear();
      } while (this.open && await this.#reader.fill());
      this.close(
        this.#reader.cut ? "the connection was lost inside a message" : "the peer closed it",
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
    if (end - start > 1) {
      const frame = this.#frame;
      frame.read(buffer, start, end);
      if (frame.expired) return;
      const { peer } = this.session;
      const { receiver } = this.#options;
      const expected = receiver.expects(frame, peer);
      const envelope = expected ? frame.decode(peer) : frame.withoutMessage(peer);
      envelope.session = this.session;
      receiver.deliver(envelope);
    } else if (end > start) {
      if (buffer[start] !== PROBE[0]) throw new ProtocolError("malformed frame: not an envelope");
      // A peer that reads nothing could fill the outbox with these.
      if (this.#answersProbe) return;
      this.#answersProbe = true;
      this.#outbox.add(HEARTBEAT);
      this.flush();
    }
  }

  #beat(): void {
    const { heartbeat } = this.#options;
    const now = performance.now();
    // A process that was stopped, as when its host slept, has yet to read what came meanwhile.
    const wasStopped = now - this.#lastBeat > 2 * heartbeat.interval;
    this.#lastBeat = now;
    const silence = now - this.#lastReceived;
    if (silence > heartbeat.timeout && !wasStopped) {
      logger.warn("closing the connection to {peer}: silent for {seconds} s", {
        peer: this.session.peer,
        seconds: Math.round(silence / 1000),
      });
      this.isSilent = true;
      return this.close("the peer fell silent");
    }
    if (!this.#sent) {
      this.#outbox.add(HEARTBEAT);
      this.flush();
    }
    this.#sent = false;
  }
}
