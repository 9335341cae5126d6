/**
 * Serves the observer's page on this host, with the data that it shows.
 *
 * It is a server of `node:http`, since `Deno.serve` limits neither connections nor the time of a
 * request.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { EnsembleError, InvalidInputError } from "../runtime/errors.ts";
import { formatEndpoint, type InternetAddress, isLoopback } from "../runtime/wire/address.ts";
import { messageOf } from "../runtime/wire/system_errors.ts";
import type { EventStreams } from "./event_streams.ts";
import { shown } from "./observed_values.ts";
import { checkAction, type PageActions } from "./page_actions.ts";
import { type PageAccess, securityHeaders } from "./page_access.ts";
import type { PageFile, PageFiles } from "./page_files.ts";
import type { ServerViews } from "./server_views.ts";

const logger = getLogger(["gxensemble", "observer"]);

/** The maximum size of a request's headers, and of the body of an action, in bytes. */
const MAX_HEADERS = 16 * 1024;
const MAX_BODY = 4 * 1024;

/** The maximum number of open connections. A browser has six for each page. */
const MAX_CONNECTIONS = 128;

/** The maximum number of requests for views that are answered at the same time. */
const MAX_QUESTIONS = 32;

/** How long a request may take to arrive, in ms. */
const REQUEST_TIMEOUT = 5_000;

/** How often is looked for requests that take longer, in ms. */
const LOOK_INTERVAL = 1_000;

/** What the page server serves. */
export interface PageContents {
  /** Decides who sees the page. */
  readonly access: PageAccess;
  /** The page. */
  readonly files: PageFiles;
  /** Its streams of changes. */
  readonly streams: EventStreams;
  /** What it asks for. */
  readonly views: ServerViews;
  /** What it can have done; absent if nothing. */
  readonly actions?: PageActions | undefined;
}

/** The HTTP server of the page, until disposed. */
export class PageServer implements Disposable {
  readonly #contents: PageContents;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #address: InternetAddress;
  readonly #http: Server;
  /** The connections without a request, the oldest first. */
  readonly #idle = new Set<Socket>();
  #open = 0;
  #questions = 0;

