/**
 * The HTTP endpoint of a server for monitoring: `--http`.
 *
 * It is one of `node:http`, since `Deno.serve` limits neither connections nor the time of a request.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { EnsembleServer } from "../runtime/ensemble/ensemble_server.ts";
import { EnsembleError } from "../runtime/errors.ts";
import { formatEndpoint, type InternetAddress, isLoopback } from "../runtime/wire/address.ts";
import { onHangup } from "../runtime/home/signals.ts";
import { messageOf } from "../runtime/wire/system_errors.ts";
import { BearerToken } from "./bearer_token.ts";
import { formatMetrics, METRICS_TYPE } from "./metrics_text.ts";

const logger = getLogger(["gxensemble", "server"]);

/** The maximum size of a request's headers, in bytes. */
const MAX_HEADERS = 8 * 1024;

/** The maximum number of open connections. Each has one request. */
const MAX_CONNECTIONS = 64;

/** How long the headers of a request may take to arrive, in ms. */
const REQUEST_TIMEOUT = 5_000;

/** How often is looked for requests that take longer, in ms. */
const LOOK_INTERVAL = 1_000;

/** How long a connection may be open in all, in ms. A health check takes up to 5 s. */
const CONNECTION_TIMEOUT = 15_000;

/** Where to listen, and what clients have to send. */
export interface MonitoringOptions {
  /** The address; its port may be 0, for any. */
  readonly address: InternetAddress;
  /** The file with the token. */
  readonly tokenFile?: string | undefined;
}

/** An answer to a request. */
interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The endpoint of one server, until disposed. */
export class MonitoringEndpoint implements AsyncDisposable {
  readonly #server: EnsembleServer;
  readonly #address: InternetAddress;
  readonly #token: BearerToken | undefined;
  readonly #http: Server;
  readonly #connections = new Set<Socket>();
  /** Those that have not sent a whole request yet, the oldest first. */
  readonly #waiting = new Set<Socket>();
  readonly #resources = new DisposableStack();
  #port = 0;

