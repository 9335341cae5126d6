import assert from "node:assert/strict";
import { ProtocolError } from "../../../runtime/errors.ts";
import type { Bytes } from "../../../runtime/server/credentials.ts";
import {
  commonVersion,
  decodeAccepted,
  decodeChallenge,
  decodeHello,
  decodeResponse,
  encodeAccepted,
  encodeChallenge,
  encodeHello,
  encodeRefused,
  encodeResponse,
  type Hello,
  Refusal,
  RefusedError,
} from "../../../runtime/server/handshake_messages.ts";
import vectors from "./handshake_vectors.json" with { type: "json" };

function bytes(hex: string): Bytes {
  return Uint8Array.fromHex(hex);
}

const HELLO: Hello = {
  versions: { lowest: 2, highest: 2 },
  transport: "unix",
  client: vectors.client.id,
  wanted: vectors.server.id,
  instance: bytes(vectors.client.publicKey),
  nonce: bytes(vectors.client.nonce),
};

const CHALLENGE = {
  version: 2,
  server: vectors.server.id,
  instance: bytes(vectors.server.publicKey),
  nonce: bytes(vectors.server.nonce),
};

for (const transport of ["unix", "tcp"] as const) {
  const expected = vectors.transports[transport];

  Deno.test(`encodeHello and encodeChallenge write the golden bytes over ${transport}`, () => {
    assert.equal(encodeHello({ ...HELLO, transport }).toHex(), expected.hello);
    assert.equal(encodeChallenge(CHALLENGE).toHex(), expected.challenge);
  });

  Deno.test(`decodeHello and decodeChallenge read the golden bytes over ${transport}`, () => {
    assert.deepEqual(decodeHello(bytes(expected.hello)), { ...HELLO, transport });
    assert.deepEqual(decodeChallenge(bytes(expected.challenge)), CHALLENGE);
  });

  Deno.test(`decodeResponse and decodeAccepted read the golden bytes over ${transport}`, () => {
    const response = decodeResponse(bytes(expected.response));
    assert.equal(encodeResponse(response).toHex(), expected.response);
    const accepted = decodeAccepted(bytes(expected.accepted));
    assert.equal(encodeAccepted(accepted).toHex(), expected.accepted);
    assert.notDeepEqual(response, accepted);
  });
}

Deno.test("encodeHello and decodeHello have the golden bytes of a tunnel, with the supervisor", () => {
  const { client, via, hello } = vectors.tunnel;
  const read: Hello = { ...HELLO, transport: "tunnel", client, via };
  assert.equal(encodeHello(read).toHex(), hello);
  assert.deepEqual(decodeHello(bytes(hello)), read);
});

Deno.test("encodeHello writes an empty id when no server is wanted", () => {
  const hello = { ...HELLO, wanted: undefined };
  assert.deepEqual(decodeHello(encodeHello(hello)), hello);
});

Deno.test("decodeHello skips what a later version adds at the end", () => {
  const hello = { ...HELLO, versions: { lowest: 2, highest: 9 } };
  assert.deepEqual(decodeHello(new Uint8Array([...encodeHello(hello), 1, 2, 3])), hello);
  const through: Hello = { ...hello, transport: "tunnel", via: "supervisor1" };
  assert.deepEqual(decodeHello(new Uint8Array([...encodeHello(through), 1, 2, 3])), through);
});

Deno.test("decodeChallenge skips what a later version adds at the end", () => {
  const longer = new Uint8Array([...encodeChallenge(CHALLENGE), 1, 2, 3]);
  assert.deepEqual(decodeChallenge(longer), CHALLENGE);
});

Deno.test("decodeHello refuses other versions before it reads what they may have changed", () => {
  const prefix = encodeHello({ ...HELLO, versions: { lowest: 8, highest: 9 } }).subarray(0, 7);
  assert.throws(() => decodeHello(prefix), (error: Error) => {
    assert.ok(error instanceof ProtocolError);
    assert.equal(
      error.message,
      "no protocol version in common: the client supports 8 to 9 and the server 2: use the same " +
        "release of gxensemble on both sides",
    );
    return true;
  });
});

