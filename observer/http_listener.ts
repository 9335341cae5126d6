/**
 * Listening for HTTP, with limits.
 *
 * `node:http` reads the requests. It gets its connections from here, because its own listener (Deno
 * 2.9) accepts none any more after the process has once been out of file descriptors. `Deno.serve`
 * limits neither connections nor the time of a request.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Duplex } from "node:stream";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { describeThrown } from "../runtime/error_report.ts";
import { shorten } from "../runtime/safe_text.ts";
import { type Address, formatEndpoint, type InternetAddress } from "../runtime/wire/address.ts";
import {
  type Accepted,
  type ByteStream,
  closeStream,
  type Listener,
} from "../runtime/wire/stream.ts";
import { listenAt } from "../runtime/wire/transport.ts";

const logger = getLogger(["gxensemble", "server"]);

/** The maximum size of a request's headers, in bytes. */
const MAX_HEADERS = 8 * 1024;

/** The size of what is read at once, in bytes. */
const READ_SIZE = 4 * 1024;

/** The maximum number of open connections. Each has one request. */
const MAX_CONNECTIONS = 64;

/** How many connections are accepted in one turn of the event loop. */
const ACCEPTED_PER_TURN = 16;

/** How long the headers of a request may take to arrive, in ms. */
const REQUEST_TIMEOUT = 5_000;

/** How long an answer may take, and to be read, in ms. */
const ANSWER_TIMEOUT = 10_000;

/** How long the client has to close the connection after it got its answer, in ms. */
const LINGER = 1_000;

const TIMED_OUT = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";

/** What answers a request. `from` is the IP address of the client. */
export type Respond = (
  request: IncomingMessage,
  response: ServerResponse,
  from: string,
) => void | Promise<void>;

/** An accepted connection. */
interface Connection {
  readonly from: string;
  /** Ends it when its present step takes too long. */
  timer: ReturnType<typeof setTimeout>;
}

/** Listens for HTTP at an address until disposed. */
export class HttpListener implements AsyncDisposable {
  readonly #listener: Listener;
  readonly #respond: Respond;
  readonly #http: Server;
  readonly #connections = new Map<Duplex, Connection>();
  /** Those that have not sent the headers of a request yet, the oldest first. */
  readonly #waiting = new Set<Duplex>();

  private constructor(listener: Listener, respond: Respond) {
    this.#listener = listener;
    this.#respond = respond;
    this.#http = createServer(
      { maxHeaderSize: MAX_HEADERS },
      (request, response) => this.#take(request, response),
    );
    void this.#acceptAll();
  }

  /**
   * Listens.
   *
   * @throws {EnsembleError} if it cannot, with the reason.
   */
  static async open(address: InternetAddress, respond: Respond): Promise<HttpListener> {
    return new HttpListener(await listenAt(address), respond);
  }

  /** Its URL, with the port that it got: `http://127.0.0.1:9100`. */
  get url(): string {
    return `http://${formatEndpoint(this.#listener.address as InternetAddress)}`;
  }

  /** Closes it and its connections. Then its port is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.close();
    for (const socket of this.#connections.keys()) this.#end(socket);
  }

  async #acceptAll(): Promise<void> {
    let accepted = 0;
    for (let next; (next = await this.#listener.accept());) {
      this.#admit(next);
      // What others have sent is read meanwhile.
      if (++accepted % ACCEPTED_PER_TURN === 0) await new Promise((resolve) => setTimeout(resolve));
    }
  }

  /**
   * Takes a connection. If there are too many, the one ends that has waited longest with its
   * request, so that silent clients do not keep others out.
   */
  #admit({ stream, from }: Accepted): void {
    const socket = asDuplex(stream);
    const timer = setTimeout(() => this.#refuseSlow(socket), REQUEST_TIMEOUT);
    this.#connections.set(socket, { from: hostOf(from), timer });
    this.#waiting.add(socket);
    socket.on("error", () => {}); // Clients may leave at any time.
    socket.on("close", () => this.#end(socket));
    if (this.#connections.size > MAX_CONNECTIONS) {
      const [oldest = socket] = this.#waiting;
      this.#end(oldest);
      if (oldest === socket) return;
    }
    this.#http.emit("connection", socket);
  }

  /** Takes the request of a connection. */
  #take(request: IncomingMessage, response: ServerResponse): void {
    const socket: Duplex = request.socket;
    this.#waiting.delete(socket);
    this.#endIn(ANSWER_TIMEOUT, socket);
    response.on("finish", () => this.#endIn(LINGER, socket));
    response.setHeader("Connection", "close");
    void this.#answer(request, response);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { from = "" } = this.#connections.get(request.socket) ?? {};
    try {
      await this.#respond(request, response, from);
    } catch (error) {
      logger.error("cannot answer a request for {path}: {reason}", {
        path: shorten(request.url ?? ""),
        reason: describeThrown(error),
        error,
      });
      if (!response.headersSent) response.writeHead(500).end();
    }
  }

  #refuseSlow(socket: Duplex): void {
    socket.end(TIMED_OUT);
    this.#endIn(LINGER, socket);
  }

  #endIn(time: number, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (!connection) return;
    clearTimeout(connection.timer);
    connection.timer = setTimeout(() => this.#end(socket), time);
  }

  #end(socket: Duplex): void {
    clearTimeout(this.#connections.get(socket)?.timer);
    this.#connections.delete(socket);
    this.#waiting.delete(socket);
    socket.destroy();
  }
}

/** The host of a client's address. */
function hostOf(address: Address): string {
  return address.kind === "unix" ? address.path : address.host;
}

/** The end of the headers of a request. */
const END_OF_HEADERS = /\r?\n\r?\n/;

/**
 * A stream as `node:http` takes it. It gives only the headers of the first request: what else a
 * client has sent, such as a thousand requests, is dropped unread.
 */
function asDuplex(stream: ByteStream): Duplex {
  /** The last bytes that were read, which may have a part of the end of the headers. */
  let last = "";
  let isRead = false;
  const read = async (socket: Duplex) => {
    const bytes = Buffer.alloc(READ_SIZE);
    const count = await stream.read(bytes);
    if (count === null) return void socket.push(null);
    const text = last + bytes.toString("latin1", 0, count);
    const found = END_OF_HEADERS.exec(text);
    isRead = found !== null;
    const end = found ? found.index + found[0].length - last.length : count;
    last = text.slice(-3);
    socket.push(bytes.subarray(0, end));
  };
  const write = async (bytes: Uint8Array) => {
    for (let written = 0; written < bytes.length;) {
      written += await stream.write(bytes.subarray(written));
    }
  };
  /** Ends the answer. The client gets all of it only if nothing unread is left at the close. */
  const finish = async () => {
    await stream.closeWrite();
    const bytes = new Uint8Array(READ_SIZE);
    while (await stream.read(bytes) !== null);
  };
  return new Duplex({
    read() {
      if (!isRead) read(this).catch((error) => this.destroy(error));
    },
    write(bytes: Uint8Array, _encoding, done) {
      write(bytes).then(() => done(), done);
    },
    final(done) {
      done();
      finish().catch(() => {}).finally(() => this.destroy());
    },
    destroy(error, done) {
      closeStream(stream);
      done(error);
    },
  });
}
