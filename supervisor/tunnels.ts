/**
 * The tunnels of a supervisor: streams of bytes between clients that are connected with it and the
 * servers of its host, which may have no other address than their UNIX sockets.
 *
 * The supervisor does not take part in what goes through. The two ends do their handshake with each
 * other, in which both name the supervisor; see `docs/protocol.md`.
 *
 * @module
 */
import { UNBOUNDED } from "../runtime/actor/mailbox.ts";
import type { HandlerContext } from "../runtime/actor/handler_context.ts";
import type { HandlersOf } from "../runtime/actor/service.ts";
import { EnsembleError } from "../runtime/errors.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import { type Session, sessionOf } from "../runtime/server/capabilities.ts";
import {
  MAX_TUNNEL_PART,
  MAX_TUNNEL_READS,
  MAX_TUNNEL_WAITING,
  tunnelChecks,
  type TunnelHandlers,
  TUNNELS_ACTOR,
} from "./tunnels_protocol.ts";
import { localUnixAddress } from "../runtime/wire/address.ts";
import { type ByteStream, closeStream } from "../runtime/wire/stream.ts";
import { connectTo, UnreachableError } from "../runtime/wire/transport.ts";

/** The capability to reach servers through a supervisor. */
const SUPERVISOR = "supervisor";

/** The most tunnels at once: in all, and of one connection. */
const MAX_TUNNELS = 1_024;
const MAX_OF_ONE = 512;

/**
 * A tunnel through which nothing has gone for so long is closed, in ms. Two servers send heartbeats
 * more often.
 */
const IDLE_TIMEOUT = 120_000;

/** How often idle tunnels are looked for, in ms. */
const IDLE_CHECK = 10_000;

/** Options of {@linkcode serveTunnels}. */
export interface TunnelsOptions {
  /** The path of the UNIX socket of a server on this host. */
  socket(id: string): string;
  /** The time after which an idle tunnel is closed, in ms. */
  readonly idleTimeout?: number;
}

/**
 * Starts the actor `tunnels` in a supervisor. To be called while the server is prepared, since it is
 * a part of it.
 */
export function serveTunnels(server: ActorServer, options: TunnelsOptions): void {
  const tunnels = new Tunnels(server, options);
  server.hold(tunnels);
  server.serve<TunnelHandlers>(TUNNELS_ACTOR, tunnels.handlers(), {
    concurrent: true,
    drains: false,
    mailbox: UNBOUNDED,
    requests: tunnelChecks,
  });
}

class Tunnels implements Disposable {
  readonly #server: ActorServer;
  readonly #options: TunnelsOptions;
  readonly #open = new Map<number, Tunnel>();
  /** The connections that have tunnels, or are opening some, and how many. */
  readonly #counts = new Map<Session | undefined, number>();
  #last = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(server: ActorServer, options: TunnelsOptions) {
    this.#server = server;
    this.#options = options;
    server.onDisconnected((session) => {
      for (const tunnel of this.#open.values()) {
        if (tunnel.session === session) this.#close(tunnel, "its client has disconnected");
      }
    });
  }

  handlers(): HandlersOf<TunnelHandlers> {
    return {
      open: async ({ server }, { envelope }) => {
        const tunnel = await this.#server.capabilities.attempt(envelope, {
          capability: SUPERVISOR,
          what: "tunnel",
          details: { target: server },
          work: () => this.#openTo(server, sessionOf(envelope)),
        });
        return { tunnel };
      },
      read: (request, context) => this.#find(request, context).read(() => this.#room(context)),
      write: (request, context) => this.#find(request, context).write(request.bytes),
      end: (request, context) => this.#find(request, context).end(),
      close: (request, { envelope }) => {
        const tunnel = this.#open.get(request.tunnel);
        if (tunnel && tunnel.session === sessionOf(envelope)) {
          this.#close(tunnel, "its client closed it");
        }
      },
    };
  }

  [Symbol.dispose](): void {
    for (const tunnel of this.#open.values()) this.#close(tunnel, "the supervisor stops");
  }

  async #openTo(id: string, session: Session | undefined): Promise<number> {
    if (session?.via !== undefined) {
      throw new EnsembleError(
        `a tunnel does not lead to another: connect to ${this.#server.id} without ${session.via}`,
      );
    }
    if (id === this.#server.id) {
      throw new EnsembleError(`${id} is the supervisor itself, and needs no tunnel`);
    }
    const count = this.#counts.get(session) ?? 0;
    const all = [...this.#counts.values()].reduce((sum, each) => sum + each, 0);
    if (count >= MAX_OF_ONE) throw new EnsembleError(`${MAX_OF_ONE} tunnels are open already`);
    if (all >= MAX_TUNNELS) {
      throw new EnsembleError(`${all} tunnels of several clients are open: try again later`);
    }
    this.#counts.set(session, count + 1);
    try {
      const stream = await this.#connect(id);
      if (session?.ended || this.#server.signal.aborted) {
        closeStream(stream);
        throw new EnsembleError("its client has disconnected, or the supervisor stops");
      }
      const number = ++this.#last;
      this.#open.set(number, new Tunnel(stream, { number, session }));
      this.#timer ??= this.#checkIdle();
      return number;
    } catch (error) {
      this.#uncount(session);
      throw error;
    }
  }

  async #connect(id: string): Promise<ByteStream> {
    try {
      return await connectTo(localUnixAddress(this.#options.socket(id)));
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      const { why, message } = error;
      throw new EnsembleError(
        why === "no socket" || why === "refused"
          ? `no server ${id} listens on its host: ${message}`
          : message,
      );
    }
  }

  /** Waits until a client has read enough of what was sent to it. */
  async #room({ sender: { server: client } }: HandlerContext): Promise<void> {
    while (this.#server.congested(client)) await this.#server.flushed(client);
  }

  /** The tunnel of a request, if it belongs to its connection, which may still use it. */
  #find({ tunnel: number }: { tunnel: number }, { envelope }: HandlerContext): Tunnel {
    const tunnel = this.#open.get(number);
    if (!tunnel || tunnel.session !== sessionOf(envelope)) {
      throw new EnsembleError("there is no such tunnel, or it has ended");
    }
    const { capabilities } = this.#server;
    if (!capabilities.allows(envelope, SUPERVISOR)) {
      this.#close(tunnel, "its client has lost the capability supervisor");
    }
    tunnel.use();
    return tunnel;
  }

  #close(tunnel: Tunnel, why: string): void {
    if (!this.#open.delete(tunnel.number)) return;
    tunnel.close(why);
    this.#uncount(tunnel.session);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #uncount(session: Session | undefined): void {
    const count = this.#counts.get(session)! - 1;
    if (count > 0) this.#counts.set(session, count);
    else this.#counts.delete(session);
  }

  #checkIdle(): ReturnType<typeof setInterval> {
    const { idleTimeout = IDLE_TIMEOUT } = this.#options;
    const timer = setInterval(() => {
      for (const tunnel of this.#open.values()) {
        if (tunnel.idle > idleTimeout) this.#close(tunnel, "it was not used for a while");
      }
    }, Math.min(IDLE_CHECK, idleTimeout));
    timer.unref();
    return timer;
  }
}

