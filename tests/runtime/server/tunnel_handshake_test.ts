/**
 * Handshakes through a tunnel, and what a supervisor that lies makes of them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { AuthenticationError, EnsembleError } from "../../../runtime/errors.ts";
import {
  type Authenticated,
  clientHandshake,
  serverHandshake,
} from "../../../runtime/server/handshake.ts";
import {
  decodeHello,
  encodeHello,
  type Hello,
  RefusedError,
} from "../../../runtime/server/handshake_messages.ts";
import type { Bytes, Credentials } from "../../../runtime/server/credentials.ts";
import { assertError, assertPeer, changed, credentials, through, Wire } from "./handshake_ends.ts";
import { RawPeer } from "../../rogue_peer.ts";
import { SeededRandom } from "../../seeded_random.ts";

const bob = await credentials("bob");
const console1 = await credentials("console-1");

const HELLO: Hello = {
  versions: { lowest: 2, highest: 2 },
  transport: "tunnel",
  client: console1.id,
  wanted: bob.id,
  instance: console1.instance.publicKey,
  nonce: new Uint8Array(32).fill(9),
  via: "supervisor1",
};

/**
 * A console at one end of a tunnel, and bob at the other; the supervisor between them may change the
 * console's hello. Each end with what it got.
 */
async function meetThrough(
  {
    client = console1,
    kind = "unix",
    via = "supervisor1",
    change = (hello: Bytes) => hello,
    onSent,
  }: {
    client?: Credentials;
    /** The server's end. */
    kind?: "unix" | "tcp";
    /** The supervisor that the client named; undefined if it named none. */
    via?: string | null;
    change?(hello: Bytes): Bytes;
    /** Called with what the client has sent. */
    onSent?(body: Bytes): void;
  },
) {
  await using front = await Wire.open();
  await using back = await Wire.open(kind);
  const [toClient, toServer] = [new RawPeer(front.server), new RawPeer(back.client)];
  const splice = async () => {
    const hello = (await toClient.receive())!;
    onSent?.(hello);
    await toServer.send(change(hello));
    for (const [from, to] of [[toServer, toClient], [toClient, toServer], [toServer, toClient]]) {
      const body = await from!.receive();
      if (!body) return to![Symbol.dispose]();
      if (from === toClient) onSent?.(body);
      await to!.send(body);
    }
  };
  const stream = via === null ? front.client : through(via, front.client);
  const failure = (error: Error) => error;
  const [atClient, atServer] = await Promise.all([
    clientHandshake(stream, client, { wanted: bob.id, proceed: () => true }).catch(failure),
    serverHandshake(back.server, bob, { admit: () => Promise.resolve(undefined) }).catch(failure),
    splice().catch(() => {}),
  ]);
  return { atClient, atServer };
}

Deno.test("through a tunnel both sides are authenticated, and know the supervisor", async () => {
  const { atClient, atServer } = await meetThrough({});
  assertPeer(atClient, bob);
  assertPeer(atServer, console1);
  assert.deepEqual([atClient, atServer].map((end) => (end as Authenticated).via), [
    "supervisor1",
    "supervisor1",
  ]);
});

Deno.test("a supervisor cannot pass on a client that does not want it", async () => {
  // The words of a plain client, changed so that the server takes them for those of a tunnel.
  const { atClient, atServer } = await meetThrough({
    via: null,
    change: (hello) =>
      encodeHello({ ...decodeHello(hello), transport: "tunnel", via: "supervisor1" }),
  });
  assertError(atServer, AuthenticationError, /their cookies differ/);
  assertError(atClient, RefusedError, /their cookies differ/);
});

Deno.test("a supervisor cannot take its name, or the tunnel, out of a client's hello", async () => {
  const changes: Record<string, (hello: Bytes) => Bytes> = {
    "another supervisor": (hello) => encodeHello({ ...decodeHello(hello), via: "supervisor2" }),
    "none": (hello) => encodeHello({ ...decodeHello(hello), transport: "unix", via: undefined }),
    "another transport": (hello) => changed(hello, 7, 1),
  };
  for (const [what, change] of Object.entries(changes)) {
    const { atClient, atServer } = await meetThrough({ change });
    assertError(atServer, AuthenticationError, /their cookies differ/);
    assertError(atClient, RefusedError, /their cookies differ/);
    assert.ok(what);
  }
});

Deno.test("what went through a tunnel cannot be sent again", async () => {
  const sent: Bytes[] = [];
  await meetThrough({ onSent: (body) => void sent.push(body) });
  assert.equal(sent.length, 2);
  await using wire = await Wire.open();
  const peer = new RawPeer(wire.client);
  const [atServer] = await Promise.all([
    serverHandshake(wire.server, bob, { admit: () => assert.fail("it is admitted") })
      .catch((error: Error) => error),
    (async () => {
      await peer.send(sent[0]!);
      await peer.receive();
      await peer.send(sent[1]!);
      await peer.closed();
    })(),
  ]);
  assertError(atServer, AuthenticationError, /their cookies differ/);
});

Deno.test("a tunnel ends at a UNIX socket only", async () => {
  const { atClient, atServer } = await meetThrough({ kind: "tcp" });
  const reason =
    /the client connected over tunnel, but the connection arrived over tcp: it was forw/;
  assertError(atServer, AuthenticationError, reason);
  assertError(atClient, RefusedError, reason);
});

Deno.test("a peer with the id of a server is refused when it comes through a tunnel", async () => {
  for (const id of ["alice", "registry", "console", "client", "consoles-1"]) {
    const { atClient, atServer } = await meetThrough({ client: await credentials(id) });
    const reason = new RegExp(`only commands and clients come through supervisor1, .* not ${id}$`);
    assertError(atServer, AuthenticationError, reason);
    assertError(atClient, RefusedError, reason);
  }
});

Deno.test("decodeHello reads or refuses a hello through a tunnel, however it was changed", () => {
  const random = new SeededRandom(7);
  const valid = encodeHello(HELLO);
  for (let round = 0; round < 300; round++) {
    const bytes = valid.slice();
    const at = random.below(bytes.length);
    bytes[at]! ^= 1 << random.below(8);
    const cut = random.below(4) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
    try {
      const read = decodeHello(cut);
      if (read.transport === "tunnel") assert.match(read.via!, /^[\w.-]{1,64}$/);
      else assert.equal(read.via, undefined);
    } catch (error) {
      assert.ok(error instanceof EnsembleError, `${error}`);
    }
  }
});