  private constructor(
    server: EnsembleServer,
    { address, token }: { address: InternetAddress; token: BearerToken | undefined },
  ) {
    this.#server = server;
    this.#address = address;
    this.#token = token;
    this.#http = createServer({
      maxHeaderSize: MAX_HEADERS,
      headersTimeout: REQUEST_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionsCheckingInterval: LOOK_INTERVAL,
    }, (request, response) => void this.#respond(request, response));
    this.#http.on("connection", (socket) => this.#admit(socket));
    if (token) this.#resources.use(onHangup("reread", () => void this.#rereadToken(token)));
  }

  /**
   * Listens for a server of this process.
   *
   * @throws {EnsembleError} if it cannot listen, or if the token is missing or wrong.
   */
  static async open(
    server: EnsembleServer,
    { address, tokenFile }: MonitoringOptions,
  ): Promise<MonitoringEndpoint> {
    const token = tokenFile === undefined ? undefined : await BearerToken.read(tokenFile);
    if (!token && !isLoopback(address.host)) {
      throw new EnsembleError(
        `other hosts could read the metrics at ${formatEndpoint(address)}: it needs a token`,
      );
    }
    const endpoint = new MonitoringEndpoint(server, { address, token });
    await endpoint.#listen();
    server.status.parts.add(() => ({ http: endpoint.url }));
    logger.info("{id} answers over HTTP at {url}", {
      id: server.id,
      url: endpoint.url,
    });
    return endpoint;
  }

  /** Its address, with the port that it got: `http://127.0.0.1:9100`. */
  get url(): string {
    return `http://${formatEndpoint({ ...this.#address, port: this.#port })}`;
  }

  /** Closes it and its connections. Resolves when its port is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#resources.dispose();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#http.close(() => resolve());
    this.#http.closeAllConnections();
    await promise;
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#address;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#http.once("error", reject);
    this.#http.listen({ host, port }, resolve);
    try {
      await promise;
    } catch (error) {
      this.#resources.dispose();
      throw new EnsembleError(
        `cannot listen at ${formatEndpoint(this.#address)} for --http: ${messageOf(error)}`,
        { cause: error },
      );
    }
    this.#port = (this.#http.address() as AddressInfo).port;
    this.#http.off("error", reject);
    this.#http.on(
      "error",
      (error) =>
        logger.warn("the endpoint at {url}: {reason}", { url: this.url, reason: error.message }),
    );
  }

  /**
   * Limits a connection. If there are too many, the one ends that has waited longest with its
   * request, so that silent clients do not keep others out.
   */
  #admit(socket: Socket): void {
    this.#connections.add(socket);
    this.#waiting.add(socket);
    const timer = setTimeout(() => this.#end(socket), CONNECTION_TIMEOUT);
    socket.on("error", () => {}); // Clients may leave at any time.
    socket.on("close", () => {
      clearTimeout(timer);
      this.#end(socket);
    });
    if (this.#connections.size <= MAX_CONNECTIONS) return;
    const [oldest = socket] = this.#waiting;
    this.#end(oldest);
  }

  /** Ends a connection. It counts no longer, though it closes only later. */
  #end(socket: Socket): void {
    this.#connections.delete(socket);
    this.#waiting.delete(socket);
    socket.destroy();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#waiting.delete(request.socket);
    const { status, type, body, headers } = await this.#answer(request);
    response.writeHead(status, {
      "Content-Type": type,
      "Content-Length": Buffer.byteLength(body),
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      // Requests are rare, and a connection that ends needs no further limits.
      "Connection": "close",
      ...headers,
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { method = "", url = "", headers } = request;
    const { pathname, searchParams } = URL.parse(url, "http://localhost") ?? {
      pathname: "",
      searchParams: new URLSearchParams(),
    };
    if (method !== "GET" && method !== "HEAD") {
      return problem(405, "only GET and HEAD", { Allow: "GET, HEAD" });
    }
    const isTrusted = this.#token?.isIn(headers.authorization) ?? true;
    if (!this.#token && !isOwnName(headers.host)) {
      return problem(403, "the header Host has to name this host: localhost, or an IP address");
    }
    switch (pathname) {
      case "/alive":
        return json(200, isTrusted ? { server: this.#server.id, alive: true } : { alive: true });
      case "/ready":
        return await this.#ready(searchParams, isTrusted);
      case "/metrics":
        return isTrusted ? await this.#metrics() : this.#refuse(request);
      default:
        return problem(404, "there are /metrics, /alive and /ready");
    }
  }

  async #ready(parameters: URLSearchParams, isTrusted: boolean): Promise<Answer> {
    const exclude = parameters.getAll("exclude");
    const { isReady, checks } = await this.#server.health({ exclude });
    const status = isReady ? 200 : 503;
    // Names and messages of checks are for those who may see them.
    if (!isTrusted) return json(status, { ready: isReady });
    const shown = parameters.has("verbose") ? checks : checks.filter(({ passes }) => !passes);
    return json(status, { server: this.#server.id, ready: isReady, checks: shown });
  }

  async #metrics(): Promise<Answer> {
    const health = await this.#server.health();
    const body = formatMetrics({ status: this.#server.status.read(), health });
    return { status: 200, type: METRICS_TYPE, body };
  }

  #refuse({ headers, socket }: IncomingMessage): Answer {
    const from = socket.remoteAddress ?? "an unknown address";
    if (this.#server.actors.lines.allows(from, "refused requests for metrics")) {
      logger.warn("refused a request of {from} for metrics: it has {what}", {
        from,
        what: headers.authorization === undefined ? "no token" : "another token",
      });
    }
    const scheme = { "WWW-Authenticate": "Bearer" };
    return problem(401, "the header Authorization has to be: Bearer <token>", scheme);
  }

  async #rereadToken(token: BearerToken): Promise<void> {
    try {
      await token.reread();
    } catch (error) {
      logger.error("the token of {url} stays the same: {reason}", {
        url: this.url,
        reason: (error as Error).message,
      });
    }
  }
}

function json(status: number, value: unknown): Answer {
  return { status, type: "application/json; charset=utf-8", body: `${JSON.stringify(value)}\n` };
}

function problem(status: number, message: string, headers: Record<string, string> = {}): Answer {
  return { ...json(status, { error: message }), headers };
}

/**
 * Whether a request names its host by an IP address or as `localhost`. A page in a browser can have a
 * name of its own point to this host, and would then read what is served without a token (DNS
 * rebinding). A client other than a browser may send no name.
 */
function isOwnName(host: string | undefined): boolean {
  if (host === undefined || host === "") return true;
  const name = URL.parse(`http://${host}`)?.hostname;
  return name !== undefined && (name === "localhost" || /^[\d.]+$|^\[.*\]$/.test(name));
}
