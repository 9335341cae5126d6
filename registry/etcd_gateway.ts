/**
 * The way to an etcd cluster: its JSON gateway, over HTTP, at any of its members.
 *
 * @see https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/
 * @module
 */
import { EnsembleError } from "../runtime/errors.ts";
import { formatEndpoint, type InternetAddress } from "../runtime/wire/address.ts";

/** The time for one attempt at a member, in ms, if there are other members. */
const ATTEMPT_TIMEOUT = 1_000;

/** The time for a request at all members together, in ms: less than a server waits for an answer. */
const REQUEST_TIMEOUT = 4_000;

/** The pause when no member has answered, in ms: an election takes about a second. */
const PAUSE = 200;

/** The maximum number of changes at the same time. Each takes a connection. */
const MAX_CHANGES = 64;

/** Who uses the cluster, and how it is reached. Certificates and the key are PEM texts. */
export interface EtcdAccess {
  /** The name of an etcd user. Default: no user. */
  readonly user?: string | undefined;
  /** The user's password. */
  readonly password?: string | undefined;
  /** The certificates of the authorities that sign those of the members. Turns TLS on. */
  readonly authorities?: string | undefined;
  /** The client certificate. Turns TLS on. */
  readonly certificate?: string | undefined;
  /** The private key of the certificate. */
  readonly key?: string | undefined;
}

/** The code of a gRPC error, as etcd answers. https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const enum Code {
  InvalidArgument = 3,
  NotFound = 5,
  PermissionDenied = 7,
  Unauthenticated = 16,
}

/** The codes of failures that another attempt cannot cure. All others are those of a member that is not well. */
const FINAL_CODES: ReadonlySet<number> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.PermissionDenied,
  Code.Unauthenticated,
]);

/** What etcd answered in place of a result. */
export class EtcdError extends EnsembleError {
  /** Whether the thing that the request is about, such as a lease, does not exist. */
  readonly isNotFound: boolean;
  /** Whether the token is no longer valid. Tokens end after minutes, and with the member that gave them. */
  readonly isExpired: boolean;
  /** Whether no other attempt can succeed. */
  readonly isFinal: boolean;

  /** Creates one from a message of etcd and the code of gRPC. */
  constructor(message: string, code: number) {
    super(message);
    this.isNotFound = code === Code.NotFound;
    this.isExpired = code === Code.Unauthenticated || /auth store is old/.test(message);
    this.isFinal = FINAL_CODES.has(code);
  }
}

/** Options of {@linkcode EtcdGateway.request}. */
export interface EtcdRequestOptions {
  /** How long all attempts may take, in ms. */
  readonly timeout?: number | undefined;
}

/** The results that one member sends. */
export interface EtcdStream {
  /** The member. */
  readonly member: string;
  /** The results, until the member or {@linkcode EtcdStream.close} ends them. */
  readonly results: AsyncIterable<unknown>;
  /** Ends the results. */
  close(): void;
}

/**
 * Requests to a cluster. All go to one member until it fails or is slow, then to the next. A request
 * that gets no answer is repeated at another member, so it may be carried out twice.
 */
export class EtcdGateway implements Disposable {
  readonly #members: readonly string[];
  readonly #access: EtcdAccess;
  readonly #client: Deno.HttpClient;
  /** The attempts that have not ended. */
  readonly #attempts = new Set<AbortController>();
  readonly #streams = new Set<EtcdStream>();
  #isClosed = false;
  /** The member in use: at first the first one, which may be on the host of the registry. */
  #current = 0;
  #token: Promise<string> | undefined;
  #running = 0;
  readonly #queue: (() => void)[] = [];

  /**
   * Reaches a cluster at the addresses of some of its members. Connects later.
   *
   * @throws {EnsembleError} if the certificates or the key are damaged.
   */
  constructor(members: readonly InternetAddress[], access: EtcdAccess = {}) {
    const { authorities, certificate } = access;
    const scheme = authorities || certificate ? "https" : "http";
    this.#members = members.map((member) => `${scheme}://${formatEndpoint(member)}`);
    this.#access = access;
    this.#client = createClient(access);
  }

