import assert from "node:assert/strict";
import { MonitoringEndpoint } from "../../observer/monitoring_endpoint.ts";
import type { EnsembleServer } from "../../runtime/ensemble/ensemble_server.ts";
import type { InternetAddress } from "../../runtime/wire/address.ts";
import { type TestEnsemble, withEnsemble } from "../../testing/test_ensemble.ts";
import { RawConnection, rawRequest } from "./raw_request.ts";

const LOCAL: InternetAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };

const TOKEN = "0123456789abcdef";

/** A server with an endpoint, as `--http` starts it. */
async function start(
  ensemble: TestEnsemble,
  options: { address?: InternetAddress; tokenFile?: string } = {},
): Promise<{ server: EnsembleServer; endpoint: MonitoringEndpoint; port: number }> {
  let endpoint: MonitoringEndpoint;
  const server = await ensemble.startServer("web1", {
    async prepare(starting) {
      endpoint = await MonitoringEndpoint.open(starting, { address: LOCAL, ...options });
      starting.hold(endpoint);
    },
  });
  return { server, endpoint: endpoint!, port: Number(new URL(endpoint!.url).port) };
}

async function writeToken(ensemble: TestEnsemble): Promise<string> {
  const path = `${ensemble.directory}/token`;
  await Deno.writeTextFile(path, TOKEN, { mode: 0o600 });
  return path;
}

async function get(url: string, init?: RequestInit): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.json() };
}

Deno.test(
  "MonitoringEndpoint answers /ready as the health of its server is",
  withEnsemble(async (ensemble) => {
    const { server, endpoint: { url } } = await start(ensemble);
    let reachable = true;
    server.addHealthCheck("db", () => {
      if (!reachable) throw new Error("no route to db1");
    });
    assert.deepEqual(await get(`${url}/ready`), {
      status: 200,
      body: { server: "web1", ready: true, checks: [] },
    });
    reachable = false;
    let answer;
    do answer = await get(`${url}/ready`); while (answer.status === 200);
    const failed = { name: "db", passes: false, message: "no route to db1" };
    assert.deepEqual(answer, {
      status: 503,
      body: { server: "web1", ready: false, checks: [failed] },
    });
    assert.deepEqual(await get(`${url}/ready?exclude=db&exclude=registry&verbose`), {
      status: 200,
      body: { server: "web1", ready: true, checks: [{ name: "state", passes: true }] },
    });
    server.removeHealthCheck("db");
    await server.drain({ timeout: 0 });
    const { status, body } = await get(`${url}/ready`);
    assert.equal(status, 503);
    assert.match(JSON.stringify(body), /web1 is draining/);
    assert.equal((await get(`${url}/alive`)).status, 200);
  }),
);

Deno.test(
  "MonitoringEndpoint answers GET and HEAD, and closes each connection",
  withEnsemble(async (ensemble) => {
    const { port } = await start(ensemble);
    const send = (line: string, host = "localhost") =>
      rawRequest(port, `${line} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const alive = await send("GET /alive");
    assert.match(alive, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(alive, /\r\nConnection: close\r\n/i);
    assert.match(alive, /\r\n\r\n\{"server":"web1","alive":true\}\n$/);
    const head = await send("HEAD /alive");
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(head, /\r\nContent-Length: 31\r\n/i);
    assert.match(head, /\r\n\r\n$/);
    assert.match(await send("POST /alive"), /^HTTP\/1\.1 405 [^]*\r\nAllow: GET, HEAD\r\n/i);
    assert.match(await send("GET /"), /^HTTP\/1\.1 404 /);
    assert.match(await send("GET /alive/../ready"), /^HTTP\/1\.1 200 /);
    assert.match(await send("GET //"), /^HTTP\/1\.1 404 /);
    assert.match(await send("GET http://[/alive"), /^HTTP\/1\.1 404 /);
    assert.match(await rawRequest(port, "GET /alive HTTP/1.0\r\n\r\n"), /^HTTP\/1\.\d 200 /);
  }),
);

Deno.test(
  "MonitoringEndpoint without a token answers only to names of this host",
  withEnsemble(async (ensemble) => {
    const { port } = await start(ensemble);
    const status = async (host: string) =>
      Number(
        (await rawRequest(port, `GET /alive HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).split(" ")[1],
      );
    for (const host of ["localhost", "localhost:80", "127.0.0.1", "[::1]:9100", "10.0.0.1", ""]) {
      assert.equal(await status(host), 200, host);
    }
    for (const host of ["evil.example", "localhost.evil.example:9100", "1.2.3.4.evil.example"]) {
      assert.equal(await status(host), 403, host);
    }
  }),
);