/** A stream to a server for a client. */
class Tunnel {
  /** Its number. */
  readonly number: number;
  /** The connection with its client; undefined for an actor of this server. */
  readonly session: Session | undefined;
  readonly #stream: ByteStream;
  #lastUsed = performance.now();
  /** The number of requests to read that are not answered. */
  #reads = 0;
  #reading: Promise<unknown> = Promise.resolve();
  /** The number of bytes that are to be written. */
  #waiting = 0;
  #writing: Promise<unknown> = Promise.resolve();
  #ended: string | undefined;

  constructor(
    stream: ByteStream,
    { number, session }: { number: number; session: Session | undefined },
  ) {
    this.number = number;
    this.session = session;
    this.#stream = stream;
  }

  /** For how long nothing has gone through, in ms. */
  get idle(): number {
    return performance.now() - this.#lastUsed;
  }

  /** Notes that it is used, and requires that it is open. */
  use(): void {
    if (this.#ended !== undefined) throw this.#over();
    this.#lastUsed = performance.now();
  }

  /**
   * Reads what the server has sent next, once there is room for it at the client. Only one part at a
   * time is taken from the socket.
   */
  read(room: () => Promise<void>): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#reads >= MAX_TUNNEL_READS) {
      throw new EnsembleError("too many requests to read at once");
    }
    this.#reads++;
    const reading = this.#reading.then(room).then(() => this.#readPart())
      .finally(() => this.#reads--);
    this.#reading = reading.catch(() => {});
    return reading;
  }

  /** Writes after what was to be written before. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#waiting + bytes.length > MAX_TUNNEL_WAITING) {
      throw new EnsembleError("too many bytes at once");
    }
    this.#waiting += bytes.length;
    const writing = this.#writing.then(() => this.#writeAll(bytes))
      .finally(() => this.#waiting -= bytes.length);
    this.#writing = writing.catch(() => {});
    return writing;
  }

  /** Says that no more bytes come, after those before. */
  end(): Promise<void> {
    const ending = this.#writing.then(() => this.#attempt(() => this.#stream.closeWrite()));
    this.#writing = ending.catch(() => {});
    return ending;
  }

  /** Closes it, with the reason for those who still use it. */
  close(why: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    closeStream(this.#stream);
  }

  async #readPart(): Promise<Uint8Array<ArrayBuffer>> {
    const buffer = new Uint8Array(MAX_TUNNEL_PART);
    const count = await this.#attempt(() => this.#stream.read(buffer));
    this.#lastUsed = performance.now();
    return buffer.subarray(0, count ?? 0);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      rest = rest.subarray(await this.#attempt(() => this.#stream.write(rest)));
      this.#lastUsed = performance.now();
    }
  }

  async #attempt<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#ended !== undefined) throw this.#over();
    try {
      return await work();
    } catch (error) {
      throw this.#ended === undefined
        ? new EnsembleError(`the server closed it: ${(error as Error).message}`)
        : this.#over();
    }
  }

  #over(): EnsembleError {
    return new EnsembleError(`${this.#ended}`);
  }
}
