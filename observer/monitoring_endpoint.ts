/**
 * The HTTP endpoint of a server for monitoring: `--http`.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { EnsembleServer } from "../runtime/ensemble/ensemble_server.ts";
import { EnsembleError } from "../runtime/errors.ts";
import { formatEndpoint, type InternetAddress, isLoopback } from "../runtime/wire/address.ts";
import { onHangup } from "../runtime/home/signals.ts";
import { BearerToken } from "./bearer_token.ts";
import { HttpListener } from "./http_listener.ts";
import { formatMetrics, METRICS_TYPE } from "./metrics_text.ts";

const logger = getLogger(["gxensemble", "server"]);

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
  readonly #token: BearerToken | undefined;
  readonly #reread: Disposable;
  #listener!: HttpListener;

  private constructor(server: EnsembleServer, token: BearerToken | undefined) {
    this.#server = server;
    this.#token = token;
    this.#reread = onHangup("reread", () => void this.#rereadToken());
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
    const endpoint = new MonitoringEndpoint(server, token);
    await endpoint.#listen(address);
    server.status.parts.add(() => ({ http: endpoint.url }));
    logger.info("{id} answers over HTTP at {url}", { id: server.id, url: endpoint.url });
    return endpoint;
  }

  /** Its address, with the port that it got: `http://127.0.0.1:9100`. */
  get url(): string {
    return this.#listener.url;
  }

  /** Closes it and its connections. Then its port is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#reread[Symbol.dispose]();
    await this.#listener[Symbol.asyncDispose]();
  }

  async #listen(address: InternetAddress): Promise<void> {
    try {
      this.#listener = await HttpListener.open(
        address,
        (request, response, from) => this.#respond(request, response, from),
      );
    } catch (error) {
      this.#reread[Symbol.dispose]();
      const { message, code } = error as EnsembleError;
      throw new EnsembleError(`--http: ${message}`, { code, cause: error });
    }
  }

  async #respond(
    request: IncomingMessage,
    response: ServerResponse,
    from: string,
  ): Promise<void> {
    const { status, type, body, headers } = await this.#answer(request, from);
    response.writeHead(status, {
      "Content-Type": type,
      "Content-Length": Buffer.byteLength(body),
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      ...headers,
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  async #answer(
    { method = "", url = "", headers }: IncomingMessage,
    from: string,
  ): Promise<Answer> {
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
        return isTrusted ? await this.#metrics() : this.#refuse(from, headers.authorization);
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

  #refuse(from: string, authorization: string | undefined): Answer {
    if (this.#server.actors.lines.allows(from, "refused requests for metrics")) {
      logger.warn("refused a request of {from} for metrics: it has {what}", {
        from,
        what: authorization === undefined ? "no token" : "another token",
      });
    }
    const scheme = { "WWW-Authenticate": "Bearer" };
    return problem(401, "the header Authorization has to be: Bearer <token>", scheme);
  }

  async #rereadToken(): Promise<void> {
    try {
      await this.#token?.reread();
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
