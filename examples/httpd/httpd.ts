/**
 * A small HTTP server whose handlers can be registered while it runs.
 *
 * @module
 */

/** Answers a request by writing to the response. */
export type HttpHandler = (request: Request, response: HttpResponse) => void | Promise<void>;

/** Options of {@linkcode startHttpServer}. */
export interface HttpServerOptions {
  /** The port to listen on; 0 for any free port. */
  port: number;
  /** The address to listen on. Default: every IPv4 address of this host. */
  hostname?: string;
  /** Shuts the server down once requests under way are answered. */
  signal?: AbortSignal;
}

/** A running server. */
export class HttpServer {
  readonly #handlers = new Map<string, HttpHandler>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** Starts listening; see {@linkcode startHttpServer}. */
  constructor({ port, hostname = "0.0.0.0", signal }: HttpServerOptions) {
    this.#server = Deno.serve(
      { port, hostname, signal, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  /** The port that it listens on. */
  get port(): number {
    return this.#server.addr.port;
  }

  /** Resolves when the server has shut down. */
  get finished(): Promise<void> {
    return this.#server.finished;
  }

  /** Registers the handler for exactly this path, and replaces an earlier one. */
  register(path: string, handler: HttpHandler): void {
    this.#handlers.set(path, handler);
  }

  #answer(request: Request): Response | Promise<Response> {
    const handler = this.#handlers.get(new URL(request.url).pathname);
    if (handler === undefined) return new Response(null, { status: 404 });
    const response = new HttpResponse(request);
    // Not awaited: a handler may still send chunks after its response has begun.
    runHandler(handler, request, response);
    return response.started;
  }
}

/** The response to one request: either sent whole, or begun, sent in chunks, and ended. */
export class HttpResponse {
  /** Resolves with the response for the client, as soon as it has begun. */
  readonly started: Promise<Response>;

  readonly #start: (response: Response) => void;
  readonly #isHead: boolean;
  #isStarted = false;
  #chunks: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | undefined;

  /** Makes the response to a request. A HEAD response has no body. */
  constructor(request: Request) {
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.started = promise;
    this.#start = resolve;
    this.#isHead = request.method === "HEAD";
  }

  /** Sends a complete response. */
  write(status: number, headers: HeadersInit, body: string | Uint8Array<ArrayBuffer> = ""): void {
    const bytes = toBytes(body);
    const allHeaders = new Headers(headers);
    // A HEAD response has the length of the body, but not the body.
    allHeaders.set("Content-Length", String(bytes.length));
    this.#respond(this.#isHead ? null : bytes, status, allHeaders);
  }

  /** Begins a response whose body follows in chunks. */
  begin(status: number, headers: HeadersInit): void {
    const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
    this.#respond(readable, status, headers);
    this.#chunks = writable.getWriter();
    // Chunks are dropped after the body has ended, or after the client has disconnected.
    if (this.#isHead) this.#chunks.close().catch(() => {});
  }

  /**
   * Sends a chunk of the body. Resolves when the client is ready for another one, or has
   * disconnected and the chunk is dropped.
   */
  chunk(data: string | Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#body.write(toBytes(data)).catch(() => {});
  }

  /** Ends a body sent in chunks. */
  end(): Promise<void> {
    return this.#body.close().catch(() => {});
  }

  /** Reports that the handler failed: with status 500, or by breaking off a body that has begun. */
  fail(error: unknown): void {
    if (!this.#isStarted) this.write(500, {});
    else this.#chunks?.abort(error).catch(() => {});
  }

  /** Whether the response has begun. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  get #body(): WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> {
    if (this.#chunks === undefined) throw new Error("the response must begin before its chunks");
    return this.#chunks;
  }

  #respond(body: BodyInit | null, status: number, headers: HeadersInit): void {
    if (this.#isStarted) throw new Error("the response was written already");
    this.#start(new Response(body, { status, headers }));
    this.#isStarted = true;
  }
}

let current: HttpServer | undefined;

/**
 * Starts a server without handlers. Until one is registered, every request gets a 404.
 *
 * @throws {Deno.errors.AddrInUse} if the port is in use.
 */
export function startHttpServer(options: HttpServerOptions): HttpServer {
  current = new HttpServer(options);
  return current;
}

/**
 * The server started last in this process, with which loaded code registers its handlers.
 *
 * @throws {Error} if none was started.
 */
export function currentHttpServer(): HttpServer {
  if (current === undefined) throw new Error("no HTTP server was started in this process");
  return current;
}

/** Registers the handler for exactly this path, and replaces an earlier one. */
export function registerHandler(server: HttpServer, path: string, handler: HttpHandler): void {
  server.register(path, handler);
}

async function runHandler(
  handler: HttpHandler,
  request: Request,
  response: HttpResponse,
): Promise<void> {
  try {
    await handler(request, response);
    if (!response.isStarted) throw new Error("the handler wrote no response");
  } catch (error) {
    console.error(`${request.method} ${new URL(request.url).pathname} failed:`, error);
    response.fail(error);
  }
}

function toBytes(data: string | Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}
