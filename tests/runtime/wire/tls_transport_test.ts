import assert from "node:assert/strict";
import { createConnection, type Socket } from "node:net";
import { AuthenticationError, InvalidInputError } from "../../../runtime/errors.ts";
import { ExtendedKeyUsage } from "../../../runtime/pki/x509.ts";
import { type Address, formatAddressUrl } from "../../../runtime/wire/address.ts";
import {
  CONNECT_TIMEOUT,
  HANDSHAKE_TIMEOUT,
  MAX_HANDSHAKES,
} from "../../../runtime/wire/limits.ts";
import type { ByteStream, Listener } from "../../../runtime/wire/stream.ts";
import { connectTls, requireClientCertificates } from "../../../runtime/wire/tls_transport.ts";
import { connectTo, listenAt } from "../../../runtime/wire/transport.ts";
import { stopClock } from "../../fake_clock.ts";
import { testWith } from "../../requirements.ts";
import { eventually } from "../server/captured_logs.ts";
import { type CertificateOptions, MadeAuthority, MadeCredentials } from "./made_authority.ts";

const authority = await MadeAuthority.create();
const other = await MadeAuthority.create();
const [alice, bob] = await Promise.all([
  authority.credentials("alice"),
  authority.credentials("bob"),
]);

Deno.test("an address with a zone is refused over tls, which cannot reach it", async () => {
  const address: Address = { kind: "tls", host: "fe80::1%lo", port: 1 };
  const why = /tls:\/\/\[fe80::1%lo\]:1: tls does not accept an address with a zone: use another/;
  await assert.rejects(connectTo(address, { tls: alice }), why);
  await assert.rejects(
    listenAt(address, { tls: alice }),
    /\[fe80::1%lo\]:1: tls does not accept an address with a zone/,
  );
});

/** A tls port on this host, and the clients it refused. */
class TlsPort implements Disposable {
  readonly refusals: string[] = [];
  readonly listener: Listener;

  private constructor(listener: Listener, refusals: string[]) {
    this.listener = listener;
    this.refusals = refusals;
  }

  static async open(tls = bob, host = "127.0.0.1"): Promise<TlsPort> {
    const refusals: string[] = [];
    const onRefused = (from: string, reason: string) => void refusals.push(`${from}: ${reason}`);
    const listener = await listenAt({ kind: "tls", host, port: 0 }, { tls, onRefused });
    return new TlsPort(listener, refusals);
  }

  get address(): Address & { kind: "tls" } {
    return this.listener.address as Address & { kind: "tls" };
  }

  /** Both ends of a new stream. */
  async pair(tls = alice): Promise<{ client: ByteStream; server: ByteStream }> {
    const [client, accepted] = await Promise.all([
      connectTo(this.address, { tls }),
      this.listener.accept(),
    ]);
    return { client, server: accepted!.stream };
  }

  /** A plain connection to the port. */
  async plain(): Promise<Socket> {
    const socket = createConnection(this.address.port, this.address.host);
    const opened = Promise.withResolvers<void>();
    socket.once("connect", opened.resolve);
    socket.once("error", opened.reject);
    await opened.promise;
    socket.on("error", () => {});
    return socket;
  }

  [Symbol.dispose](): void {
    this.listener.close();
  }
}

function bytes(length: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => i * 13 + (i >> 8));
}

async function writeAll(stream: ByteStream, all: Uint8Array): Promise<void> {
  for (let rest = all; rest.length > 0;) rest = rest.subarray(await stream.write(rest));
}

/** Reads to the end. */
async function readAll(stream: ByteStream): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const buffer = new Uint8Array(50_000);
  for (let count; (count = await stream.read(buffer)) !== null;) {
    chunks.push(buffer.slice(0, count));
  }
  return await new Blob(chunks).bytes();
}

Deno.test("a tls stream carries a lot of data both ways at once, and both ends close", async () => {
  using port = await TlsPort.open();
  const { client, server } = await port.pair();
  const [there, back] = [bytes(20_000_000), bytes(7_000_001).reverse()];
  const [atServer, atClient] = await Promise.all([
    readAll(server),
    readAll(client),
    (async () => {
      for (let at = 0; at < there.length; at += 3_333_333) {
        await writeAll(client, there.subarray(at, at + 3_333_333));
      }
      await client.closeWrite();
    })(),
    (async () => {
      await writeAll(server, back);
      await server.closeWrite();
    })(),
  ]);
  assert.deepEqual(atServer, there);
  assert.deepEqual(atClient, back);
  for (const stream of [client, server]) stream.close();
});

