/**
 * A client of the observer's page, which follows its events as the page does.
 *
 * @module
 */
import assert from "node:assert/strict";
import type {
  ActionRequest,
  ActionResult,
  Changes,
  ObservedConnection,
  ObservedLogRecord,
  ObservedServer,
  Snapshot,
  TimelineEntry,
} from "../../observer/page/page_protocol.ts";

/** The timeout of every wait, in ms. */
const DEADLINE = 20_000;

/** An open page. */
export class PageClient implements AsyncDisposable {
  /** The servers that it shows. */
  readonly servers = new Map<string, ObservedServer>();
  /** The connections, by their ends. */
  readonly connections = new Map<string, ObservedConnection>();
  readonly timeline: TimelineEntry[] = [];
  readonly logs: ObservedLogRecord[] = [];
  registryError: string | undefined;
  actionToken: string | undefined;
  readonly #url: URL;
  readonly #cookie: string;
  readonly #closing = new AbortController();
  #reading: Promise<void> = Promise.resolve();
  #news = Promise.withResolvers<void>();

  private constructor(url: URL, cookie: string) {
    this.#url = url;
    this.#cookie = cookie;
  }

  /** Opens the URL that the command has printed. */
  static async open(url: string): Promise<PageClient> {
    const response = await fetch(url, { redirect: "manual" });
    await response.body?.cancel();
    const [cookie] = response.headers.get("set-cookie")!.split(";");
    const page = new PageClient(new URL(response.headers.get("location")!, url), cookie!);
    await page.#requireFiles();
    const events = await page.#fetch("events", { signal: page.#closing.signal });
    assert.equal(events.status, 200);
    page.#reading = page.#read(events);
    return page;
  }

  /** Waits until something holds. */
  async until(condition: () => unknown, what: string): Promise<void> {
    const late = performance.now() + DEADLINE;
    while (!condition()) {
      const left = late - performance.now();
      assert.ok(
        left > 0,
        `the page does not show ${what}: ${JSON.stringify([...this.servers.values()])}`,
      );
      const timer = setTimeout(() => this.#news.resolve(), left);
      await this.#news.promise;
      clearTimeout(timer);
    }
  }

  /** Asks for a view, which must be given. */
  async ask<Answer>(path: string): Promise<Answer> {
    const response = await this.#fetch(`api/${path}`);
    const answer = await response.json();
    assert.equal(response.status, 200, `${path}: ${answer.error}`);
    return answer;
  }

  /** Asks for a view, which must fail, and returns the reason. */
  async failure(path: string): Promise<string> {
    const response = await this.#fetch(`api/${path}`);
    assert.ok(response.status >= 400, path);
    return (await response.json()).error;
  }

  /** Asks for an action. */
  async act(action: ActionRequest): Promise<ActionResult> {
    const response = await this.#fetch("api/actions", {
      method: "POST",
      headers: {
        origin: this.#url.origin,
        "content-type": "application/json",
        "x-observer-token": this.actionToken ?? "",
      },
      body: JSON.stringify(action),
    });
    const result = await response.json();
    assert.equal(response.status, 200, JSON.stringify(result));
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#reading;
  }

  #fetch(path: string, { headers = {}, ...init }: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, this.#url), {
      ...init,
      headers: { cookie: this.#cookie, ...headers as Record<string, string> },
    });
  }

  /** Looks at the page and its first module: in an executable they are in a bundle. */
  async #requireFiles(): Promise<void> {
    const html = await (await this.#fetch("")).text();
    assert.match(html, /<script type="importmap">.*src="assets\/main\.ts"/s);
    const main = await this.#fetch("assets/main.ts");
    assert.match(main.headers.get("content-type")!, /^text\/javascript/);
    assert.doesNotMatch(await main.text(), /^import type/m);
  }

  async #read(events: Response): Promise<void> {
    let rest = "";
    try {
      for await (const text of events.body!.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + text).split("\n\n");
        rest = parts.pop()!;
        for (const part of parts) this.#take(part);
      }
    } catch (error) {
      // The observer may be ended at any time.
      if (!(error instanceof TypeError) && !this.#closing.signal.aborted) throw error;
    }
  }

  #take(event: string): void {
    const [, type, data] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? [];
    if (type === "snapshot") this.#takeSnapshot(JSON.parse(data!));
    if (type === "changes") this.#takeChanges(JSON.parse(data!));
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }

  #takeSnapshot(snapshot: Snapshot): void {
    this.servers.clear();
    this.connections.clear();
    this.timeline.splice(0);
    this.logs.splice(0);
    this.actionToken = snapshot.actionToken;
    this.#takeChanges({ ...snapshot, registryError: snapshot.registryError ?? null });
  }

  #takeChanges(changes: Changes): void {
    const { servers = [], figures = [], removed = [], connections = [], closed = [] } = changes;
    for (const server of servers) this.servers.set(server.id, server);
    for (const { id, status, error } of figures) {
      this.servers.set(id, { ...this.servers.get(id)!, status, error });
    }
    for (const id of removed) this.servers.delete(id);
    for (const each of connections) this.connections.set(`${each.a} ${each.b}`, each);
    for (const [a, b] of closed) this.connections.delete(`${a} ${b}`);
    this.timeline.push(...changes.timeline ?? []);
    this.logs.push(...changes.logs ?? []);
    if (changes.registryError !== undefined) {
      this.registryError = changes.registryError ?? undefined;
    }
  }
}
