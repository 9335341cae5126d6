import assert from "node:assert/strict";
import {
  currentHttpServer,
  type HttpHandler,
  registerHandler,
  startHttpServer,
} from "../../examples/httpd/httpd.ts";

/**
 * Runs a test with a server on a free port. `send` sends a request and reads the complete response.
 */
async function withServer(
  test: (
    register: (path: string, handler: HttpHandler) => void,
    send: (path: string, method?: string) => Promise<{ response: Response; body: string }>,
  ) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const server = startHttpServer({ port: 0, hostname: "127.0.0.1", signal: controller.signal });
  try {
    await test(
      (path, handler) => registerHandler(server, path, handler),
      async (path, method = "GET") => {
        const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
        return { response, body: await response.text() };
      },
    );
  } finally {
    controller.abort();
    await server.finished;
  }
}

/** Collects the console's output while the action runs. */
async function logged(action: () => Promise<void>): Promise<string> {
  const original = console.error;
  const lines: string[] = [];
  console.error = (...parts) => lines.push(parts.map(String).join(" "));
  try {
    await action();
  } finally {
    console.error = original;
  }
  return lines.join("\n");
}

Deno.test("a path without a handler gets a 404 without a body", () =>
  withServer(async (_register, send) => {
    for (const method of ["GET", "HEAD"]) {
      const { response, body } = await send("/", method);
      assert.equal(response.status, 404);
      assert.equal(response.headers.get("content-length"), "0");
      assert.equal(body, "");
    }
  }));

Deno.test("handlers are registered while the server runs, for exactly their path", () =>
  withServer(async (register, send) => {
    register("/a", (_request, response) => response.write(200, {}, "first"));
    assert.equal((await send("/a?query")).body, "first");
    register("/a", (_request, response) => response.write(201, { "X-Test": "yes" }, "second"));
    const { response, body } = await send("/a");
    assert.deepEqual([response.status, response.headers.get("x-test"), body], [
      201,
      "yes",
      "second",
    ]);
    assert.equal((await send("/a/b")).response.status, 404);
    assert.equal((await send("/a/")).response.status, 404);
  }));

Deno.test("a handler reads its request", () =>
  withServer(async (register, send) => {
    register("/echo", async (request, response) => {
      response.write(200, {}, `${request.method} ${await request.text()}`);
    });
    assert.equal((await send("/echo", "POST")).body, "POST ");
  }));

Deno.test("a chunked response is sent as it is written", () =>
  withServer(async (register) => {
    const { promise: isRead, resolve: read } = Promise.withResolvers<void>();
    register("/", async (_request, response) => {
      response.begin(200, { "Content-Type": "text/plain" });
      await response.chunk("hello ");
      await isRead;
      await response.chunk("there!\n");
      await response.end();
    });
    const response = await fetch(`http://127.0.0.1:${currentHttpServer().port}/`);
    assert.equal(response.headers.get("content-length"), null);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await reader.read()).value, "hello ");
    read();
    assert.equal((await reader.read()).value, "there!\n");
    assert.equal((await reader.read()).done, true);
  }));

Deno.test("HEAD gets the headers and no body", () =>
  withServer(async (register, send) => {
    const { promise: chunksAreDone, resolve: chunksDone } = Promise.withResolvers<void>();
    register("/whole", (_request, response) => response.write(200, {}, "four"));
    register("/chunked", async (_request, response) => {
      response.begin(200, {});
      for (let count = 0; count < 100; count++) await response.chunk("x".repeat(10_000));
      await response.end();
      chunksDone();
    });
    const whole = await send("/whole", "HEAD");
    assert.equal(whole.response.headers.get("content-length"), "4");
    assert.equal(whole.body, "");
    const chunked = await send("/chunked", "HEAD");
    assert.deepEqual([chunked.response.status, chunked.body], [200, ""]);
    assert.equal(chunked.response.headers.get("content-length"), null);
    await chunksAreDone;
  }));

Deno.test("a failing handler gets a 500, and is logged", () =>
  withServer(async (register, send) => {
    register("/throws", () => {
      throw new Error("out of order");
    });
    register("/silent", () => {});
    const log = await logged(async () => {
      for (const path of ["/throws", "/silent"]) {
        const { response, body } = await send(path);
        assert.deepEqual([response.status, body], [500, ""]);
      }
    });
    assert.match(log, /GET \/throws failed: Error: out of order/);
    assert.match(log, /GET \/silent failed: Error: the handler wrote no response/);
  }));

Deno.test("a handler that fails after it began to write breaks off the body", () =>
  withServer(async (register, send) => {
    register("/", async (_request, response) => {
      response.begin(200, {});
      await response.chunk("part");
      throw new Error("out of order");
    });
    const log = await logged(() => assert.rejects(send("/")));
    assert.match(log, /GET \/ failed: Error: out of order/);
  }));

Deno.test("a response can be written only once", () =>
  withServer(async (register, send) => {
    const { promise: failure, resolve: failed } = Promise.withResolvers<unknown>();
    register("/", (_request, response) => {
      response.write(200, {}, "once");
      try {
        response.write(200, {}, "twice");
      } catch (error) {
        failed(error);
      }
    });
    assert.equal((await send("/")).body, "once");
    assert.match(`${await failure}`, /written already/);
  }));

Deno.test("a handler continues when its client has disconnected", () =>
  withServer(async (register) => {
    const { promise: handlerIsDone, resolve: handlerDone } = Promise.withResolvers<void>();
    register("/", async (_request, response) => {
      response.begin(200, {});
      for (let count = 0; count < 1000; count++) await response.chunk("x".repeat(10_000));
      await response.end();
      handlerDone();
    });
    const response = await fetch(`http://127.0.0.1:${currentHttpServer().port}/`);
    await response.body!.cancel();
    await handlerIsDone;
  }));

Deno.test("a port in use is an error", () =>
  withServer(() => {
    const { port } = currentHttpServer();
    assert.throws(() => startHttpServer({ port, hostname: "127.0.0.1" }), Deno.errors.AddrInUse);
    assert.equal(currentHttpServer().port, port);
    return Promise.resolve();
  }));

Deno.test("the tutorial's handlers respond as it shows", () =>
  withServer(async (register, send) => {
    const handler = await import("../../examples/httpd/handler.ts");
    assert.equal((await send("/")).body, "the world is not flat but round!\n");
    register("/greeting", handler.writeSimpleHandler);
    register("/chunked", handler.writeChunkedHandler);
    const greeting = await send("/greeting");
    assert.equal(greeting.body, "hello there!\n");
    assert.equal(greeting.response.headers.get("content-type"), "text/plain");
    assert.equal((await send("/chunked")).body, "hello there!\n");
    handler.setGreeting("hello, i am httpd1\n");
    assert.equal((await send("/greeting")).body, "hello, i am httpd1\n");
  }));