Deno.test("a tls stream is still read after its write side is closed", async () => {
  using port = await TlsPort.open();
  for (const turn of ["client", "server"]) {
    const { client, server } = await port.pair();
    const [first, second] = turn === "client" ? [client, server] : [server, client];
    await writeAll(first, bytes(100_000));
    await first.closeWrite();
    assert.deepEqual(await readAll(second), bytes(100_000));
    await writeAll(second, bytes(300_000));
    await second.closeWrite();
    assert.deepEqual(await readAll(first), bytes(300_000), turn);
    for (const stream of [client, server]) stream.close();
  }
});

Deno.test("a tls stream is closed when too much unread data accumulates", async () => {
  using port = await TlsPort.open();
  const { client, server } = await port.pair();
  const write = async () => {
    while (true) await writeAll(client, bytes(1_000_000));
  };
  await assert.rejects(write());
  await assert.rejects(readAll(server), /too much data arrived without being read/);
  for (const stream of [client, server]) stream.close();
});

Deno.test("an abrupt end of a tls stream ends a read", async () => {
  using port = await TlsPort.open();
  for (const closing of ["client", "server"] as const) {
    const pair = await port.pair();
    const [gone, left] = closing === "client"
      ? [pair.client, pair.server]
      : [pair.server, pair.client];
    const reading = readAll(left).catch((error) => error);
    await writeAll(gone, bytes(100));
    gone.close();
    gone.close();
    await reading;
    const write = async () => {
      while (true) await writeAll(left, bytes(1_000_000));
    };
    await assert.rejects(write());
    left.close();
    assert.equal(await left.read(new Uint8Array(1)).catch(() => null), null);
  }
});

Deno.test("closing a tls stream ends a pending read", async () => {
  using port = await TlsPort.open();
  const { client, server } = await port.pair();
  const reading = client.read(new Uint8Array(10)).catch(() => null);
  client.close();
  assert.equal(await reading, null);
  server.close();
});

/** Connects a client that should be refused, and returns the refusals. */
async function tryWith(tls: MadeCredentials, server = bob): Promise<string[]> {
  using port = await TlsPort.open(server);
  // A client that is accepted anyway sees an end.
  void port.listener.accept().then((accepted) => accepted?.stream.close());
  let stream: ByteStream | undefined;
  try {
    stream = await connectTo(port.address, { tls });
    // In TLS 1.3 the client is done before the server has received its certificate.
    assert.equal(await stream.read(new Uint8Array(1)), null);
  } finally {
    stream?.close();
  }
  await eventually(() => port.refusals.length > 0, "the server tells whom it refused");
  port.listener.close();
  assert.equal(await port.listener.accept(), undefined);
  assert.match(port.refusals[0]!, /^tls:\/\/127\.0\.0\.1:\d{2,}: /);
  return port.refusals.map((refusal) => refusal.replace(/^\S+: /, ""));
}

const DAY = 24 * 60 * 60 * 1000;
const BAD_CLIENTS: [what: string, options: CertificateOptions, reason: RegExp][] = [
  ["expired", { since: 2 * DAY, left: -DAY }, /certificate/],
  ["not yet valid", { since: -DAY, left: 2 * DAY }, /certificate/],
  ["for servers only", { usages: [ExtendedKeyUsage.serverAuth] }, /./],
  ["signed by a server instead of an authority", {
    issuer: (await authority.issue("mallory")).issuer,
  }, /./],
  ["signed by an authority below the issuing one", {
    issuer: (await authority.issue("mallory", { authority: true })).issuer,
  }, /./],
  ["signed by an unknown authority", {
    issuer: (await other.issue("mallory")).issuer,
  }, /./],
];
for (const [what, options, reason] of BAD_CLIENTS) {
  Deno.test(`a tls port refuses a client whose certificate is ${what}`, async () => {
    const [refusal] = await tryWith(await authority.credentials("alice", options));
    assert.match(refusal!, reason);
  });
}

Deno.test("a tls port refuses a client whose certificate is from another authority", async () => {
  const { chain, key } = await other.issue("alice");
  await tryWith(new MadeCredentials({ chain, key, roots: [authority.root] }));
});

