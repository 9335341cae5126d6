/**
 * A peer that sends whatever bytes the test wants.
 *
 * @module
 */
import { FrameReader } from "../../../runtime/wire/frames.ts";
import { MAX_FRAME } from "../../../runtime/wire/limits.ts";
import type { ByteStream } from "../../../runtime/wire/stream.ts";
import type { Address } from "../../../runtime/wire/address.ts";
import { connectTo } from "../../../runtime/wire/transport.ts";

/** Bytes with the header of a frame before them. */
export function frame(body: Uint8Array): Uint8Array {
  const framed = new Uint8Array(4 + body.length);
  new DataView(framed.buffer).setUint32(0, body.length);
  framed.set(body, 4);
  return framed;
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
