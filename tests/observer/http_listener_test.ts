import assert from "node:assert/strict";
import { HttpListener } from "../../observer/http_listener.ts";
import { LINUX, testWith } from "../requirements.ts";
import { RawConnection, rawRequest } from "./raw_request.ts";

const ADDRESS = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** A listener that answers "hello" to all. */
async function listen(): Promise<{ listener: HttpListener; port: number }> {
  const listener = await HttpListener.open(ADDRESS, (_request, response) => {
    response.end("hello\n");
  });
  return { listener, port: Number(new URL(listener.url).port) };
}

Deno.test("HttpListener gives a request that comes in parts, and the address of its client", async () => {
  const seen: string[] = [];
  await using listener = await HttpListener.open(
    ADDRESS,
    ({ method, url, headers }, response, from) => {
      seen.push(`${method} ${url} ${headers["x-long"]?.length} ${from}`);
      response.end();
    },
  );
  const port = Number(new URL(listener.url).port);
  using connection = await RawConnection.open(port);
  const text = `GET /a HTTP/1.1\r\nHost: a\r\nX-Long: ${"x".repeat(7_000)}\r\n\r\n`;
  for (const part of text.split(/(?<=[\r\n])/)) await connection.send(part);
  assert.match(await connection.received, /^HTTP\/1\.1 200 /);
  assert.deepEqual(seen, ["GET /a 7000 127.0.0.1"]);
});

Deno.test("HttpListener answers one request of a thousand in a row, without reading the others", async () => {
  const { listener, port } = await listen();
  await using _listener = listener;
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => rawRequest(port, REQUEST.repeat(1_000))),
  );
  for (const answer of answers) assert.equal(answer.match(/HTTP\/1\.1 200/g)?.length, 1);
});

Deno.test("HttpListener sends a whole answer to a client that is still sending", async () => {
  const { listener, port } = await listen();
  await using _listener = listener;
  const body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" +
    "x".repeat(1_000_000);
  assert.match(await rawRequest(port, body), /^HTTP\/1\.1 200 [^]*hello\n$/);
});

Deno.test("HttpListener answers with 500 when the answer fails", async () => {
  await using listener = await HttpListener.open(ADDRESS, () => Promise.reject(new Error("no")));
  assert.match(await rawRequest(Number(new URL(listener.url).port), REQUEST), /^HTTP\/1\.1 500 /);
});

testWith([LINUX, "sh"], {
  name: "HttpListener accepts again after the process was out of file descriptors",
  async fn() {
    const program = `
      import { HttpListener } from ${
      JSON.stringify(import.meta.resolve("../../observer/http_listener.ts"))
    };
      const listener = await HttpListener.open(${JSON.stringify(ADDRESS)}, (_request, response) => {
        response.end("hello");
      });
      const files = [];
      try {
        for (;;) files.push(Deno.openSync("/dev/null"));
      } catch {
        console.log(new URL(listener.url).port);
      }
      await Deno.stdin.read(new Uint8Array(1));
      for (const file of files) file.close();
    `;
    const command = `ulimit -n 100; exec "$0" run -A --no-check "$1"`;
    const directory = await Deno.makeTempDir({ prefix: "gx" });
    const file = `${directory}/main.ts`;
    await Deno.writeTextFile(file, program);
    const child = new Deno.Command("sh", {
      args: ["-c", command, Deno.execPath(), file],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.getReader();
    const input = child.stdin.getWriter();
    try {
      const port = Number(new TextDecoder().decode((await reader.read()).value));
      // The kernel has accepted it, and the process cannot.
      using waiting = await RawConnection.open(port);
      await waiting.send(REQUEST);
      await input.write(new Uint8Array([10]));
      assert.match(await waiting.received, /hello$/);
      assert.match(await rawRequest(port, REQUEST), /hello$/);
    } finally {
      child.kill("SIGKILL");
      await input.abort().catch(() => {});
      await reader.cancel();
      await child.status;
      await Deno.remove(directory, { recursive: true });
    }
  },
});