Deno.test("a tls port refuses a client without its intermediate certificate", async () => {
  const { chain, key, roots } = await authority.issue("alice");
  const own = chain.slice(0, chain.indexOf("-----BEGIN", 1));
  await tryWith(new MadeCredentials({ chain: own, key, roots }));
});

const BAD_SERVERS: [what: string, options: CertificateOptions, reason: RegExp][] = [
  ["expired", { since: 2 * DAY, left: -DAY }, /./],
  ["not yet valid", { since: -DAY, left: 2 * DAY }, /./],
  ["for clients only", { usages: [ExtendedKeyUsage.clientAuth] }, /./],
  ["for another host", { hosts: [{ type: "dns", value: "elsewhere.internal" }] }, /altnames/],
  ["for another address", { hosts: [{ type: "ip", value: "127.0.0.2" }] }, /altnames/],
  // Before alternative names existed, an address in place of a name was accepted.
  ["for an address as a name", { hosts: [{ type: "dns", value: "127.0.0.1" }] }, /altnames/],
  ["for no host", { hosts: [] }, /altnames/],
  ["signed by a server instead of an authority", {
    issuer: (await authority.issue("mallory")).issuer,
  }, /./],
];
for (const [what, options, reason] of BAD_SERVERS) {
  Deno.test(`a client refuses a server whose certificate is ${what}`, async () => {
    using port = await TlsPort.open(await authority.credentials("bob", options));
    await assert.rejects(connectTo(port.address, { tls: alice }), (error: Error) => {
      const prefix = `${formatAddressUrl(port.address)}: `;
      assert.ok(error.message.startsWith(prefix), error.message);
      assert.match(error.message.slice(prefix.length), reason);
      return true;
    });
  });
}

Deno.test("a tls client refuses a server whose certificate is from another authority", async () => {
  const { chain, key } = await other.issue("bob");
  const server = new MadeCredentials({ chain, key, roots: [authority.root] });
  using port = await TlsPort.open(server);
  await assert.rejects(connectTo(port.address, { tls: alice }), /tls:\/\/.*/);
});

Deno.test("a tls client compares the host with the names in the certificate", async () => {
  using port = await TlsPort.open();
  const stream = await connectTo({ ...port.address, host: "localhost" }, { tls: alice });
  stream.close();
});

Deno.test("a tls port refuses plain clients, and a plain port refuses tls clients", async () => {
  using port = await TlsPort.open();
  for (const garbage of ["GET / HTTP/1.0\r\n\r\n", "\0\0\0\x10xxxxxxxxxxxxxxxx"]) {
    const plain = await port.plain();
    plain.end(garbage);
    const closed = Promise.withResolvers<void>();
    plain.resume().once("close", () => closed.resolve());
    await closed.promise;
  }
  await eventually(() => port.refusals.length >= 2, "it tells whom it refused");
  assert.match(port.refusals[0]!, /^tls:\/\/127\.0\.0\.1:\d{2,}: /);
  const { client, server } = await port.pair();
  for (const stream of [client, server]) stream.close();

  const plain = await listenAt({ kind: "tcp", host: "127.0.0.1", port: 0 });
  const { host, port: number } = plain.address as Address & { kind: "tcp" };
  const connecting = connectTo({ kind: "tls", host, port: number }, { tls: alice });
  const accepted = (await plain.accept())!.stream;
  await accepted.write(new TextEncoder().encode("220 welcome\r\n"));
  await assert.rejects(connecting, /tls:\/\/127\.0\.0\.1:\d+: /);
  accepted.close();
  plain.close();
});

Deno.test("hundreds of silent clients do not keep others out of a tls port", async () => {
  using port = await TlsPort.open();
  const silent: Socket[] = [];
  for (let i = 0; i < MAX_HANDSHAKES + 20; i++) silent.push(await port.plain());
  const { client, server } = await port.pair();
  const dropped = port.refusals.filter((refusal) => /: too many handshakes at once$/.test(refusal));
  assert.ok(dropped.length >= 20, `${dropped.length} were dropped`);
  assert.equal(new Set(port.refusals).size, port.refusals.length, "each is told of once");
  await eventually(() => silent[0]!.closed, "the oldest is closed");
  assert.ok(!silent.at(-1)!.destroyed);
  // A stream in use does not count.
  await writeAll(client, bytes(10));
  assert.equal(await server.read(new Uint8Array(10)), 10);
  for (const stream of [client, server]) stream.close();
  port.listener.close();
  await eventually(() => silent.every(({ closed }) => closed), "the others go with the listener");
});

