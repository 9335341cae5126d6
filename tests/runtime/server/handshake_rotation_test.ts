import assert from "node:assert/strict";
import { AuthenticationError, ProtocolError } from "../../../runtime/errors.ts";
import type { Credentials } from "../../../runtime/server/credentials.ts";
import {
  type Authenticated,
  clientHandshake,
  serverHandshake,
} from "../../../runtime/server/handshake.ts";
import {
  decodeAccepted,
  decodeResponse,
  RefusedError,
} from "../../../runtime/server/handshake_messages.ts";
import { RawPeer } from "../../rogue_peer.ts";
import {
  assertError,
  assertPeer,
  COOKIE,
  credentials,
  fixedRandomness,
  goldenCredentials,
  Wire,
} from "./handshake_ends.ts";
import vectors from "./handshake_vectors.json" with { type: "json" };

/** Both sides of one handshake; each with what it got, or why not. */
async function meet({ client, server }: { client: Credentials; server: Credentials }) {
  await using wire = await Wire.open();
  const admit = () => Promise.resolve(undefined);
  const [atClient, atServer] = await Promise.all([
    clientHandshake(wire.client, client, { proceed: () => true }).catch((error: Error) => error),
    serverHandshake(wire.server, server, { admit }).catch((error: Error) => error),
  ]);
  return { atClient, atServer };
}

for (const kind of ["unix", "tcp"] as const) {
  const expected = vectors.transports[kind];
  const both = [vectors.nextCookie, vectors.cookie];

  Deno.test(`both sides send the golden bytes over ${kind} when they have two cookies`, async () => {
    const client = await goldenCredentials(vectors.client, both);
    const server = await goldenCredentials(vectors.server, both);
    const { response, accepted } = expected.rotation;
    await using toServer = await Wire.open(kind);
    using _client = fixedRandomness(vectors.client.nonce);
    const wanted = vectors.server.id;
    const atClient = clientHandshake(toServer.client, client, { wanted, proceed: () => true })
      .catch((error) => error);
    const fakeServer = new RawPeer(toServer.server);
    assert.equal((await fakeServer.receive())!.toHex(), expected.hello);
    await fakeServer.send(Uint8Array.fromHex(expected.challenge));
    assert.equal((await fakeServer.receive())!.toHex(), response);
    await fakeServer.send(Uint8Array.fromHex(accepted));
    assert.equal((await atClient).isBehind, false);
    await using toClient = await Wire.open(kind);
    using _server = fixedRandomness(vectors.server.nonce);
    const admit = () => Promise.resolve(undefined);
    const atServer = serverHandshake(toClient.server, server, { admit }).catch((error) => error);
    const fakeClient = new RawPeer(toClient.client);
    await fakeClient.send(Uint8Array.fromHex(expected.hello));
    assert.equal((await fakeClient.receive())!.toHex(), expected.challenge);
    await fakeClient.send(Uint8Array.fromHex(response));
    assert.equal((await fakeClient.receive())!.toHex(), accepted);
    assert.equal((await atServer).isBehind, false);
  });
}

const NEXT = new Uint8Array(32).fill(9);
const OF_A_HOST: Record<string, Uint8Array[]> = {
  old: [COOKIE],
  both: [NEXT, COOKIE],
  new: [NEXT],
};

for (const [client, ofClient] of Object.entries(OF_A_HOST)) {
  for (const [server, ofServer] of Object.entries(OF_A_HOST)) {
    const fits = ofClient.some((each) => ofServer.includes(each));
    const whose = `a client with ${client} and a server with ${server}`;

    Deno.test(`in a rotation, ${whose} ${fits ? "connect" : "do not connect"}`, async () => {
      const [dave, erin] = await Promise.all([
        credentials("dave", ...ofClient),
        credentials("erin", ...ofServer),
      ]);
      const { atClient, atServer } = await meet({ client: dave, server: erin });
      if (!fits) {
        assertError(atServer, AuthenticationError, /between erin and dave: their cookies differ$/);
        assertError(atClient, RefusedError, /between erin and dave: their cookies differ$/);
        return;
      }
      assertPeer(atClient, erin);
      assertPeer(atServer, dave);
      const hasNewest = (own: Uint8Array[], other: Uint8Array[]) => other.includes(own[0]!);
      assert.equal((atClient as Authenticated).isBehind, !hasNewest(ofClient, ofServer));
      assert.equal((atServer as Authenticated).isBehind, !hasNewest(ofServer, ofClient));
    });
  }
}

Deno.test("a server that has given the old cookie up says the same to its holder as to others", async () => {
  const [holder, stranger, server] = await Promise.all([
    credentials("peer", COOKIE),
    credentials("peer", new Uint8Array(32).fill(3)),
    credentials("server", NEXT),
  ]);
  const of = async (client: Credentials) => (await meet({ client, server })).atClient as Error;
  assert.equal((await of(holder)).message, (await of(stranger)).message);
});

Deno.test("a response with three codes is malformed", () => {
  const three = new Uint8Array(1 + 3 * 32 + 64);
  three[0] = 3;
  assert.throws(() => decodeResponse(three), ProtocolError);
  assert.equal(decodeResponse(three.subarray(0, 1 + 2 * 32 + 64)).macs.length, 2);
  three[0] = 4;
  assert.throws(() => decodeAccepted(three.subarray(0, 1 + 2 * 32 + 64)), ProtocolError);
});
