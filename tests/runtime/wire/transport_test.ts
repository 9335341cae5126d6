import assert from "node:assert/strict";
import { EnsembleError } from "../../../runtime/errors.ts";
import {
  type Address,
  formatAddressUrl,
  hostName,
  localUnixAddress,
  type UnixAddress,
} from "../../../runtime/wire/address.ts";
import { stopClock } from "../../fake_clock.ts";
import { NETWORKS, testWith } from "../../requirements.ts";
import { HANDSHAKE_TIMEOUT, MAX_HANDSHAKES } from "../../../runtime/wire/limits.ts";
import type { Listener } from "../../../runtime/wire/stream.ts";
import { Handshakes } from "../../../runtime/wire/handshakes.ts";
import { connectTo, listenAt } from "../../../runtime/wire/transport.ts";

const ANY_PORT: Address = { kind: "tcp", host: "127.0.0.1", port: 0 };

function listen(address: Address): Promise<Listener> {
  return listenAt(address, { onRefused: () => assert.fail("no client is refused here") });
}

async function assertFails(action: Promise<unknown>, message: string): Promise<void> {
  await assert.rejects(action, (error) => {
    assert.ok(error instanceof EnsembleError);
    assert.equal(error.message, message);
    return true;
  });
}

/** Sends bytes both ways, and closes both ends. */
async function assertCarries(listener: Listener): Promise<void> {
  const [client, accepted] = await Promise.all([connectTo(listener.address), listener.accept()]);
  const { stream } = accepted!;
  for (const [from, to] of [[client, stream], [stream, client]] as const) {
    const sent = new Uint8Array(300_000).map((_, i) => i * 13);
    const received: number[] = [];
    const reading = (async () => {
      const buffer = new Uint8Array(50_000);
      for (let count; (count = await to.read(buffer)) !== null;) {
        received.push(...buffer.subarray(0, count));
      }
    })();
    for (let rest = sent; rest.length > 0;) rest = rest.subarray(await from.write(rest));
    await from.closeWrite();
    await reading;
    assert.deepEqual(new Uint8Array(received), sent);
  }
  client.close();
  stream.close();
}

Deno.test("a unix socket carries bytes both ways, and both ends close", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "gx" });
  const listener = await listen(localUnixAddress(`${directory}/server`));
  await assertCarries(listener);
  await listener.close();
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("connectTo gives no advice about a directory when the path leads to no socket", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "gx" });
  Deno.chmodSync(directory, 0o755);
  Deno.writeTextFileSync(`${directory}/file`, "");
  for (
    const [path, why] of [
      [`${directory}/file`, "it is not a socket"],
      [directory, "it is not a socket"],
      [`${directory}/nothing`, "no such socket"],
    ] as const
  ) {
    const address = localUnixAddress(path);
    await assertFails(connectTo(address), `${formatAddressUrl(address)}: ${why}`);
  }
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("a tcp port carries bytes both ways, and both ends close", async () => {
  const listener = await listen(ANY_PORT);
  await assertCarries(listener);
  await listener.close();
});

Deno.test("a listener at port 0 reports its port", async () => {
  const [first, second] = await Promise.all([listen(ANY_PORT), listen(ANY_PORT)]);
  const ports = [first, second].map(({ address }) => {
    assert.equal(address.kind, "tcp");
    const { host, port } = address as { host: string; port: number };
    assert.equal(host, "127.0.0.1");
    return port;
  });
  assert.ok(ports.every((port) => port > 0) && ports[0] !== ports[1]);
  first.close();
  second.close();
});

Deno.test("accept returns a tcp stream with the address of its other end", async () => {
  const listener = await listen(ANY_PORT);
  const { port } = listener.address as { port: number };
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  const accepted = (await listener.accept())!;
  assert.deepEqual(accepted.from, {
    kind: "tcp",
    host: "127.0.0.1",
    port: (client.localAddr as Deno.NetAddr).port,
  });
  client.close();
  accepted.stream.close();
  await listener.close();
});

Deno.test("closing a listener ends a pending accept", async () => {
  const listener = await listen(ANY_PORT);
  const waiting = listener.accept();
  void listener.close();
  assert.equal(await waiting, undefined);
  assert.equal(await listener.accept(), undefined);
});

