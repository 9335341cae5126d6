/**
 * The two ends of a handshake, and what came of it.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Authenticated } from "../../../runtime/server/handshake.ts";
import { CookieKeys } from "../../../runtime/server/cookie_keys.ts";
import { type Bytes, type Credentials, InstanceKey } from "../../../runtime/server/credentials.ts";
import { type Address, localUnixAddress } from "../../../runtime/wire/address.ts";
import type { Accepted, ByteStream } from "../../../runtime/wire/stream.ts";
import { connectTo, listenAt } from "../../../runtime/wire/transport.ts";
import vectors from "./handshake_vectors.json" with { type: "json" };
import { anyPort } from "./local_ensemble.ts";

/** The cookie of the ensemble. */
export const COOKIE: Uint8Array = new Uint8Array(32).fill(7);

/** The credentials of a member of one ensemble, or one with other cookies. */
export async function credentials(id: string, ...given: Uint8Array[]): Promise<Credentials> {
  const cookies = given.length > 0 ? given : [COOKIE];
  const [instance, keys] = await Promise.all([InstanceKey.generate(), CookieKeys.import(cookies)]);
  return { id: id, instance, cookies: keys };
}

/** The two ends of a new connection over a real socket. */
export class Wire implements AsyncDisposable {
  private constructor(
    readonly client: ByteStream,
    readonly server: ByteStream,
    readonly directory: string,
  ) {}

  static async open(kind: "unix" | "tcp" = "unix"): Promise<Wire> {
    const directory = Deno.makeTempDirSync({ prefix: "gx-" });
    const address: Address = kind === "unix" ? localUnixAddress(`${directory}/s`) : anyPort();
    const listener = await listenAt(address);
    const [client, accepted] = await Promise.all([
      connectTo(listener.address),
      listener.accept() as Promise<Accepted>,
    ]);
    await listener.close();
    return new Wire(client, accepted.stream, directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of [this.client, this.server]) {
      try {
        stream.close();
      } catch {
        // The handshake closed it.
      }
    }
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** A stream as a client has it at its end of a tunnel. */
export function through(via: string, stream: ByteStream): ByteStream {
  return {
    kind: "tunnel",
    via,
    read: (buffer) => stream.read(buffer),
    write: (bytes) => stream.write(bytes),
    closeWrite: () => stream.closeWrite(),
    close: () => stream.close(),
  };
}

/** Checks that one end knows the other. */
export function assertPeer(outcome: Authenticated | Error, { id, instance }: Credentials) {
  assert.ok(!(outcome instanceof Error), `${outcome}`);
  assert.equal(outcome.peer, id);
  assert.deepEqual(outcome.instance, instance.publicKey);
}

/** Checks that one end has failed. */
export function assertError(
  outcome: unknown,
  type: abstract new (...args: never[]) => Error,
  message: RegExp,
) {
  assert.ok(outcome instanceof type, `${Deno.inspect(outcome)} is no ${type.name}`);
  assert.match(outcome.message, message);
}

/** Bytes of which one is changed. */
export function changed(bytes: Bytes, at: number, to: number): Bytes {
  const copy = bytes.slice();
  copy[at] = to;
  return copy;
}

/** Credentials whose instance key is that of the golden vectors. */
export async function goldenCredentials(
  { id, seed, publicKey }: typeof vectors.client,
  cookies: readonly string[] = [vectors.cookie],
): Promise<Credentials> {
  // PKCS#8 of an Ed25519 key is this prefix and the seed (RFC 8410, 7).
  const prefix = Uint8Array.fromHex("302e020100300506032b657004220420");
  const pkcs8 = new Uint8Array([...prefix, ...Uint8Array.fromHex(seed)]);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  const instance = {
    publicKey: Uint8Array.fromHex(publicKey),
    sign: async (bytes: Bytes) => new Uint8Array(await crypto.subtle.sign("Ed25519", key, bytes)),
  } as unknown as InstanceKey;
  return {
    id: id,
    instance,
    cookies: await CookieKeys.import(cookies.map((each) => Uint8Array.fromHex(each))),
  };
}

/** Gives these bytes for random ones, one after the other, until it is disposed of. */
export function fixedRandomness(...all: string[]): Disposable {
  const { getRandomValues } = crypto;
  crypto.getRandomValues = <T>(array: T) => {
    (array as Uint8Array).set(Uint8Array.fromHex(all.shift()!));
    return array;
  };
  return { [Symbol.dispose]: () => void (crypto.getRandomValues = getRandomValues) };
}