Deno.test("a client that hangs up without sending anything is not reported", async () => {
  using port = await TlsPort.open();
  (await port.plain()).destroy();
  const ended = await port.plain();
  ended.end();
  const { client, server } = await port.pair();
  for (const stream of [client, server]) stream.close();
  assert.deepEqual(port.refusals, []);
});

Deno.test("a closed tls port accepts no connection", async () => {
  const port = await TlsPort.open();
  const waiting = port.listener.accept();
  port.listener.close();
  assert.equal(await waiting, undefined);
  await assert.rejects(
    connectTo(port.address, { tls: alice }),
    /connection refused|ECONNREFUSED/,
  );
});

Deno.test("listenAt reports a tls port that is in use", async () => {
  using port = await TlsPort.open();
  await assert.rejects(listenAt(port.address, { tls: bob }), {
    message: `cannot listen at ${formatAddressUrl(port.address)}: the address is in use`,
  });
});

Deno.test("new certificates are used for new connections, and open ones continue", async () => {
  const changing = await authority.credentials("bob");
  using port = await TlsPort.open(changing);
  const { client, server } = await port.pair();
  changing.change(await authority.issue("bob", { hosts: [{ type: "dns", value: "moved" }] }));
  await assert.rejects(connectTo(port.address, { tls: alice }), /altnames/);
  // With another authority, clients of the old one are refused.
  changing.change(await other.issue("bob"));
  await assert.rejects(connectTo(port.address, { tls: alice }));
  const friend = await port.pair(await other.credentials("alice"));
  for (const [from, to] of [[client, server], [server, client]] as const) {
    await writeAll(from, bytes(10));
    assert.equal(await to.read(new Uint8Array(10)), 10);
  }
  for (const stream of [client, server, friend.client, friend.server]) stream.close();
});