Deno.test("listenAt names a port that is in use", async () => {
  const listener = await listen(ANY_PORT);
  await assertFails(
    listen(listener.address),
    `cannot listen at ${formatAddressUrl(listener.address)}: the address is in use`,
  );
  await listener.close();
});

Deno.test("connectTo reports a port that refuses the connection", async () => {
  // No process listens there, as only root could.
  const address: Address = { kind: "tcp", host: "127.0.0.1", port: 1 };
  await assertFails(connectTo(address), `${formatAddressUrl(address)}: connection refused`);
});

Deno.test("connectTo distinguishes a missing socket from a stale one", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "gx" });
  const path = `${directory}/server`;
  await assertFails(connectTo(localUnixAddress(path)), `unix:${path}: no such socket`);
  const listener = await listen(localUnixAddress(path));
  Deno.renameSync(path, `${path}.stale`);
  await listener.close();
  Deno.renameSync(`${path}.stale`, path);
  await assertFails(connectTo(localUnixAddress(path)), `unix:${path}: connection refused`);
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("connectTo recognizes a unix socket by its file or, without one, by its host's name", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "gx" });
  const path = `${directory}/server`;
  const listener = await listen(localUnixAddress(path));
  const address = listener.address as UnixAddress;
  const host = `not-${hostName()}`;
  (await connectTo({ ...address, host })).close();
  const file = { ...address.file!, inode: address.file!.inode + 1 };
  const elsewhere =
    `unix://${host}${path} is a socket of host ${host}, and is not there on this host, ` +
    `${hostName()}: servers on other hosts are reached over tcp or tls, or by commands with --supervisor`;
  await assertFails(connectTo({ kind: "unix", host, path }), elsewhere);
  await assertFails(connectTo({ kind: "unix", host, path, file }), elsewhere);
  await assertFails(
    connectTo({ ...address, file }),
    `unix:${path}: the socket there on this host, ${hostName()}, is not the one announced on ` +
      `host ${hostName()}`,
  );
  await listener.close();
  Deno.removeSync(directory, { recursive: true });
});

testWith([NETWORKS], {
  name: "a link-local address with its zone can be listened on and connected to",
  async fn() {
    // In a separate network, where loopback has such an address.
    const source = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const program = `
      import { connectTo, listenAt } from ${source("../../../runtime/wire/transport.ts")};
      const listener = await listenAt({ kind: "tcp", host: "fe80::1%lo", port: 0 });
      const [client] = await Promise.all([connectTo(listener.address), listener.accept()]);
      console.log(listener.address.host, client.remoteAddr.hostname);
      Deno.exit();`;
    const command =
      'ip link set lo up && ip -6 addr add fe80::1/64 dev lo nodad && exec "$0" eval "$1"';
    const { stdout, stderr } = await new Deno.Command("unshare", {
      args: ["--net", "sh", "-c", command, Deno.execPath(), program],
    }).output();
    const [text, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.equal(text, "fe80::1%lo fe80::1\n", errors);
  },
});

Deno.test("connectTo names a host that does not exist", async () => {
  await assert.rejects(
    connectTo({ kind: "tcp", host: "nosuch.invalid", port: 1 }),
    (error) => error instanceof EnsembleError && /^tcp:\/\/nosuch\.invalid:1: /.test(error.message),
  );
});

Deno.test("Handshakes closes the oldest when there are too many, and each at its timeout", async () => {
  using clock = stopClock("setTimeout", "clearTimeout");
  const handshakes = new Handshakes();
  const closed: string[] = [];
  const begin = (name: string) =>
    handshakes.begin((message, isLate) => closed.push(`${name}: ${message} ${isLate}`));
  const ends = Array.from({ length: MAX_HANDSHAKES }, (_, number) => begin(`${number}`));
  ends[0]!();
  begin("in its place");
  assert.deepEqual(closed, []);
  begin("one too many");
  assert.deepEqual(closed.splice(0), ["1: too many handshakes at once false"]);
  for (const end of ends) end();
  await clock.tickAsync(HANDSHAKE_TIMEOUT);
  assert.deepEqual(closed, [
    "in its place: no handshake within 10000 ms true",
    "one too many: no handshake within 10000 ms true",
  ]);
  assert.equal(clock.countTimers(), 0);
});