Deno.test("decodeChallenge refuses a version that was not offered", () => {
  for (const version of [0, 1, 3, 255]) {
    assert.throws(() => decodeChallenge(encodeChallenge({ ...CHALLENGE, version })), {
      message: `the server chose protocol version ${version}, but 2 was offered`,
    });
  }
});

Deno.test("commonVersion returns the highest version that both sides support", () => {
  const range = (lowest: number, highest: number) => ({ lowest, highest });
  assert.equal(commonVersion(range(1, 1), range(1, 1)), 1);
  assert.equal(commonVersion(range(1, 3), range(2, 5)), 3);
  assert.equal(commonVersion(range(2, 9), range(1, 4)), 4);
  assert.equal(commonVersion(range(4, 4), range(1, 4)), 4);
  assert.equal(commonVersion(range(1, 4), range(4, 4)), 4);
});

Deno.test("commonVersion throws with the versions of each side when none is common", () => {
  const cases = [
    [1, 2, 3, 4, "1 to 2 and the server 3 to 4"],
    [3, 4, 1, 2, "3 to 4 and the server 1 to 2"],
    // Not a range.
    [3, 1, 1, 3, "3 to 1 and the server 1 to 3"],
    [3, 2, 2, 2, "3 to 2 and the server 2"],
  ] as const;
  for (const [low, high, lowest, highest, what] of cases) {
    assert.throws(
      () => commonVersion({ lowest: low, highest: high }, { lowest, highest }),
      new RegExp(`^ProtocolError: no protocol version in common: the client supports ${what}: use`),
    );
  }
});

Deno.test("encodeRefused writes printable ASCII only, and at most 255 characters of it", () => {
  const message = `n\u00e3o\n\x1b[31m\u009b\u202e \u{1f600} ${"x".repeat(1000)}`;
  const written = encodeRefused({ refusal: Refusal.Failed, message });
  assert.deepEqual([...written.subarray(0, 3)], [5, Refusal.Failed, 255]);
  assert.equal(written.length, 3 + 255);
  assert.ok(written.subarray(3).every((byte) => byte >= 0x20 && byte <= 0x7e));
  assert.throws(() => decodeChallenge(written), (error: Error) => {
    assert.ok(error instanceof RefusedError);
    assert.equal(error.refusal, Refusal.Failed);
    assert.match(error.message, /^n\?o\?\?\[31m\?\? \?\? x+$/);
    return true;
  });
});

Deno.test("a message cut anywhere is refused as malformed", () => {
  const { hello, challenge, response, accepted } = vectors.transports.unix;
  const messages = [
    [decodeHello, hello],
    [decodeChallenge, challenge],
    [decodeResponse, response],
    [decodeAccepted, accepted],
  ] as const;
  for (const [decode, hex] of messages) {
    const whole = bytes(hex);
    decode(whole);
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => decode(whole.subarray(0, length)), /malformed handshake|not a server id/);
    }
  }
});

Deno.test("a proof with something behind it is refused", () => {
  for (
    const [decode, hex] of [
      [decodeResponse, vectors.transports.unix.response],
      [decodeAccepted, vectors.transports.unix.accepted],
    ] as const
  ) {
    assert.throws(() => decode(new Uint8Array([...bytes(hex), 0])), /too long/);
  }
});

Deno.test("a message is not taken for one of another type", () => {
  const { hello, challenge, response, accepted } = vectors.transports.unix;
  const decoders = [decodeHello, decodeChallenge, decodeResponse, decodeAccepted];
  const messages = [hello, challenge, response, accepted];
  for (const [i, decode] of decoders.entries()) {
    for (const [j, hex] of messages.entries()) {
      if (i === j) continue;
      assert.throws(() => decode(bytes(hex)), /malformed handshake: unexpected message/);
    }
  }
});