Deno.test(
  "MonitoringEndpoint says no more than whether the server is ready without the token",
  withEnsemble(async (ensemble) => {
    const tokenFile = await writeToken(ensemble);
    const { server, endpoint: { url } } = await start(ensemble, { tokenFile });
    server.addHealthCheck("secret", () => false);
    const authorized = { headers: { Authorization: `Bearer ${TOKEN}` } };
    assert.deepEqual(await get(`${url}/ready?verbose`), { status: 503, body: { ready: false } });
    assert.deepEqual(await get(`${url}/alive`), { status: 200, body: { alive: true } });
    assert.match(JSON.stringify((await get(`${url}/ready`, authorized)).body), /"secret"/);
  }),
);

Deno.test(
  "MonitoringEndpoint does not open for other hosts without a token",
  withEnsemble(async (ensemble) => {
    const everywhere = { ...LOCAL, host: "0.0.0.0" };
    await assert.rejects(start(ensemble, { address: everywhere }), {
      name: "EnsembleError",
      message: /^other hosts could read the metrics at 0\.0\.0\.0:0: it needs a token$/,
    });
    const tokenFile = await writeToken(ensemble);
    const { port } = await start(ensemble, { address: everywhere, tokenFile });
    assert.match(
      await rawRequest(port, "GET /alive HTTP/1.1\r\nHost: web1.example.com\r\n\r\n"),
      /^HTTP\/1\.1 200 /,
    );
  }),
);

Deno.test(
  "MonitoringEndpoint says which port is taken, and the server does not start",
  withEnsemble(async (ensemble) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    await assert.rejects(start(ensemble, { address: { ...LOCAL, port } }), {
      name: "EnsembleError",
      message: `--http: cannot listen at tcp://127.0.0.1:${port}: the address is in use`,
    });
    const client = await ensemble.startServer();
    assert.deepEqual(await client.servers(), []);
  }),
);

Deno.test(
  "MonitoringEndpoint closes with its server, and its port can be used again at once",
  withEnsemble(async (ensemble) => {
    const { server, port } = await start(ensemble);
    // A connection that the server closes keeps its port for a while.
    await rawRequest(port, "GET /alive HTTP/1.1\r\nHost: localhost\r\n\r\n");
    using silent = await RawConnection.open(port);
    using slow = await RawConnection.open(port);
    server.addHealthCheck("slow", () => new Promise(() => {}), { timeout: 5_000 });
    await slow.send("GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await server.stop();
    assert.equal(await silent.received, "");
    await slow.received;
    const again = await start(ensemble, { address: { ...LOCAL, port } });
    assert.equal(again.port, port);
    assert.equal((await get(`${again.endpoint.url}/alive`)).status, 200);
  }),
);

Deno.test(
  "MonitoringEndpoint refuses headers that are too large, and what is not HTTP",
  withEnsemble(async (ensemble) => {
    const { port, endpoint: { url } } = await start(ensemble);
    const request = (headers: string) =>
      rawRequest(port, `GET /alive HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
    assert.match(await request(`A: ${"x".repeat(10_000)}\r\n`), /^HTTP\/1\.1 431 /);
    const many = Array.from({ length: 2_000 }, (_, index) => `x${index}: 1\r\n`).join("");
    assert.match(await request(many), /^HTTP\/1\.1 431 /);
    assert.match(await rawRequest(port, "\x16\x03\x01\x02\r\n\r\n"), /^HTTP\/1\.1 400 /);
    assert.match(await rawRequest(port, `GET /${"x".repeat(10_000)}`), /^HTTP\/1\.1 4\d\d /);
    // Of requests in a row, the first is answered.
    const row = "GET /alive HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
    assert.equal((await rawRequest(port, row)).match(/HTTP/g)?.length, 1);
    // A large body is not read.
    assert.match(
      await rawRequest(
        port,
        "POST /alive HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nx",
      ),
      /^HTTP\/1\.1 405 /,
    );
    assert.equal((await get(`${url}/alive`)).status, 200);
  }),
);

Deno.test(
  "MonitoringEndpoint answers while a thousand clients are silent",
  withEnsemble(async (ensemble) => {
    const { port, endpoint: { url } } = await start(ensemble);
    using connections = new DisposableStack();
    const silent: RawConnection[] = [];
    for (let count = 0; count < 1_000; count++) {
      silent.push(connections.use(await RawConnection.open(port)));
    }
    for (const connection of silent.slice(0, 20)) await connection.send("GET /al");
    assert.equal((await get(`${url}/alive`)).status, 200);
    // All but a few were closed.
    await Promise.all(silent.slice(0, 900).map(({ received }) => received));
  }),
);

Deno.test(
  "MonitoringEndpoint closes a connection whose request does not come",
  withEnsemble(async (ensemble) => {
    const { port } = await start(ensemble);
    const received = await Promise.all([
      rawRequest(port, ""),
      rawRequest(port, "GET /alive HTTP/1.1\r\nHost: localhost\r\n"),
      rawRequest(port, "POST /alive HTTP/1.1\r\nContent-Length: 5\r\n"),
    ]);
    for (const text of received) assert.match(text, /^HTTP\/1\.1 408 /);
  }),
);