  private constructor(address: InternetAddress, contents: PageContents) {
    this.#address = address;
    this.#contents = contents;
    this.#headers = securityHeaders(contents.files.importMapHash);
    this.#http = createServer({
      maxHeaderSize: MAX_HEADERS,
      headersTimeout: REQUEST_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionsCheckingInterval: LOOK_INTERVAL,
      keepAliveTimeout: REQUEST_TIMEOUT,
    }, (request, response) => void this.#respond(request, response));
    this.#http.on("connection", (socket) => this.#admit(socket));
  }

  /**
   * Listens at an address of this host.
   *
   * @throws {EnsembleError} if it cannot, or if other hosts could connect to it.
   */
  static async open(address: InternetAddress, contents: PageContents): Promise<PageServer> {
    if (!isLoopback(address.host)) {
      throw new EnsembleError(
        `other hosts could connect to ${formatEndpoint(address)}, without encryption`,
      );
    }
    const server = new PageServer(address, contents);
    await server.#listen();
    return server;
  }

  /** The URL to open, with the token: `http://127.0.0.1:4040/?token=...`. */
  get url(): string {
    const { port } = this.#http.address() as AddressInfo;
    const endpoint = formatEndpoint({ ...this.#address, port });
    return `http://${endpoint}${this.#contents.access.entrance}`;
  }

  /** Closes it and its connections. */
  [Symbol.dispose](): void {
    this.#http.close();
    this.#http.closeAllConnections();
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#address;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#http.once("error", reject);
    this.#http.listen({ host, port }, resolve);
    try {
      await promise;
    } catch (error) {
      throw new EnsembleError(
        `cannot listen at ${formatEndpoint(this.#address)}: ${
          messageOf(error)
        }; use another port, ` +
          "or any with --listen 127.0.0.1:0",
        { cause: error },
      );
    }
    this.#http.off("error", reject);
    this.#http.on("error", () => {});
  }

  /**
   * Takes a connection. If there are too many, the one ends that has been without a request for
   * longest, so that silent clients do not keep the page out.
   */
  #admit(socket: Socket): void {
    this.#idle.add(socket);
    this.#open++;
    socket.on("error", () => {}); // Clients may leave at any time.
    socket.on("close", () => {
      this.#idle.delete(socket);
      this.#open--;
    });
    if (this.#open <= MAX_CONNECTIONS) return;
    const [oldest = socket] = this.#idle;
    oldest.destroy();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    this.#idle.delete(socket);
    response.on("error", () => {});
    response.on("close", () => {
      if (!socket.destroyed) this.#idle.add(socket);
    });
    for (const [name, value] of Object.entries(this.#headers)) response.setHeader(name, value);
    try {
      await this.#answer(request, response);
    } catch (error) {
      if (!(error instanceof EnsembleError)) {
        // A bug, which must not end the observer.
        logger.error("a request for the observer's page failed: {error}", { error });
        return sendError(response, 500, "the observer has failed; its terminal shows why");
      }
      const status = error instanceof InvalidInputError
        ? 400
        : error.code === "UNKNOWN_SERVER"
        ? 404
        : 502;
      sendError(response, status, shown(error.message, { limit: 1_000 }));
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    const decision = this.#contents.access.decide({ method, target: url, headers });
    switch (decision.kind) {
      case "refused":
        return sendError(response, decision.status, decision.reason);
      case "entered":
        response.writeHead(303, { Location: decision.location, "Set-Cookie": decision.cookie });
        response.end();
        return;
      case "admitted":
        return await this.#serve(request, { response, ...decision });
    }
  }

  async #serve(
    request: IncomingMessage,
    { response, path, query }: { response: ServerResponse; path: string; query: URLSearchParams },
  ): Promise<void> {
    if (path === "api/actions") return await this.#act(request, response);
    if (request.method !== "GET") return sendError(response, 405, "only GET", { Allow: "GET" });
    const { files, streams } = this.#contents;
    if (path === "") return sendFile(response, files.html);
    if (path === "events") {
      if (streams.isFull) return sendError(response, 503, "too many pages are open");
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      return streams.open(response);
    }
    if (path.startsWith("assets/")) {
      const file = files.assets.get(path.slice("assets/".length));
      return file ? sendFile(response, file) : sendError(response, 404, "there is no such file");
    }
    if (path.startsWith("api/")) {
      const parts = decodeParts(path.slice("api/".length));
      const answer = await this.#ask(parts, query);
      if (answer) return sendJson(response, 200, answer);
    }
    sendError(response, 404, "there is nothing here");
  }

  async #ask(parts: readonly string[], query: URLSearchParams): Promise<object | undefined> {
    if (this.#questions >= MAX_QUESTIONS) {
      throw new EnsembleError(
        "too many questions at once: servers do not answer, or many pages ask",
      );
    }
    this.#questions++;
    try {
      return await this.#contents.views.answer(parts, query);
    } finally {
      this.#questions--;
    }
  }

  async #act(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { access, actions } = this.#contents;
    if (request.method !== "POST") return sendError(response, 405, "only POST", { Allow: "POST" });
    if (!actions) {
      return sendError(response, 403, "the observer was started without --allow-actions");
    }
    if (!access.mayAct(request.headers)) {
      return sendError(response, 403, "the header x-observer-token is missing or wrong");
    }
    if (!/^application\/json(?:;|$)/.test(request.headers["content-type"] ?? "")) {
      return sendError(response, 415, "an action is sent as application/json");
    }
    if (actions.isFull) {
      return sendError(response, 429, "other actions wait for an answer in the terminal");
    }
    const action = checkAction(await readJson(request));
    const closed = new AbortController();
    response.on("close", () => closed.abort());
    sendJson(response, 200, await actions.run(action, closed.signal));
  }
}

/** Decodes the parts of a path. */
function decodeParts(path: string): string[] {
  try {
    return path.split("/").map(decodeURIComponent);
  } catch (error) {
    throw new InvalidInputError("the path is not encoded as it should be", { cause: error });
  }
}

/** Reads the body of a request as JSON. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_BODY) throw new InvalidInputError(`more than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(new TextDecoder().decode(Buffer.concat(chunks)));
  } catch (error) {
    throw new InvalidInputError("the body is not JSON", { cause: error });
  }
}

function sendFile(response: ServerResponse, { type, body }: PageFile): void {
  response.writeHead(200, { "Content-Type": type, "Content-Length": body.length });
  response.end(body);
}

function sendError(
  response: ServerResponse,
  status: number,
  error: string,
  headers: Record<string, string> = {},
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  sendJson(response, status, { error });
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": body.length,
  });
  response.end(body);
}
