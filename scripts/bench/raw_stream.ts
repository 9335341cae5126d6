/**
 * Bare sockets: what is left of a transport without a message system.
 *
 * @module
 */
import type { Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { CLIENT, type Place, SERVER } from "./ensemble_peer.ts";
import { readTlsFiles } from "./certificates.ts";

/** How many bytes are read at once. */
const READ_SIZE = 64 * 1024;

/** What a connection does at the far end, by its first byte. */
export enum RawMode {
  /** Sends back all bytes, without looking at them. */
  Bytes = 1,
  /** Sends back each frame. What one read brings is answered by one write. */
  Frames,
  /** Counts frames. An empty one is answered with the number of those before it. */
  Count,
  /** The same, and each frame becomes bytes of its own. */
  Take,
  /** Answers each byte with the memory of this process, in bytes. */
  Memory,
}

/** A stream of bytes between two processes. */
export interface RawStream {
  /** Reads what is there. The bytes are valid until the next read. Returns null at the end. */
  read(): Promise<Uint8Array | null>;
  /** Writes all bytes. They must not change before the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** Closes it. */
  close(): void;
}

/** Opens a stream, which does at the far end what its mode says. */
export async function openRaw(
  place: Place,
  mode: RawMode,
  readSize: number = READ_SIZE,
): Promise<RawStream> {
  const stream = await dial(place, readSize);
  await stream.write(new Uint8Array([mode]));
  // Else the mode and what follows could arrive in one read.
  await stream.read();
  return stream;
}

/** Writes bytes, and reads as many. Reading begins first, which is the fastest way. */
export async function roundTrip(stream: RawStream, bytes: Uint8Array): Promise<void> {
  let reading = stream.read();
  await stream.write(bytes);
  for (let left = bytes.length;; reading = stream.read()) {
    left -= (await reading)!.length;
    if (left === 0) return;
  }
}

async function dial(place: Place, readSize: number): Promise<RawStream> {
  const { transport, address, directory } = place;
  if (transport === "unix") {
    return new ConnStream(await Deno.connect({ transport: "unix", path: address }), readSize);
  }
  const port = Number(address);
  if (transport === "tcp") {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    return new ConnStream(connection, readSize);
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const files = await readTlsFiles(directory, CLIENT);
  const socket = connectTls({ ...files, host: "127.0.0.1", port }, resolve);
  socket.once("error", reject);
  await promise;
  return new SocketStream(socket);
}

/** Listens for streams. Returns the address: a path or a port. */
export async function listenRaw(
  { transport, directory }: Pick<Place, "transport" | "directory">,
  serve: (stream: RawStream) => void,
  readSize: number = READ_SIZE,
): Promise<string> {
  if (transport === "unix") {
    const path = `${directory}/raw`;
    void acceptAll(Deno.listen({ transport: "unix", path }));
    return path;
  }
  if (transport === "tcp") {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    void acceptAll(listener);
    return `${listener.addr.port}`;
  }
  const server = createTlsServer({
    ...await readTlsFiles(directory, SERVER),
    requestCert: true,
  }, (socket) => serve(new SocketStream(socket)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `${(server.address() as { port: number }).port}`;

  async function acceptAll(listener: Deno.Listener): Promise<void> {
    for await (const connection of listener) {
      if ("setNoDelay" in connection) (connection as Deno.TcpConn).setNoDelay(true);
      serve(new ConnStream(connection, readSize));
    }
  }
}

/** A socket of Deno's own API. */
class ConnStream implements RawStream {
  readonly #connection: Deno.Conn;
  readonly #buffer: Uint8Array;

  constructor(connection: Deno.Conn, readSize: number) {
    this.#connection = connection;
    this.#buffer = new Uint8Array(readSize);
  }

  async read(): Promise<Uint8Array | null> {
    const count = await this.#connection.read(this.#buffer);
    return count === null ? null : this.#buffer.subarray(0, count);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  close(): void {
    this.#connection.close();
  }
}

/** A socket of `node:tls`, the only one that can ask clients for certificates. */
class SocketStream implements RawStream {
  readonly #socket: Socket;
  readonly #arrived: Uint8Array[] = [];
  #ended = false;
  #wake: (bytes: Uint8Array | null) => void = () => {};
  #isWaiting = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => this.#take(bytes));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended = true;
      if (this.#isWaiting) this.#wake(null);
    });
  }

  read(): Promise<Uint8Array | null> {
    const next = this.#arrived.shift();
    if (next || this.#ended) return Promise.resolve(next ?? null);
    this.#isWaiting = true;
    return new Promise((resolve) => this.#wake = resolve);
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => void this.#socket.write(bytes, () => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Uint8Array): void {
    if (!this.#isWaiting) return void this.#arrived.push(bytes);
    this.#isWaiting = false;
    this.#wake(bytes);
  }
}
