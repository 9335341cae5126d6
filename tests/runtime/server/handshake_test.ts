import assert from "node:assert/strict";
import {
  AuthenticationError,
  DisconnectedError,
  EnsembleError,
  ProtocolError,
} from "../../../runtime/errors.ts";
import { clientHandshake, serverHandshake, turnAway } from "../../../runtime/server/handshake.ts";
import {
  decodeChallenge,
  decodeHello,
  decodeResponse,
  encodeAccepted,
  encodeChallenge,
  encodeHello,
  encodeResponse,
  Refusal,
  RefusedError,
  SPOKEN_VERSIONS,
} from "../../../runtime/server/handshake_messages.ts";
import { Admission } from "../../../runtime/server/admission.ts";
import type { Bytes, Credentials, InstanceKey } from "../../../runtime/server/credentials.ts";
import { HANDSHAKE_TIMEOUT } from "../../../runtime/wire/limits.ts";
import type { ByteStream } from "../../../runtime/wire/stream.ts";
import { stopClock } from "../../fake_clock.ts";
import vectors from "./handshake_vectors.json" with { type: "json" };
import {
  assertError,
  assertPeer,
  changed,
  credentials,
  fixedRandomness,
  goldenCredentials,
  through,
  Wire,
} from "./handshake_ends.ts";
import { frame, RawPeer } from "../../rogue_peer.ts";

const alice = await credentials("alice");
const bob = await credentials("bob");

interface Sides {
  client?: Credentials;
  server?: Credentials;
  wanted?: string;
  proceed?: () => boolean;
  admit?: (client: string) => { refusal: Refusal; message: string } | undefined;
}

/** Both sides of one handshake; each with what it got, or why not. */
async function meet(sides: Sides, kind: "unix" | "tcp" = "unix") {
  await using wire = await Wire.open(kind);
  const { client = alice, server = bob, wanted, proceed = () => true, admit } = sides;
  const [atClient, atServer] = await Promise.all([
    clientHandshake(wire.client, client, { wanted, proceed }).catch((error: Error) => error),
    serverHandshake(wire.server, server, { admit: ({ id }) => Promise.resolve(admit?.(id)) })
      .catch((error: Error) => error),
  ]);
  return { atClient, atServer };
}

for (const kind of ["unix", "tcp"] as const) {
  Deno.test(`with the same cookie both sides are authenticated, over ${kind}`, async () => {
    const { atClient, atServer } = await meet({ wanted: bob.id }, kind);
    assertPeer(atClient, bob);
    assertPeer(atServer, alice);
  });
}

Deno.test("a client that does not know whom it reaches learns it", async () => {
  const { atClient, atServer } = await meet({});
  assertPeer(atClient, bob);
  assertPeer(atServer, alice);
});

Deno.test("with different cookies both sides know why it failed", async () => {
  const mallory = await credentials("mallory", new Uint8Array(32).fill(8));
  const { atClient, atServer } = await meet({ client: mallory, wanted: bob.id });
  assertError(atServer, AuthenticationError, /between bob and mallory: their cookies differ$/);
  assertError(atClient, RefusedError, /between bob and mallory: their cookies differ$/);
});

Deno.test("a server without the cookie cannot pass for one that has it", async () => {
  // It sends all that it can make: everything but the proof.
  const fake = await credentials("bob", new Uint8Array(32).fill(8));
  await using wire = await Wire.open();
  const atClient = clientHandshake(wire.client, alice, { wanted: bob.id, proceed: () => true })
    .catch((error) => error);
  const server = new RawPeer(wire.server);
  await server.receive();
  await server.send(challenge("bob", fake.instance.publicKey));
  await server.receive();
  const proof = { macs: [new Uint8Array(32)], signature: new Uint8Array(64) };
  const accepted = encodeResponse(proof);
  accepted[0] = 4;
  await server.send(accepted);
  assertError(await atClient, AuthenticationError, /between alice and bob: their cookies differ$/);
});