  /** Ends all requests and streams. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const stream of this.#streams) stream.close();
    for (const attempt of this.#attempts) attempt.abort(closed());
    this.#client.close();
  }

  /**
   * Makes a request, at one member after another until one answers.
   *
   * @throws {EtcdError} if etcd refuses it.
   * @throws {EnsembleError} if no member has answered in time, with the reason of the last one.
   */
  async request<Result>(
    path: string,
    body: unknown,
    { timeout = REQUEST_TIMEOUT }: EtcdRequestOptions = {},
  ): Promise<Result> {
    return await this.#attempt(timeout, async (member, signal) => {
      const response = await this.#post(member, { path, body, signal });
      return await response.json() as Result;
    });
  }

  /**
   * Makes a request as {@linkcode EtcdGateway.request} does, when there are few enough others: it
   * may be one of thousands, when all servers register at once.
   */
  async queue<Result>(path: string, body: unknown): Promise<Result> {
    if (this.#running >= MAX_CHANGES) {
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    }
    this.#running++;
    try {
      return await this.request<Result>(path, body);
    } finally {
      this.#running--;
      this.#queue.shift()?.();
    }
  }

  /**
   * Makes a request that has many results. They end when the member is avoided.
   *
   * @throws {EnsembleError} as {@linkcode EtcdGateway.request} does.
   */
  async stream(path: string, body: unknown): Promise<EtcdStream> {
    return await this.#attempt(REQUEST_TIMEOUT, async (member, signal) => {
      const response = await this.#post(member, { path, body, signal });
      const reader = response.body!.getReader();
      const stream: EtcdStream = {
        member,
        results: parseResults(reader),
        close: () => {
          this.#streams.delete(stream);
          // Aborting the request does not always end an answer that has begun.
          reader.cancel().catch(() => {});
        },
      };
      this.#streams.add(stream);
      return stream;
    });
  }

  /** Leaves a member that does not answer, also with the streams from it. */
  avoid(member: string): void {
    if (this.#members[this.#current] === member) {
      this.#current = (this.#current + 1) % this.#members.length;
    }
    for (const stream of this.#streams) if (stream.member === member) stream.close();
  }

  async #attempt<Result>(
    timeout: number,
    attempt: (member: string, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const deadline = performance.now() + timeout;
    for (let attempts = 1;; attempts++) {
      if (this.#isClosed) throw closed();
      const member = this.#members[this.#current]!;
      const left = Math.max(1, deadline - performance.now());
      const time = this.#members.length > 1 ? Math.min(ATTEMPT_TIMEOUT, left) : left;
      const controller = new AbortController();
      this.#attempts.add(controller);
      const late = new Error(`it does not answer within ${Math.round(time)} ms`);
      const timer = setTimeout(() => controller.abort(late), time);
      try {
        return await attempt(member, controller.signal);
      } catch (error) {
        if (this.#isClosed) throw closed();
        if (error instanceof EtcdError) {
          if (error.isExpired && this.#token && attempts === 1) {
            this.#token = undefined;
            continue;
          }
          if (error.isFinal) throw error;
        }
        this.avoid(member);
        if (performance.now() + PAUSE >= deadline) throw noAnswer(member, error);
        if (attempts % this.#members.length === 0) await pause(PAUSE);
      } finally {
        clearTimeout(timer);
        this.#attempts.delete(controller);
      }
    }
  }

  async #post(
    member: string,
    { path, body, signal, token = this.#authenticate(member, signal) }: {
      path: string;
      body: unknown;
      signal: AbortSignal;
      token?: Promise<string> | undefined;
    },
  ): Promise<Response> {
    const authorization = await token;
    const response = await fetch(`${member}${path}`, {
      method: "POST",
      client: this.#client,
      body: JSON.stringify(body),
      headers: authorization ? { authorization } : {},
      signal,
    });
    if (response.ok) return response;
    throw failure(await response.text(), response.status);
  }

  /** The token of the user; undefined if there is none. */
  #authenticate(member: string, signal: AbortSignal): Promise<string> | undefined {
    const { user, password } = this.#access;
    if (user === undefined) return undefined;
    if (this.#token) return this.#token;
    const token = this.#post(member, {
      path: "/v3/auth/authenticate",
      body: { name: user, password },
      signal,
      token: Promise.resolve(""),
    })
      .then(async (response) => (await response.json() as { token: string }).token);
    token.catch(() => {
      if (this.#token === token) this.#token = undefined;
    });
    return this.#token = token;
  }
}

function createClient({ authorities, certificate, key }: EtcdAccess): Deno.HttpClient {
  try {
    return Deno.createHttpClient({
      ...authorities !== undefined && { caCerts: [authorities] },
      ...certificate !== undefined && key !== undefined && { cert: certificate, key },
    });
  } catch (error) {
    const { message } = error as Error;
    throw new EnsembleError(`cannot use the certificates and the key for etcd: ${message}`, {
      cause: error,
    });
  }
}

function closed(): EnsembleError {
  return new EnsembleError("the store is closed");
}

/** Parses the results of a stream, one on each line. */
async function* parseResults(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest: string[] = [];
  for (let read; !(read = await reader.read()).done;) {
    const [first = "", ...more] = decoder.decode(read.value, { stream: true }).split("\n");
    rest.push(first);
    for (const next of more) {
      const line = rest.join("");
      rest = [next];
      if (line === "") continue;
      const { result, error } = JSON.parse(line);
      if (error) throw new EtcdError(error.message ?? String(error), error.grpc_code ?? error.code);
      yield result;
    }
  }
}

const NO_USER = "etcd asks for a user: use --store-user and --store-password-file";

/** Reads an error; one of the gateway itself is plain text. */
function failure(text: string, status: number): EtcdError {
  try {
    const { message, error, code } = JSON.parse(text);
    return new EtcdError(/user name is empty/.test(message) ? NO_USER : message ?? error, code);
  } catch {
    if (/^CommonName/.test(text)) {
      return new EtcdError(
        "etcd takes no user from a client whose certificate has a common name: " +
          "use a client certificate without one",
        Code.Unauthenticated,
      );
    }
    return new EtcdError(
      `HTTP status ${status}: ${text.trim()}`,
      status < 500 ? Code.InvalidArgument : 0,
    );
  }
}

function noAnswer(member: string, error: unknown): EnsembleError {
  return new EnsembleError(`no answer from etcd, last tried at ${member}: ${reasonOf(error)}`, {
    cause: error,
    code: "DISCONNECTED",
  });
}

/** The innermost message: that of `fetch` says only that it failed. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause ? reasonOf(error.cause) : error.message;
}

function pause(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time));
}
