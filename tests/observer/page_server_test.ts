import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { EventStreams } from "../../observer/event_streams.ts";
import type { ActionRequest, Snapshot } from "../../observer/page/page_protocol.ts";
import { PageAccess } from "../../observer/page_access.ts";
import { type Operator, PageActions } from "../../observer/page_actions.ts";
import { type PageContents, PageServer } from "../../observer/page_server.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { eventually } from "../runtime/server/captured_logs.ts";

const ANY_PORT = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

const SNAPSHOT: Snapshot = {
  version: "0",
  observer: "console",
  now: 0,
  interval: 2_000,
  servers: [],
  connections: [],
  connectionsLeftOut: 0,
  timeline: [],
  logs: [],
};

const file = (type: string, text: string) => ({ type, body: new TextEncoder().encode(text) });

/** A page server with contents of its own, and a client that has opened its URL. */
class Served implements Disposable {
  readonly access = new PageAccess();
  /** The numbers of open pages, as they changed. */
  readonly counts: number[] = [];
  snapshots = 0;
  readonly streams: EventStreams = new EventStreams({
    takeSnapshot: () => ({ ...SNAPSHOT, now: ++this.snapshots }),
    onCount: (count) => this.counts.push(count),
  });
  #server!: PageServer;
  cookie = "";

  static async open(contents: Partial<PageContents> = {}): Promise<Served> {
    const served = new Served();
    const { access, streams } = served;
    served.#server = await PageServer.open(ANY_PORT, {
      access,
      streams,
      files: {
        html: file("text/html", "<p>page</p>"),
        assets: new Map([["main.ts", file("text/javascript", "1;")]]),
        importMapHash: "hash",
      },
      views: { answer: () => Promise.resolve({ well: true }) } as unknown as PageContents["views"],
      ...contents,
    });
    const response = await fetch(served.url, { redirect: "manual" });
    await response.body?.cancel();
    assert.equal(response.status, 303);
    assert.equal(response.headers.get("location"), access.path);
    served.cookie = response.headers.get("set-cookie")!.split(";")[0]!;
    return served;
  }

  get url(): string {
    return this.#server.url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Requests what is at a path below the page, as the page does. */
  async fetch(path: string, { headers = {}, ...init }: RequestInit = {}): Promise<Response> {
    return await fetch(new URL(this.access.path + path, this.url), {
      ...init,
      headers: { cookie: this.cookie, ...headers as Record<string, string> },
    });
  }

  async act(action: unknown, { headers = {}, ...init }: RequestInit = {}): Promise<Response> {
    return await this.fetch("api/actions", {
      method: "POST",
      headers: {
        origin: new URL(this.url).origin,
        "content-type": "application/json",
        "x-observer-token": this.access.actionToken,
        ...headers as Record<string, string>,
      },
      body: JSON.stringify(action),
      ...init,
    });
  }

  /** Opens a stream of events, of which nothing is read. */
  async openStalled(): Promise<Socket> {
    const socket = connect(this.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write(
      `GET ${this.access.path}events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${this.cookie}\r\n\r\n`,
    );
    const opened = this.counts.length;
    await eventually(() => this.counts.length > opened, "the stream");
    return socket;
  }

  [Symbol.dispose](): void {
    this.streams[Symbol.dispose]();
    this.#server[Symbol.dispose]();
  }
}

/** Reads events until one passes a test. */
async function readUntil(
  response: Response,
  isLast: (event: string) => boolean,
): Promise<string[]> {
  const events: string[] = [];
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const parts = text.split("\n\n");
    text = parts.pop()!;
    for (const part of parts) {
      events.push(part);
      if (isLast(part)) return events;
    }
  }
  return events;
}

Deno.test("PageServer gives the page and its files with a strict policy", async () => {
  using served = await Served.open();
  const page = await served.fetch("");
  assert.equal(await page.text(), "<p>page</p>");
  const policy = page.headers.get("content-security-policy")!;
  assert.match(policy, /default-src 'none'; script-src 'self' 'sha256-hash'; style-src 'self'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|http/);
  assert.equal(page.headers.get("referrer-policy"), "no-referrer");
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.equal(page.headers.get("access-control-allow-origin"), null);
  const asset = await served.fetch("assets/main.ts");
  assert.equal(await asset.text(), "1;");
  assert.equal(asset.headers.get("content-type"), "text/javascript");
  for (const path of ["assets/none", "assets/../main.ts", "assets/%2e%2e/main.ts", "none"]) {
    const response = await served.fetch(path);
    await response.body?.cancel();
    assert.equal(response.status, 404, path);
  }
});