Deno.test("a server that is not the wanted one gets no further messages", async () => {
  await using wire = await Wire.open();
  const atClient = clientHandshake(wire.client, alice, {
    wanted: "carol",
    proceed: () => true,
  })
    .catch((error) => error);
  const server = new RawPeer(wire.server);
  await server.receive();
  await server.send(challenge("bob", bob.instance.publicKey));
  assertError(
    await atClient,
    AuthenticationError,
    /^the server at this address is bob, not carol$/,
  );
  assert.equal(await server.receive(), undefined);
});

Deno.test("a server refuses a client that wants another", async () => {
  const { atClient, atServer } = await meet({ wanted: "carol" });
  assertError(atServer, AuthenticationError, /^this is server bob, not carol$/);
  assertError(atClient, RefusedError, /^this is server bob, not carol$/);
});

Deno.test("a peer that has this server's id is refused", async () => {
  const { atClient, atServer } = await meet({ client: await credentials("bob") });
  assertError(atServer, AuthenticationError, /claims the id bob, which is this server's own/);
  assertError(atClient, RefusedError, /server's own/);
});

Deno.test("a peer that shows this server's own instance is refused", async () => {
  const { atClient, atServer } = await meet({ client: { ...alice, instance: bob.instance } });
  assertError(atServer, AuthenticationError, /own/);
  assertError(atClient, RefusedError, /own/);
});

Deno.test("a server that answers with the client's own id or instance is refused", async () => {
  for (
    const answer of [
      challenge("alice", bob.instance.publicKey),
      challenge("bob", alice.instance.publicKey),
    ]
  ) {
    await using wire = await Wire.open();
    const atClient = clientHandshake(wire.client, alice, { proceed: () => true }).catch((error) =>
      error
    );
    const server = new RawPeer(wire.server);
    await server.receive();
    await server.send(answer);
    assertError(await atClient, AuthenticationError, /own/);
  }
});

Deno.test("a refusal by admit reaches the client, with its kind", async () => {
  const refused = { refusal: Refusal.Duplicate, message: "busy" };
  const { atClient, atServer } = await meet({ admit: () => refused });
  assertError(atServer, RefusedError, /^busy$/);
  assertError(atClient, RefusedError, /^busy$/);
  assert.equal((atClient as RefusedError).refusal, Refusal.Duplicate);
});

Deno.test("a client is not admitted before it has proved itself", async () => {
  let asked = 0;
  const mallory = await credentials("mallory", new Uint8Array(32).fill(8));
  await meet({ client: mallory, admit: () => void asked++ });
  assert.equal(asked, 0);
});

Deno.test("a client that breaks off proves nothing", async () => {
  const { atClient, atServer } = await meet({ proceed: () => false });
  assert.ok(atClient instanceof EnsembleError);
  assert.ok(atServer instanceof EnsembleError);
});

function challenge(server: string, instance: Bytes): Bytes {
  const nonce = crypto.getRandomValues(new Uint8Array(32));
  return encodeChallenge({ version: 2, server: server, instance, nonce });
}

/** Runs a real client against a recording server: what the client sent, as an eavesdropper has it. */
async function recordSession(): Promise<Bytes[]> {
  await using front = await Wire.open();
  await using back = await Wire.open();
  const sent: Bytes[] = [];
  const [toClient, toServer] = [new RawPeer(front.server), new RawPeer(back.client)];
  const relay = async () => {
    for (const [from, to] of [[toClient, toServer], [toServer, toClient]] as const) {
      const body = (await from.receive())!;
      if (from === toClient) sent.push(body);
      await to.send(body);
    }
  };
  await Promise.all([
    clientHandshake(front.client, alice, { wanted: bob.id, proceed: () => true }),
    serverHandshake(back.server, bob, { admit: () => Promise.resolve(undefined) }),
    relay().then(relay),
  ]);
  return sent;
}

/** What a server says of a client that follows the script. */
async function attack(script: (peer: RawPeer) => Promise<void>): Promise<unknown> {
  await using wire = await Wire.open();
  const peer = new RawPeer(wire.client);
  let admitted = false;
  const admit = () => {
    admitted = true;
    return Promise.resolve(undefined);
  };
  const [outcome] = await Promise.all([
    serverHandshake(wire.server, bob, { admit }).then((atServer) => {
      // A script that waits for the end sees one also where the attack succeeds.
      wire.server.close();
      return atServer;
    }, (error) => error),
    script(peer),
  ]);
  assert.equal(admitted, false);
  return outcome;
}

Deno.test("a recorded session cannot be replayed", async () => {
  const [hello, response] = await recordSession();
  const outcome = await attack(async (peer) => {
    await peer.send(hello!);
    await peer.receive();
    await peer.send(response!);
    await peer.closed();
  });
  assertError(outcome, AuthenticationError, /authentication failed/);
});

Deno.test("a proof made for one server, client or instance is none for another", async () => {
  const carol = await credentials("carol");
  const other = await credentials("alice");
  // An honest alice proves herself to a middleman, who passes it on to bob in changed words.
  const alter: Record<string, (hello: Bytes) => Bytes> = {
    "another client id": (hello) => encodeHello({ ...decodeHello(hello), client: carol.id }),
    "another instance": (hello) =>
      encodeHello({ ...decodeHello(hello), instance: other.instance.publicKey }),
    "no wanted id": (hello) => encodeHello({ ...decodeHello(hello), wanted: undefined }),
    "another nonce": (hello) => encodeHello({ ...decodeHello(hello), nonce: new Uint8Array(32) }),
  };
  for (const [what, change] of Object.entries(alter)) {
    await using front = await Wire.open();
    const atClient = clientHandshake(front.client, alice, { wanted: bob.id, proceed: () => true })
      .catch((error) => error);
    const middle = new RawPeer(front.server);
    const outcome = await attack(async (peer) => {
      await peer.send(change((await middle.receive())!));
      await middle.send((await peer.receive())!);
      await peer.send((await middle.receive())!);
      await peer.closed();
      front.server.close();
    });
    assertError(outcome, AuthenticationError, /authentication failed/);
    assertError(await atClient, DisconnectedError, /closed the connection during the handshake/);
    assert.ok(what);
  }
  // The same with the server's words changed: alice proves herself to carol, who uses that at bob.
  await using front = await Wire.open();
  const atClient = clientHandshake(front.client, alice, { proceed: () => true }).catch((error) =>
    error
  );
  const middle = new RawPeer(front.server);
  const outcome = await attack(async (peer) => {
    await peer.send((await middle.receive())!);
    const { nonce } = decodeChallenge((await peer.receive())!);
    await middle.send(
      encodeChallenge({ version: 2, server: carol.id, instance: carol.instance.publicKey, nonce }),
    );
    await peer.send((await middle.receive())!);
    await peer.closed();
    front.server.close();
  });
  assertError(outcome, AuthenticationError, /authentication failed/);
  await atClient;
});

Deno.test("the cookie alone does not make a client another's instance", async () => {
  // Mallory has the cookie and says she is alice's running instance, whose key she does not have.
  const mallory = await credentials("alice");
  const borrowed = {
    publicKey: alice.instance.publicKey,
    sign: (bytes: Bytes) => mallory.instance.sign(bytes),
  };
  const { atServer } = await meet({
    client: { ...mallory, instance: borrowed as unknown as InstanceKey },
  });
  assertError(atServer, AuthenticationError, /alice did not prove its instance key/);
});

Deno.test("the cookie alone does not make a server another's instance", async () => {
  const mallory = await credentials("bob");
  const borrowed = {
    publicKey: bob.instance.publicKey,
    sign: (bytes: Bytes) => mallory.instance.sign(bytes),
  };
  const { atClient } = await meet({
    server: { ...mallory, instance: borrowed as unknown as InstanceKey },
    wanted: bob.id,
  });
  assertError(atClient, AuthenticationError, /bob did not prove its instance key/);
});

Deno.test("a server's messages sent back to it prove nothing", async () => {
  const outcome = await attack(async (peer) => {
    // Bob's own challenge, as the hello of a client with his nonce and instance.
    const { nonce } = await challengeOf(peer, alice);
    await peer.send(encodeResponse({ macs: [nonce], signature: new Uint8Array(64) }));
    await peer.closed();
  });
  assertError(outcome, AuthenticationError, /authentication failed/);
});

Deno.test("a handshake reflected to its sender ends at its own id", async () => {
  // Alice dials a socket that hands everything back to alice's own listener.
  await using front = await Wire.open();
  await using back = await Wire.open();
  const [fromAlice, toAlice] = [new RawPeer(front.server), new RawPeer(back.client)];
  const [atClient, atServer] = await Promise.all([
    clientHandshake(front.client, alice, { proceed: () => true }).catch((error) => error),
    serverHandshake(back.server, alice, { admit: () => Promise.resolve(undefined) }).catch((
      error,
    ) => error),
    (async () => {
      await toAlice.send((await fromAlice.receive())!);
      await fromAlice.send((await toAlice.receive())!);
    })(),
  ]);
  assertError(atServer, AuthenticationError, /server's own/);
  assertError(atClient, EnsembleError, /server's own/);
});

async function challengeOf(peer: RawPeer, client: Credentials) {
  await peer.send(hello(client));
  return decodeChallenge((await peer.receive())!);
}

function hello(client: Credentials): Bytes {
  return encodeHello({
    versions: SPOKEN_VERSIONS,
    transport: "unix",
    client: client.id,
    wanted: undefined,
    instance: client.instance.publicKey,
    nonce: crypto.getRandomValues(new Uint8Array(32)),
  });
}

const MALFORMED: Record<string, [body: Uint8Array, reason: RegExp]> = {
  "an empty frame": [new Uint8Array(0), /malformed handshake/],
  "zeros": [new Uint8Array(100), /malformed handshake/],
  "text": [new TextEncoder().encode("GET / HTTP/1.1\r\nHost: bob\r\n\r\n"), /malformed handshake/],
  "another protocol": [changed(hello(alice), 1, 0), /not of this protocol/],
  "a hello that is cut short": [hello(alice).subarray(0, 60), /too short/],
  "versions of which none is spoken here": [
    changed(changed(hello(alice), 5, 7), 6, 9),
    /no protocol version in common: the client supports 7 to 9 and the server 2: use the same release/,
  ],
  "versions that are no range": [changed(hello(alice), 5, 3), /no protocol version in common/],
  "an unknown transport": [changed(hello(alice), 7, 5), /unknown transport/],
  "a tunnel through no supervisor": [changed(hello(alice), 7, 4), /too short/],
  "a tunnel through a supervisor whose id is none": [
    new Uint8Array([...changed(hello(alice), 7, 4), 3, 0x2e, 0x2e, 0x2f]),
    /not a server id/,
  ],
  "an id that is none": [changed(hello(alice), 9, 0x2f), /not a server id/],
  "the largest frame allowed": [new Uint8Array(1024).fill(1), /malformed handshake/],
};

for (const [what, [body, reason]] of Object.entries(MALFORMED)) {
  Deno.test(`refused with a reason: ${what}`, async () => {
    const outcome = await attack(async (peer) => {
      await peer.send(body);
      const answer = await peer.receive();
      assert.equal(answer?.[0], 5, "no refusal came");
      assert.match(new TextDecoder().decode(answer.subarray(3)), reason);
    });
    assertError(outcome, EnsembleError, reason);
  });
}

Deno.test("a frame that announces more than 1 KiB is refused before it is read", async () => {
  for (const announced of [1025, 0x00ffffff, 0xffffffff]) {
    const outcome = await attack(async (peer) => {
      const header = new Uint8Array(4);
      new DataView(header.buffer).setUint32(0, announced);
      await peer.write(header);
      await peer.closed();
    });
    assertError(outcome, ProtocolError, new RegExp(`frame too large: ${announced} bytes`));
  }
});

Deno.test("a response of the wrong type, length or content is refused", async () => {
  const bodies = [
    hello(alice),
    new Uint8Array([3]),
    new Uint8Array([3, ...new Uint8Array(95)]),
    new Uint8Array([3, ...new Uint8Array(97)]),
    new Uint8Array([3, ...new Uint8Array(96)]),
    new Uint8Array(0),
  ];
  for (const body of bodies) {
    const outcome = await attack(async (peer) => {
      await challengeOf(peer, alice);
      await peer.send(body);
      await peer.closed();
    });
    assert.ok(outcome instanceof EnsembleError, `${outcome}`);
  }
});

Deno.test("a handshake that comes byte by byte is one", async () => {
  await using wire = await Wire.open();
  const slowly: ByteStream = {
    kind: "unix",
    read: (buffer) => wire.client.read(buffer.subarray(0, 1)),
    write: (bytes) => wire.client.write(bytes.subarray(0, 1)),
    closeWrite: () => wire.client.closeWrite(),
    close: () => wire.client.close(),
  };
  const [atClient, atServer] = await Promise.all([
    clientHandshake(slowly, alice, { wanted: bob.id, proceed: () => true }),
    serverHandshake(wire.server, bob, { admit: () => Promise.resolve(undefined) }),
  ]);
  assertPeer(atClient, bob);
  assertPeer(atServer, alice);
});

Deno.test("frames right behind the handshake are kept for the connection", async () => {
  await using wire = await Wire.open();
  let writes = 0;
  const eager: ByteStream = {
    kind: "unix",
    read: (buffer) => wire.client.read(buffer),
    // The response and, in the same segment, a frame that only an authenticated peer may send.
    async write(bytes) {
      if (++writes !== 2) return await wire.client.write(bytes);
      await new RawPeer(wire.client).write(
        new Uint8Array([...bytes, ...frame(new Uint8Array(2000).fill(9))]),
      );
      return bytes.length;
    },
    closeWrite: () => wire.client.closeWrite(),
    close: () => wire.client.close(),
  };
  const [, { reader }] = await Promise.all([
    clientHandshake(eager, alice, { wanted: bob.id, proceed: () => true }),
    serverHandshake(wire.server, bob, { admit: () => Promise.resolve(undefined) }),
  ]);
  reader.limit = 64 * 1024;
  while (!reader.next()) assert.ok(await reader.fill());
  assert.equal(reader.end - reader.start, 2000);
});

Deno.test("a peer that goes away in the middle fails the handshake at once", async () => {
  await using wire = await Wire.open();
  const atServer = serverHandshake(wire.server, bob, { admit: () => Promise.resolve(undefined) })
    .catch((error) => error);
  const peer = new RawPeer(wire.client);
  await challengeOf(peer, alice);
  wire.client.close();
  assertError(await atServer, DisconnectedError, /closed the connection during the handshake/);
});

Deno.test("clientHandshake reports that a server is busy, whether or not it has read the hello", async () => {
  for (const kind of ["unix", "tcp"] as const) {
    for (const isFirst of [true, false]) {
      await using wire = await Wire.open(kind);
      if (isFirst) await turnAway(wire.server);
      const joining = clientHandshake(wire.client, alice, { proceed: () => true });
      if (!isFirst) setTimeout(() => void turnAway(wire.server));
      await assert.rejects(joining, (error) => {
        assert.ok(error instanceof RefusedError && error.refusal === Refusal.Busy, `${error}`);
        assert.equal(error.message, "it is busy: too many servers connect to it at once");
        return true;
      });
    }
  }
});

/** Lets a listener's bounds close a stream; gives why they did. */
function bound(stream: ByteStream, used?: number): { readonly refusal: string | undefined } {
  const bounded: { refusal: string | undefined } = { refusal: undefined };
  void new Admission().admit((message) => {
    bounded.refusal = message;
    stream.close();
  }, used);
  return bounded;
}

Deno.test("a handshake that is not done in time is over, on either side and however far it is", async () => {
  for (const said of [[], [new Uint8Array([0, 0])], [frame(hello(alice))]]) {
    await using wire = await Wire.open();
    using clock = stopClock();
    const bounded = bound(wire.server);
    const atServer = serverHandshake(wire.server, bob, { admit: () => Promise.resolve(undefined) })
      .catch((error) => error);
    const peer = new RawPeer(wire.client);
    for (const bytes of said) await peer.write(bytes);
    await clock.tickAsync(HANDSHAKE_TIMEOUT - 1);
    assert.equal(bounded.refusal, undefined);
    await clock.tickAsync(1);
    assertError(await atServer, DisconnectedError, /./);
    assert.equal(bounded.refusal, "no handshake within 10000 ms");
    await peer.closed();
  }
  await using wire = await Wire.open();
  using clock = stopClock();
  const atClient = clientHandshake(wire.client, alice, { proceed: () => true })
    .catch((error) => error);
  await clock.tickAsync(HANDSHAKE_TIMEOUT);
  assertError(await atClient, DisconnectedError, /^no handshake within 10000 ms$/);
});

Deno.test("what the transport's own handshake took counts towards the time of the whole", async () => {
  await using wire = await Wire.open();
  using clock = stopClock();
  const bounded = bound(wire.server, HANDSHAKE_TIMEOUT - 10);
  const atServer = serverHandshake(wire.server, bob, { admit: () => Promise.resolve(undefined) })
    .catch((error) => error);
  await clock.tickAsync(10);
  assert.equal(clock.countTimers(), 0);
  assertError(await atServer, DisconnectedError, /./);
  assert.equal(bounded.refusal, "no handshake within 10000 ms");
});

Deno.test("a handshake leaves no timer behind, whether it succeeds or fails", async () => {
  using clock = stopClock();
  await meet({});
  assert.equal(clock.countTimers(), 0);
  await meet({ client: await credentials("mallory", new Uint8Array(32).fill(8)) });
  assert.equal(clock.countTimers(), 0);
});

Deno.test("clientHandshake refuses a frame of more than 1 KiB from a server that has proved nothing", async () => {
  for (const announced of [1025, 64 * 1024 * 1024, 0xffffffff]) {
    for (const challenged of [false, true]) {
      await using wire = await Wire.open();
      const atClient = clientHandshake(wire.client, alice, { proceed: () => true }).catch((error) =>
        error
      );
      const server = new RawPeer(wire.server);
      await server.receive();
      if (challenged) await server.send(challenge("bob", bob.instance.publicKey));
      const header = new Uint8Array(4);
      new DataView(header.buffer).setUint32(0, announced);
      await server.write(header);
      assertError(
        await atClient,
        ProtocolError,
        new RegExp(`^frame too large: ${announced} bytes announced, and the limit is 1024$`),
      );
    }
  }
});

for (const kind of ["unix", "tcp", "tunnel"] as const) {
  const expected = kind === "tunnel" ? vectors.tunnel : vectors.transports[kind];
  const self = { ...vectors.client, ...kind === "tunnel" && { id: vectors.tunnel.client } };
  // A tunnel ends at a UNIX socket.
  const end = kind === "tunnel" ? "unix" : kind;

  Deno.test(`clientHandshake sends the golden bytes over ${kind}, and takes no other answer`, async () => {
    const client = await goldenCredentials(self);
    const last = Uint8Array.fromHex(expected.accepted);
    // The MAC begins after the type, the signature after the MAC.
    for (const wrong of [undefined, 1, 32, 33, 96]) {
      await using wire = await Wire.open(end);
      using _ = fixedRandomness(vectors.client.nonce);
      const wanted = vectors.server.id;
      const stream = kind === "tunnel" ? through(vectors.tunnel.via, wire.client) : wire.client;
      const atClient = clientHandshake(stream, client, { wanted, proceed: () => true })
        .catch((error) => error);
      const server = new RawPeer(wire.server);
      assert.equal((await server.receive())!.toHex(), expected.hello);
      await server.send(Uint8Array.fromHex(expected.challenge));
      assert.equal((await server.receive())!.toHex(), expected.response);
      await server.send(wrong === undefined ? last : changed(last, wrong, last[wrong]! ^ 1));
      const outcome = await atClient;
      if (wrong === undefined) assert.equal(outcome.binding.toHex(), expected.binding);
      else assertError(outcome, AuthenticationError, /cookies differ|did not prove/);
    }
  });

  Deno.test(`serverHandshake sends the golden bytes over ${kind}, and takes no other proof`, async () => {
    const server = await goldenCredentials(vectors.server);
    const response = Uint8Array.fromHex(expected.response);
    for (const wrong of [undefined, 1, 32, 33, 96]) {
      await using wire = await Wire.open(end);
      using _ = fixedRandomness(vectors.server.nonce);
      const admit = () => Promise.resolve(undefined);
      const atServer = serverHandshake(wire.server, server, { admit }).catch((error) => error);
      const client = new RawPeer(wire.client);
      await client.send(Uint8Array.fromHex(expected.hello));
      assert.equal((await client.receive())!.toHex(), expected.challenge);
      await client.send(
        wrong === undefined ? response : changed(response, wrong, response[wrong]! ^ 1),
      );
      const answer = await client.receive();
      const outcome = await atServer;
      if (wrong === undefined) {
        assert.equal(answer!.toHex(), expected.accepted);
        assert.equal(outcome.binding.toHex(), expected.binding);
        assert.equal(outcome.via, kind === "tunnel" ? vectors.tunnel.via : undefined);
      } else assertError(outcome, AuthenticationError, /cookies differ|did not prove/);
    }
  });
}

Deno.test("the nonces of a client and a server are new in each handshake", async () => {
  const nonces = new Set<string>();
  for (let round = 0; round < 4; round++) {
    await using wire = await Wire.open();
    const atClient = clientHandshake(wire.client, alice, { proceed: () => true }).catch((error) =>
      error
    );
    const server = new RawPeer(wire.server);
    nonces.add(decodeHello((await server.receive())!).nonce.toHex());
    wire.server.close();
    await atClient;
    await attack(async (peer) => {
      nonces.add((await challengeOf(peer, alice)).nonce.toHex());
      await peer.send(new Uint8Array([0]));
      await peer.closed();
    });
  }
  assert.equal(nonces.size, 8);
});

Deno.test("clientHandshake does not take its own proof for the server's", async () => {
  // The server has an instance key of its own and no cookie: it sends back the client's MAC.
  for (const label of ["gxensemble 1 server", "gxensemble 1 client"]) {
    await using wire = await Wire.open();
    const atClient = clientHandshake(wire.client, alice, { proceed: () => true }).catch((error) =>
      error
    );
    const server = new RawPeer(wire.server);
    const hello = (await server.receive())!;
    const sent = challenge("bob", bob.instance.publicKey);
    await server.send(sent);
    const { macs } = decodeResponse((await server.receive())!);
    const signed = new Uint8Array([...new TextEncoder().encode(`${label}\0`), ...hello, ...sent]);
    await server.send(encodeAccepted({ macs, signature: await bob.instance.sign(signed) }));
    assertError(await atClient, AuthenticationError, /their cookies differ$/);
  }
});

Deno.test("serverHandshake does not take a proof that was made for the other direction", async () => {
  const key = alice.cookies.keys[0]!;
  const outcome = await attack(async (peer) => {
    const sent = hello(alice);
    await peer.send(sent);
    const received = (await peer.receive())!;
    const label = new TextEncoder().encode("gxensemble 1 server\0");
    const text = new Uint8Array([...label, ...sent, ...received]);
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, text));
    await peer.send(encodeResponse({ macs: [mac], signature: await alice.instance.sign(text) }));
    await peer.closed();
  });
  assertError(outcome, AuthenticationError, /their cookies differ$/);
});

Deno.test("each connection of two servers has a binding of its own", async () => {
  // Bob's nonce alone tells the second handshake from the first.
  const bindings = new Set<string>();
  for (let round = 0; round < 2; round++) {
    await using wire = await Wire.open();
    const client = new RawPeer(wire.client);
    const sent = encodeHello({ ...decodeHello(hello(alice)), nonce: new Uint8Array(32) });
    const atServer = serverHandshake(wire.server, bob, { admit: () => Promise.resolve(undefined) });
    await client.send(sent);
    const received = (await client.receive())!;
    const label = new TextEncoder().encode("gxensemble 1 client\0");
    const text = new Uint8Array([...label, ...sent, ...received]);
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", alice.cookies.keys[0]!, text));
    await client.send(encodeResponse({ macs: [mac], signature: await alice.instance.sign(text) }));
    bindings.add((await atServer).binding.toHex());
  }
  assert.equal(bindings.size, 2);
});

Deno.test("a connection that changes its transport on the way is refused", async () => {
  // Alice has the cookie and connects to a UNIX socket; what listens there passes all on to bob's tcp port.
  for (const [near, far] of [["unix", "tcp"], ["tcp", "unix"]] as const) {
    await using front = await Wire.open(near);
    await using back = await Wire.open(far);
    const pass = async (from: ByteStream, to: ByteStream) => {
      const buffer = new Uint8Array(4096);
      for (let count; (count = await from.read(buffer)) !== null;) {
        await to.write(buffer.subarray(0, count));
      }
    };
    const relays = [pass(front.server, back.client), pass(back.client, front.server)]
      .map((relay) => relay.catch(() => {}));
    const [atClient, atServer] = await Promise.all([
      clientHandshake(front.client, alice, { wanted: bob.id, proceed: () => true }).catch((error) =>
        error
      ),
      serverHandshake(back.server, bob, { admit: () => assert.fail("it is admitted") })
        .catch((error) => error),
    ]);
    const reason = new RegExp(
      `connected over ${near}, but the connection arrived over ${far}: it was`,
    );
    assertError(atServer, AuthenticationError, reason);
    assertError(atClient, RefusedError, reason);
    front.server.close();
    await Promise.all(relays);
  }
});

Deno.test("a relay that also changes the transport in the hello proves nothing", async () => {
  await using front = await Wire.open("unix");
  await using back = await Wire.open("tcp");
  const [toAlice, toBob] = [new RawPeer(front.server), new RawPeer(back.client)];
  const atClient = clientHandshake(front.client, alice, { wanted: bob.id, proceed: () => true })
    .catch((error) => error);
  const atServer = serverHandshake(back.server, bob, { admit: () => assert.fail("it is admitted") })
    .catch((error) => error);
  await toBob.send(encodeHello({ ...decodeHello((await toAlice.receive())!), transport: "tcp" }));
  await toAlice.send((await toBob.receive())!);
  await toBob.send((await toAlice.receive())!);
  assertError(await atServer, AuthenticationError, /their cookies differ$/);
  front.server.close();
  await atClient;
});

Deno.test("both sides learn which versions the other speaks when they have none in common", async () => {
  await using wire = await Wire.open();
  const later: ByteStream = {
    kind: "unix",
    read: (buffer) => wire.client.read(buffer),
    // The versions come behind the length, the type and the magic.
    write: (bytes) => wire.client.write(changed(changed(bytes as Bytes, 9, 3), 10, 4)),
    closeWrite: () => wire.client.closeWrite(),
    close: () => wire.client.close(),
  };
  const [atClient, atServer] = await Promise.all([
    clientHandshake(later, alice, { proceed: () => true }).catch((error) => error),
    serverHandshake(wire.server, bob, { admit: () => assert.fail("it is admitted") })
      .catch((error) => error),
  ]);
  const reason = /^no protocol version in common: the client supports 3 to 4 and the server 2: use/;
  assertError(atServer, ProtocolError, reason);
  assertError(atClient, RefusedError, reason);
});