Deno.test("identify refuses a certificate that is revoked, out of date or names no server", async () => {
  const der = async (id?: string, options?: CertificateOptions) =>
    new Uint8Array((await authority.issue(id, options)).issuer.signer.certificate.rawData);
  const refuses = async (
    certificate: Promise<Uint8Array>,
    reason: RegExp,
    kind: new (message: string) => Error,
  ) => {
    const bytes = await certificate;
    assert.throws(() => alice.identify(bytes), (error: Error) => {
      assert.ok(error instanceof kind);
      assert.match(error.message, reason);
      return true;
    });
  };
  const { id, serial } = alice.identify(await der("carol", { uris: ["cap:shutdown"] }));
  assert.equal(id, "carol");
  assert.match(serial, /^40[0-9A-F]{30}$/);
  const past = { since: 2 * DAY, left: -DAY };
  await refuses(der("carol", past), /of carol expired at \d{4}-.* \(serial/, AuthenticationError);
  const future = { since: -DAY, left: 2 * DAY };
  await refuses(der("carol", future), /of carol is not valid before \d{4}-/, AuthenticationError);
  await refuses(der(), /names 0 servers/, InvalidInputError);
  await refuses(der("carol", { uris: ["srv:dave"] }), /names 2 servers/, InvalidInputError);
  await refuses(der("carol", { uris: ["cap:"] }), /./, InvalidInputError);
  const revoked = await authority.credentials("erin");
  const { issuer, serial: number } = await authority.issue("carol");
  const carol = new Uint8Array(issuer.signer.certificate.rawData);
  assert.equal(revoked.identify(carol).id, "carol");
  revoked.revoked.add(number);
  assert.throws(() => revoked.identify(carol), {
    message: `the certificate of carol was revoked (serial ${number})`,
  });
});

/** Connects to a tls port with `openssl s_client`, waits for its end, and returns its output. */
async function opensslClient(port: TlsPort, args: string[]): Promise<string> {
  const directory = Deno.makeTempDirSync({ prefix: "gx-" });
  try {
    const { chain, key, roots } = alice.current();
    Deno.writeTextFileSync(`${directory}/chain`, chain);
    Deno.writeTextFileSync(`${directory}/key`, key, { mode: 0o600 });
    Deno.writeTextFileSync(`${directory}/root`, roots[0]!);
    const place = (arg: string) => arg.replace(/^@/, `${directory}/`);
    const child = new Deno.Command("openssl", {
      args: [
        ...["s_client", "-connect", `127.0.0.1:${port.address.port}`, "-CAfile", "@root"],
        ...args,
      ].map(place),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    const { stdout, stderr } = await child.output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

const CERTIFICATE = ["-cert", "@chain", "-cert_chain", "@chain", "-key", "@key"];

testWith(["openssl"], {
  name: "a tls port refuses TLS before 1.3, and clients without a certificate",
  async fn() {
    using port = await TlsPort.open();
    const good = await opensslClient(port, [...CERTIFICATE, "-tls1_3"]);
    assert.match(good, /TLSv1\.3/);
    (await port.listener.accept())!.stream.close();
    assert.deepEqual(port.refusals, []);
    const old = await opensslClient(port, [...CERTIFICATE, "-tls1_2"]);
    assert.match(old, /alert protocol version/);
    await eventually(() => port.refusals.length === 1, "who speaks TLS 1.2 is refused");
    await opensslClient(port, ["-tls1_3", "-ign_eof"]);
    await eventually(() => port.refusals.length === 2, "who shows nothing is refused");
    assert.match(port.refusals[1]!, /^tls:\/\/127\.0\.0\.1:\d{2,}: .*certificate/);
  },
});

Deno.test("requireClientCertificates refuses versions of Deno that accept clients without one", () => {
  for (const version of ["1.46.3", "2.0.0", "2.7.12", "2.7.14", "2.8.0", "2.8.0-rc.1"]) {
    assert.throws(() => requireClientCertificates(version), {
      name: "EnsembleError",
      message:
        `Deno ${version} does not ask clients for certificates as it should: use 2.8.1 or later`,
    });
  }
  for (const version of ["2.8.1", "2.9.0", "2.9.6", "2.10.0", "2.10.0-rc.1+abcdef", "3.0.0"]) {
    requireClientCertificates(version);
  }
  requireClientCertificates(Deno.version.deno);
});

function openFiles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** The first bytes of a ClientHello that announces more. */
const HALF_HELLO = new Uint8Array([22, 3, 1, 2, 0, 1, 0, 1, 0xfc]);

const UNFINISHED: [
  what: string,
  act: (socket: Deno.TcpConn) => Promise<void>,
  told: RegExp | undefined,
][] = [
  ["says nothing", () => Promise.resolve(), undefined],
  ["hangs up at once", (socket) => Promise.resolve(socket.close()), undefined],
  ["ends its side at once", (socket) => socket.closeWrite(), undefined],
  [
    "sends half a hello",
    async (socket) => void await socket.write(HALF_HELLO),
    /no handshake within 10000 ms$/,
  ],
  ["sends half a hello and hangs up", async (socket) => {
    await socket.write(HALF_HELLO);
    socket.close();
  }, /no handshake within 10000 ms$/],
  [
    "sends no hello",
    async (socket) => void await socket.write(new Uint8Array(100)),
    /: received corrupt/,
  ],
];
for (const [what, act, told] of UNFINISHED) {
  Deno.test({
    name: `a tls port keeps no descriptor of a client that ${what}`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      using port = await TlsPort.open();
      const { client, server } = await port.pair();
      for (const stream of [client, server]) stream.close();
      const before = openFiles();
      const sockets: Deno.TcpConn[] = [];
      let handshakes = 0;
      {
        using clock = stopClock("setTimeout", "clearTimeout");
        for (let i = 0; i < 10; i++) {
          const socket = await Deno.connect({ port: port.address.port });
          sockets.push(socket);
          await act(socket);
        }
        const arrived = () => handshakes = Math.max(handshakes, clock.countTimers());
        await eventually(() => arrived() === 10 || port.refusals.length === 10);
        // Once an honest client is accepted, everything sent before it has arrived.
        const honest = await port.pair();
        for (const stream of [honest.client, honest.server]) stream.close();
        await clock.tickAsync(HANDSHAKE_TIMEOUT);
        assert.equal(clock.countTimers(), 0);
      }
      for (const socket of sockets) {
        try {
          socket.close();
        } catch {
          // The client has hung up.
        }
      }
      await eventually(() => openFiles() <= before, "all descriptors are closed");
      assert.equal(port.refusals.length, told ? 10 : 0, port.refusals.join("\n"));
      if (told) { for (const refusal of port.refusals) assert.match(refusal, told); }
    },
  });
}

Deno.test("a tls handshake leaves no timer or descriptor, whether it succeeds or is refused", async () => {
  using port = await TlsPort.open();
  const first = await port.pair();
  for (const stream of [first.client, first.server]) stream.close();
  const before = openFiles();
  {
    using clock = stopClock("setTimeout", "clearTimeout");
    const { client, server } = await port.pair();
    assert.equal(clock.countTimers(), 0);
    for (const stream of [client, server]) stream.close();
  }
  const { chain, key } = await other.issue("alice");
  const stranger = new MadeCredentials({ chain, key, roots: [authority.root] });
  const stream = await connectTo(port.address, { tls: stranger });
  await stream.read(new Uint8Array(1)).catch(() => {});
  stream.close();
  await eventually(() => port.refusals.length === 1 && openFiles() <= before, "all is closed");
});

Deno.test("a tls port reports how long the handshake of a stream took", async () => {
  using port = await TlsPort.open();
  const { client, server } = await port.pair();
  assert.ok(server.handshakeTime! > 0 && server.handshakeTime! < HANDSHAKE_TIMEOUT);
  for (const stream of [client, server]) stream.close();
});

Deno.test("connectTls ends when its signal aborts, and keeps no descriptor", async () => {
  const silent = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const address = { kind: "tls", host: "127.0.0.1", port: silent.addr.port } as const;
  const controller = new AbortController();
  const connecting = connectTls(address, { tls: alice, signal: controller.signal });
  const accepted = await silent.accept();
  controller.abort();
  // Ends the wait if connectTls ignores its signal.
  const deadline = setTimeout(() => [accepted, silent].forEach((each) => each.close()), 5_000);
  await assert.rejects(connecting, /no answer in time/);
  // The socket is closed. Only a hello came before its end.
  const buffer = new Uint8Array(4096);
  while (await accepted.read(buffer) !== null);
  await assert.rejects(
    connectTls(address, { tls: alice, signal: AbortSignal.abort() }),
    /no answer in time/,
  );
  clearTimeout(deadline);
  for (const each of [accepted, silent]) each.close();
});

Deno.test("connectTo gives up on a tls port that does not answer within CONNECT_TIMEOUT", async () => {
  using silent = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const controller = new AbortController();
  const { timeout } = AbortSignal;
  AbortSignal.timeout = (delay) => {
    assert.equal(delay, CONNECT_TIMEOUT);
    return controller.signal;
  };
  try {
    const address = { kind: "tls", host: "127.0.0.1", port: silent.addr.port } as const;
    const connecting = connectTo(address, { tls: alice });
    const accepted = await silent.accept();
    const deadline = setTimeout(() => accepted.close(), 5_000);
    controller.abort();
    await assert.rejects(connecting, {
      message: `${formatAddressUrl(address)}: no answer in time`,
    });
    clearTimeout(deadline);
    accepted.close();
  } finally {
    AbortSignal.timeout = timeout;
  }
});

testWith(["openssl"], {
  name: "a tls port resumes no session, so that certificates are checked by the current authority",
  async fn() {
    const changing = await authority.credentials("bob");
    using port = await TlsPort.open(changing);
    const directory = Deno.makeTempDirSync({ prefix: "gx-" });
    try {
      const resume = ["-tls1_3", "-ign_eof", "-sess_in", `${directory}/session`];
      const serving = (async () => {
        // Tickets arrive with the first data.
        const { stream } = (await port.listener.accept())!;
        await writeAll(stream, bytes(10));
        stream.close();
      })();
      await opensslClient(port, [
        ...[...CERTIFICATE, "-tls1_3", "-ign_eof"],
        ...["-sess_out", `${directory}/session`],
      ]);
      await serving;
      assert.deepEqual(port.refusals, []);
      // A client that is accepted anyway sees an end.
      void (async () => {
        for (let next; (next = await port.listener.accept());) next.stream.close();
      })();
      assert.ok(Deno.statSync(`${directory}/session`).isFile, "the client has a session to resume");
      // After `gxensemble ca setup -f`, and without it.
      for (const change of [undefined, await other.issue("bob")]) {
        if (change) changing.change(change);
        await opensslClient(port, [...CERTIFICATE, ...resume]);
        await eventually(() => port.refusals.length === 1, "it is refused");
        assert.match(
          port.refusals.pop()!,
          /it resumes a session, but certificates are checked for each connection$|no valid certificate/,
        );
      }
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
});