Deno.test("PageServer refuses what comes without the cookie, or for another host", async () => {
  using served = await Served.open();
  for (const path of ["", "events", "api/history", "assets/main.ts"]) {
    const response = await served.fetch(path, { headers: { cookie: "" } });
    assert.equal(response.status, 403, path);
    assert.match(await response.text(), /open the URL/);
  }
  const socket = connect(served.port, "127.0.0.1");
  const answer = new Promise<string>((resolve) =>
    socket.once("data", (data) => resolve(`${data}`))
  );
  socket.write(
    `GET ${served.access.path} HTTP/1.1\r\nHost: evil.example\r\nCookie: ${served.cookie}\r\n\r\n`,
  );
  assert.match(await answer, /^HTTP\/1.1 403 /);
  socket.destroy();
});

Deno.test("PageServer listens only where other hosts cannot connect", async () => {
  const contents = {} as PageContents;
  await assert.rejects(
    PageServer.open({ ...ANY_PORT, host: "0.0.0.0" }, {
      ...contents,
      files: { importMapHash: "" } as PageContents["files"],
    }),
    /other hosts could connect/,
  );
});

Deno.test("PageServer answers while silent clients have more connections than it takes", async () => {
  using served = await Served.open();
  const silent: Socket[] = [];
  for (let i = 0; i < 300; i++) {
    const socket = connect(served.port, "127.0.0.1");
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    silent.push(socket);
  }
  assert.equal(await (await served.fetch("")).text(), "<p>page</p>");
  await eventually(() => silent.filter(({ destroyed }) => destroyed).length > 100, "their end");
  for (const socket of silent) socket.destroy();
});

Deno.test("PageServer tells what failed in the words of the error", async () => {
  const failing = (error: EnsembleError) => ({
    views: { answer: () => Promise.reject(error) } as unknown as PageContents["views"],
  });
  {
    using served = await Served.open(failing(new EnsembleError("no answer\u202e from a")));
    const response = await served.fetch("api/servers/a/tree");
    assert.equal(response.status, 502);
    assert.deepEqual(await response.json(), { error: "no answer\\u202e from a" });
  }
  using served = await Served.open(failing(new EnsembleError("no a", { code: "UNKNOWN_SERVER" })));
  const response = await served.fetch("api/servers/a/tree");
  assert.equal(response.status, 404);
  await response.body?.cancel();
  const wrong = await served.fetch("api/servers/%ff/tree");
  assert.equal(wrong.status, 400);
  await wrong.body?.cancel();
});

Deno.test("EventStreams sends a snapshot first, and then changes", async () => {
  using served = await Served.open();
  const response = await served.fetch("events");
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  await eventually(() => served.counts.length === 1, "the stream");
  served.streams.send({ now: 5, removed: ["a\nb"] });
  const events = await readUntil(response, (event) => event.startsWith("event: changes"));
  assert.deepEqual(events.map((event) => event.split("\n")), [
    ["retry: 1000"],
    ["event: snapshot", `data: ${JSON.stringify({ ...SNAPSHOT, now: 1 })}`],
    ["event: changes", 'data: {"now":5,"removed":["a\\nb"]}'],
  ]);
  await eventually(() => served.counts.at(-1) === 0, "the end of the stream");
});

Deno.test("EventStreams keeps a bounded amount for a page that does not read, which then gets a snapshot", async () => {
  using served = await Served.open();
  const stalled = await served.openStalled();
  const other = await served.fetch("events");
  const read = readUntil(other, (event) => event.includes('"last"'));
  const text = "x".repeat(100_000);
  for (let i = 0; i < 300; i++) {
    served.streams.send({ now: i, registryError: text });
    await new Promise((resolve) => setTimeout(resolve));
  }
  served.streams.send({ now: 0, registryError: "last" });
  assert.ok((await read).length > 250, "the other page gets what it reads");
  const before = served.snapshots;
  let received = "";
  stalled.on("data", (data) => received += data);
  stalled.resume();
  await eventually(() => served.snapshots > before, "the snapshot");
  await eventually(() => received.includes(`"now":${served.snapshots}`), "its arrival");
  assert.ok(received.length < 20_000_000, `${received.length} bytes were kept`);
  assert.ok(!received.includes('"last"'));
  stalled.destroy();
});

