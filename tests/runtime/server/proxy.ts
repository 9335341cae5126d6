/**
 * A way between two servers that is slow, and can be cut.
 *
 * @module
 */
import type { Address } from "../../../runtime/wire/address.ts";
import type { ByteStream, Listener } from "../../../runtime/wire/stream.ts";
import { connectTo, listenAt } from "../../../runtime/wire/transport.ts";

/** Passes on what comes to its address, after a while of its own for each piece. */
export class Proxy implements AsyncDisposable {
  /** Where it listens. */
  readonly address: Address;
  readonly #listener: Listener;
  readonly #streams = new Set<ByteStream>();
  readonly #delay: () => number;
  /** What comes waits for this, while the other end does not answer. */
  #hung: PromiseWithResolvers<void> | undefined;

  private constructor(listener: Listener, target: Address, delay: () => number) {
    this.address = listener.address;
    this.#listener = listener;
    this.#delay = delay;
    void this.#acceptAll(target);
  }

  /** Starts one that leads to `target`; `delay` gives how long to hold the next piece, in ms. */
  static async start(
    options: { at: Address; target: Address; delay?: () => number },
  ): Promise<Proxy> {
    return new Proxy(await listenAt(options.at), options.target, options.delay ?? (() => 0));
  }

  /** How many connections go through it. */
  get connections(): number {
    return this.#streams.size / 2;
  }

  /** Passes nothing on from now on, as if the other end were stopped. It still accepts. */
  hang(): void {
    this.#hung ??= Promise.withResolvers();
  }

  /** Passes on again, also what came meanwhile. */
  resume(): void {
    this.#hung?.resolve();
    this.#hung = undefined;
  }

  /** Closes the connections that go through it. */
  cut(): void {
    for (const stream of this.#streams) stream.close();
    this.#streams.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.#listener.close();
    this.cut();
    this.resume();
    await closing;
  }

  async #acceptAll(target: Address): Promise<void> {
    for (let next; (next = await this.#listener.accept());) {
      void this.#join(next.stream, target);
    }
  }

  async #join(near: ByteStream, target: Address): Promise<void> {
    const far = await connectTo(target).catch(() => undefined);
    if (!far) return near.close();
    const pair = [near, far];
    pair.forEach((stream) => this.#streams.add(stream));
    try {
      await Promise.all([this.#pass(near, far), this.#pass(far, near)]);
    } catch {
      // Cut, or closed by one end: then so for the other.
    }
    for (const stream of pair) if (this.#streams.delete(stream)) stream.close();
  }

  async #pass(from: ByteStream, to: ByteStream): Promise<void> {
    const buffer = new Uint8Array(16 * 1024);
    for (let count; (count = await from.read(buffer)) !== null;) {
      const delay = this.#delay();
      await this.#hung?.promise;
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      let rest = buffer.subarray(0, count);
      while (rest.length > 0) rest = rest.subarray(await to.write(rest));
    }
    await to.closeWrite();
  }
}
