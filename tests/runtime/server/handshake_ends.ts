/**
 * The two ends of a handshake, and what came of it.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Authenticated } from "../../../runtime/server/handshake.ts";
import {
  type Bytes,
  type Credentials,
  importCookie,
  InstanceKey,
} from "../../../runtime/server/credentials.ts";
import { type Address, localUnixAddress } from "../../../runtime/wire/address.ts";
import type { Accepted, ByteStream } from "../../../runtime/wire/stream.ts";
import { connectTo, listenAt } from "../../../runtime/wire/transport.ts";
import { anyPort } from "./local_ensemble.ts";

const COOKIE = new Uint8Array(32).fill(7);

/** The credentials of a member of one ensemble, or one with another cookie. */
export async function credentials(id: string, cookie: Uint8Array = COOKIE): Promise<Credentials> {
  const [instance, key] = await Promise.all([InstanceKey.generate(), importCookie(cookie)]);
  return { id: id, instance, cookie: key };
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