Deno.test("EventStreams has room for a limited number of pages", async () => {
  using served = await Served.open();
  const stalled = [];
  for (let i = 0; i < 16; i++) stalled.push(await served.openStalled());
  const response = await served.fetch("events");
  assert.equal(response.status, 503);
  await response.body?.cancel();
  for (const socket of stalled) socket.destroy();
  await eventually(() => served.counts.at(-1) === 0, "the end of the streams");
});

/** An operator who says what the test says. */
class TestOperator implements Operator {
  readonly questions: string[] = [];
  readonly done: ActionRequest[] = [];
  answer: (signal: AbortSignal) => Promise<boolean> = () => Promise.resolve(true);

  prepare(request: ActionRequest) {
    const perform = () => {
      this.done.push(request);
      return Promise.resolve("it was done");
    };
    return Promise.resolve({ what: `do it in ${request.server}`, perform });
  }

  async confirm(question: string, { signal }: { signal: AbortSignal }): Promise<boolean> {
    this.questions.push(question);
    return await this.answer(signal);
  }
}

const ACTION: ActionRequest = { action: "shut-down-actor", server: "a", actor: 12 };

Deno.test("PageServer has an action confirmed, and says what was done", async () => {
  const operator = new TestOperator();
  const noted: string[] = [];
  const actions = new PageActions(operator, (_request, details) => noted.push(details));
  using served = await Served.open({ actions });
  const done = await served.act(ACTION);
  assert.deepEqual(await done.json(), { outcome: "done", message: "it was done" });
  assert.deepEqual(operator.questions, ["the page asks to do it in a: do it?"]);
  assert.deepEqual(operator.done, [ACTION]);
  operator.answer = () => Promise.resolve(false);
  const declined = await served.act(ACTION);
  assert.deepEqual(await declined.json(), {
    outcome: "declined",
    message: "the operator declined",
  });
  assert.equal(operator.done.length, 1);
  assert.deepEqual(noted, ["it was done", "do it in a: declined: the operator declined"]);
});

Deno.test("PageServer refuses an action from another page, without the secret, or of an unknown kind", async () => {
  const operator = new TestOperator();
  using served = await Served.open({ actions: new PageActions(operator, () => {}) });
  const refusals: [number, unknown, RequestInit][] = [
    [403, ACTION, { headers: { origin: "http://evil.example" } }],
    [403, ACTION, { headers: { origin: "" } }],
    [403, ACTION, { headers: { cookie: "observer=x" } }],
    [403, ACTION, { headers: { "x-observer-token": "" } }],
    [403, ACTION, { headers: { "sec-fetch-site": "same-site" } }],
    [415, ACTION, { headers: { "content-type": "text/plain" } }],
    [405, ACTION, { method: "PUT" }],
    [400, { action: "shut-down-server", server: "a" }, {}],
    [400, { action: "shut-down-actor", server: "a/b", actor: 1 }, {}],
    [400, { action: "set-log-level", server: "a", level: "loud" }, {}],
    [400, "x".repeat(10_000), {}],
    [400, undefined, { body: "{" }],
  ];
  for (const [status, action, init] of refusals) {
    const response = await served.act(action, init);
    assert.equal(response.status, status, JSON.stringify([action, init]).slice(0, 200));
    await response.body?.cancel();
  }
  assert.deepEqual(operator.questions, []);
  using readOnly = await Served.open();
  const response = await readOnly.act(ACTION);
  assert.equal(response.status, 403);
  assert.match(await response.text(), /--allow-actions/);
});

Deno.test("PageActions takes the closing of the page for a no, and asks one question at a time", async () => {
  const operator = new TestOperator();
  operator.answer = (signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(false)));
  using served = await Served.open({ actions: new PageActions(operator, () => {}) });
  const closing = new AbortController();
  const asked = Array.from(
    { length: 4 },
    () => served.act(ACTION, { signal: closing.signal }).catch(() => {}),
  );
  await eventually(() => operator.questions.length === 1, "the question");
  let refused: Response | undefined;
  while (refused?.status !== 429) {
    refused = await Promise.race([served.act(ACTION, { signal: closing.signal })]);
    await refused.body?.cancel();
  }
  closing.abort();
  await Promise.all(asked);
  operator.answer = () => Promise.resolve(true);
  await eventually(async () => {
    const response = await served.act(ACTION);
    const isDone = response.status === 200 && (await response.json()).outcome === "done";
    if (!isDone) await response.body?.cancel().catch(() => {});
    return isDone;
  }, "an action afterwards");
  assert.equal(operator.done.length, 1);
  assert.ok(operator.questions.length <= 3);
});
