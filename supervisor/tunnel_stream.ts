/**
 * The client's end of a tunnel: a stream to a server through a supervisor.
 *
 * @module
 */
import type { Messaging } from "../runtime/actor/messaging.ts";
import { ActorRef } from "../runtime/actor/references.ts";
import type { Client } from "../runtime/actor/service.ts";
import { ActorError, DisconnectedError, EnsembleError } from "../runtime/errors.ts";
import type { ByteStream } from "../runtime/wire/stream.ts";
import type { Bytes } from "../runtime/server/credentials.ts";
import { notSupervisor } from "./supervisor_protocol.ts";
import {
  MAX_TUNNEL_PART,
  MAX_TUNNEL_READS,
  MAX_TUNNEL_WAITING,
  type TunnelHandlers,
  TUNNELS_ACTOR,
  tunnelsClient,
} from "./tunnels_protocol.ts";

/** A read waits until the server sends something. The heartbeats of the two ends notice a loss. */
const NO_TIMEOUT = { timeout: Infinity };

const NOTHING = new Uint8Array();

/**
 * Checks that tunnels lead through a server: that it is a supervisor.
 *
 * @throws {EnsembleError} if it is none, or cannot be reached.
 */
export async function requireSupervisor(
  asker: Pick<Messaging, "ask">,
  supervisor: string,
): Promise<void> {
  try {
    await asker.ask(new ActorRef(supervisor, TUNNELS_ACTOR), { type: "ping" });
  } catch (error) {
    if (!(error instanceof EnsembleError) || error.code !== "UNKNOWN_ACTOR") throw error;
    throw notSupervisor(supervisor, error);
  }
}

/**
 * Opens a tunnel to a server on the host of a supervisor.
 *
 * @throws {DisconnectedError} if the supervisor cannot be reached.
 * @throws {EnsembleError} if it refuses, or cannot reach the server.
 */
export async function openTunnel(
  asker: Pick<Messaging, "ask">,
  { supervisor, server }: { readonly supervisor: string; readonly server: string },
): Promise<ByteStream> {
  const tunnels = tunnelsClient(asker, supervisor);
  try {
    const { tunnel } = await tunnels.open({ server });
    return new TunnelStream(tunnels, { supervisor, tunnel });
  } catch (error) {
    if (!(error instanceof EnsembleError) || error instanceof DisconnectedError) throw error;
    if (error.code === "UNKNOWN_ACTOR") throw notSupervisor(supervisor, error);
    const Kind = error instanceof ActorError ? ActorError : EnsembleError;
    throw new Kind(`through ${supervisor}: ${error.message}`, { cause: error, code: error.code });
  }
}

class TunnelStream implements ByteStream {
  readonly kind = "tunnel";
  readonly via: string;
  readonly #tunnels: Client<TunnelHandlers>;
  readonly #request: { readonly tunnel: number };
  /** The answers to the requests to read that are under way, in order. */
  readonly #reads: Promise<Bytes>[] = [];
  /** What has been read and not taken. */
  #rest: Uint8Array = NOTHING;
  #isAtEnd = false;
  /** What is being written, in order. */
  readonly #writes: { readonly size: number; readonly done: Promise<void> }[] = [];
  /** The number of bytes that the supervisor has not yet said to be written. */
  #waiting = 0;
  #isClosed = false;

  constructor(
    tunnels: Client<TunnelHandlers>,
    { supervisor, tunnel }: { supervisor: string; tunnel: number },
  ) {
    this.#tunnels = tunnels;
    this.via = supervisor;
    this.#request = { tunnel };
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#isAtEnd) return null;
    if (this.#rest.length === 0) {
      while (this.#reads.length < MAX_TUNNEL_READS) this.#reads.push(this.#readPart());
      this.#rest = await this.#reads.shift()!;
      if (this.#rest.length === 0) {
        this.#isAtEnd = true;
        return null;
      }
    }
    const part = this.#rest.subarray(0, buffer.length);
    buffer.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.#requireOpen();
    const part = bytes.subarray(0, MAX_TUNNEL_PART) as Bytes;
    while (this.#waiting + part.length > MAX_TUNNEL_WAITING) await this.#oneWritten();
    this.#requireOpen();
    const done = this.#tunnels.write({ ...this.#request, bytes: part }, NO_TIMEOUT);
    done.catch(() => {}); // The next write fails with it.
    this.#writes.push({ size: part.length, done });
    this.#waiting += part.length;
    return part.length;
  }

  async closeWrite(): Promise<void> {
    while (this.#writes.length > 0) await this.#oneWritten();
    this.#requireOpen();
    try {
      await this.#tunnels.end(this.#request);
    } catch (error) {
      throw this.#lost(error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // The supervisor closes it itself when their connection has ended.
    this.#tunnels.close(this.#request).catch(() => {});
  }

  #readPart(): Promise<Bytes> {
    const part = this.#tunnels.read(this.#request, NO_TIMEOUT).catch((error) => {
      throw this.#lost(error);
    });
    part.catch(() => {}); // The next read fails with it.
    return part;
  }

  async #oneWritten(): Promise<void> {
    const { size, done } = this.#writes.shift()!;
    try {
      await done;
    } catch (error) {
      throw this.#lost(error);
    }
    this.#waiting -= size;
  }

  #requireOpen(): void {
    if (this.#isClosed) {
      throw new Deno.errors.BadResource(`the tunnel through ${this.via} is closed`);
    }
  }

  #lost(error: unknown): Error {
    const { message } = error as Error;
    return new DisconnectedError(`the tunnel through ${this.via} has ended: ${message}`, {
      cause: error,
    });
  }
}
