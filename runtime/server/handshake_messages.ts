/**
 * The messages of the handshake: fixed layouts, so that unauthenticated bytes reach only a simple
 * parser.
 *
 * A message is one frame. It starts with its type, a byte; texts are a length byte and ASCII;
 * everything else has a fixed length. Hello and challenge may be longer: extensions by later
 * versions of the protocol at their end are skipped. The first seven bytes of a hello, and a
 * refusal, are the same in every version, so that two releases without a common version can report
 * it.
 *
 * @module
 */
import { checkServerId } from "../actor/references.ts";
import { ProtocolError } from "../errors.ts";
import type { StreamKind } from "../wire/stream.ts";
import { MAX_COOKIES } from "./cookie_keys.ts";
import { type Bytes, INSTANCE_LENGTH, SIGNATURE_LENGTH } from "./credentials.ts";

/** A range of protocol versions. */
export interface Versions {
  /** The lowest. */
  readonly lowest: number;
  /** The highest. */
  readonly highest: number;
}

/** The protocol versions of this release. */
export const SPOKEN_VERSIONS: Versions = { lowest: 2, highest: 2 };

/** The length of a nonce, in bytes. */
export const NONCE_LENGTH = 32;

/** The length of an HMAC-SHA-256, in bytes. */
export const MAC_LENGTH = 32;

const MAGIC = "GXEN";

/** The first byte of each message. */
enum Type {
  Hello = 1,
  Challenge = 2,
  Response = 3,
  Accepted = 4,
  Refused = 5,
}

/**
 * The byte for each kind of transport. A server that does not know a kind refuses it, so that none
 * takes a client that comes through a tunnel for one that comes by itself.
 */
const TRANSPORTS = { unix: 1, tcp: 2, tls: 3, tunnel: 4 } as const satisfies Record<
  StreamKind,
  number
>;

/** The client's first message. */
export interface Hello {
  /** The versions that the client supports. */
  readonly versions: Versions;
  /** The transport of the client's end of the stream. */
  readonly transport: StreamKind;
  /** The client's id. */
  readonly client: string;
  /** The id of the wanted server, if the client knows it. */
  readonly wanted: string | undefined;
  /** The client's instance. */
  readonly instance: Bytes;
  /** Fresh random bytes. */
  readonly nonce: Bytes;
  /** The id of the supervisor that the stream goes through, on a tunnel. */
  readonly via?: string | undefined;
}

/** The server's answer. */
export interface Challenge {
  /** The version that both use from here on. */
  readonly version: number;
  /** The server's id. */
  readonly server: string;
  /** The server's instance. */
  readonly instance: Bytes;
  /** Fresh random bytes. */
  readonly nonce: Bytes;
}

/** The proof of each side that it has the cookie and its instance key. */
export interface Proof {
  /**
   * HMAC-SHA-256 of label and transcript: a client's under each of its cookies, a server's under
   * the newest one that the client has, too.
   */
  readonly macs: readonly Bytes[];
  /** The instance's signature of label and transcript. */
  readonly signature: Bytes;
}

/** The codes of refusals. */
export enum Refusal {
  /** The cookies differ, the ids do not match, or the message is malformed. */
  Failed = 1,
  /** The two are already being connected in the other direction: wait for that. */
  Duplicate = 2,
  /** The id of the client belongs to another instance. */
  Taken = 3,
  /** The server has no time for a handshake: come again later. */
  Busy = 4,
}

/** A refusal by the server. */
export interface Refused {
  /** Its code. */
  readonly refusal: Refusal;
  /** A message for people. */
  readonly message: string;
}

class Writer {
  readonly #bytes: number[] = [];

  byte(value: number): this {
    this.#bytes.push(value);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#bytes.push(...bytes);
    return this;
  }

  text(text: string): this {
    return this.byte(text.length).raw(new TextEncoder().encode(text));
  }

  done(): Bytes {
    return new Uint8Array(this.#bytes);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array, type: Type) {
    this.#bytes = bytes;
    if (this.byte() === type) return;
    if (bytes[0] === Type.Refused) throw new RefusedError(decodeRefused(bytes));
    throw new ProtocolError("malformed handshake: unexpected message");
  }

  byte(): number {
    return this.raw(1)[0]!;
  }

  raw(length: number): Bytes {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new ProtocolError("malformed handshake: too short");
    return this.#bytes.slice(this.#at, this.#at = end) as Bytes;
  }

  text(): string {
    return String.fromCharCode(...this.raw(this.byte()));
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new ProtocolError("malformed handshake: too long");
  }
}

/** Thrown if the answer is a refusal. */
export class RefusedError extends ProtocolError {
  /** Its code. */
  readonly refusal: Refusal;

  /** Creates the error from a refusal. */
  constructor({ refusal, message }: Refused) {
    super(message, refusal === Refusal.Taken ? { code: "ID_TAKEN" } : {});
    this.refusal = refusal;
  }
}

/**
 * The highest version that both sides support.
 *
 * @throws {ProtocolError} if there is none, naming the versions of each.
 */
export function commonVersion(client: Versions, server: Versions): number {
  const version = Math.min(client.highest, server.highest);
  if (version >= Math.max(client.lowest, server.lowest)) return version;
  throw new ProtocolError(
    `no protocol version in common: the client supports ${rangeOf(client)} and the server ` +
      `${rangeOf(server)}: use the same release of gxensemble on both sides`,
  );
}

/** Writes a hello. */
export function encodeHello(
  { versions, transport, client, wanted, instance, nonce, via }: Hello,
): Bytes {
  const writer = new Writer().byte(Type.Hello).raw(new TextEncoder().encode(MAGIC))
    .byte(versions.lowest).byte(versions.highest).byte(TRANSPORTS[transport])
    .text(client).text(wanted ?? "").raw(instance).raw(nonce);
  return (via === undefined ? writer : writer.text(via)).done();
}

/**
 * Reads a hello.
 *
 * @throws {ProtocolError} if it is malformed, or none of its versions is supported.
 */
export function decodeHello(bytes: Uint8Array): Hello {
  const reader = new Reader(bytes, Type.Hello);
  const magic = String.fromCharCode(...reader.raw(MAGIC.length));
  if (magic !== MAGIC) throw new ProtocolError("malformed handshake: not of this protocol");
  const versions = { lowest: reader.byte(), highest: reader.byte() };
  // First, since the layout of the rest depends on it.
  commonVersion(versions, SPOKEN_VERSIONS);
  const transport = transportOf(reader.byte());
  const client = checkServerId(reader.text());
  const wanted = reader.text();
  return {
    versions,
    transport,
    client,
    wanted: wanted === "" ? undefined : checkServerId(wanted),
    instance: reader.raw(INSTANCE_LENGTH),
    nonce: reader.raw(NONCE_LENGTH),
    ...transport === "tunnel" && { via: checkServerId(reader.text()) },
  };
}

/** Writes a challenge. */
export function encodeChallenge({ version, server, instance, nonce }: Challenge): Bytes {
  return new Writer().byte(Type.Challenge).byte(version).text(server).raw(instance).raw(nonce)
    .done();
}

/**
 * Reads a challenge.
 *
 * @throws {RefusedError} if it is a refusal.
 * @throws {ProtocolError} if it is malformed, or its version is not supported.
 */
export function decodeChallenge(bytes: Uint8Array): Challenge {
  const reader = new Reader(bytes, Type.Challenge);
  const version = reader.byte();
  const { lowest, highest } = SPOKEN_VERSIONS;
  if (version < lowest || version > highest) {
    throw new ProtocolError(
      `the server chose protocol version ${version}, but ${rangeOf(SPOKEN_VERSIONS)} was offered`,
    );
  }
  return {
    version,
    server: checkServerId(reader.text()),
    instance: reader.raw(INSTANCE_LENGTH),
    nonce: reader.raw(NONCE_LENGTH),
  };
}

/** Writes the client's proof. */
export function encodeResponse(proof: Proof): Bytes {
  return encodeProof(proof, Type.Response);
}

/**
 * Reads the client's proof.
 *
 * @throws {ProtocolError} if it is malformed.
 */
export function decodeResponse(bytes: Uint8Array): Proof {
  return decodeProof(bytes, { type: Type.Response, most: MAX_COOKIES });
}

/** Writes the server's proof, which accepts the client. */
export function encodeAccepted(proof: Proof): Bytes {
  return encodeProof(proof, Type.Accepted);
}

/**
 * Reads the server's proof.
 *
 * @throws {RefusedError} if it is a refusal.
 * @throws {ProtocolError} if it is malformed.
 */
export function decodeAccepted(bytes: Uint8Array): Proof {
  return decodeProof(bytes, { type: Type.Accepted, most: 1 });
}

/** Writes a refusal, with its message truncated to fit. */
export function encodeRefused({ refusal, message }: Refused): Bytes {
  const ascii = message.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 255);
  return new Writer().byte(Type.Refused).byte(refusal).text(ascii).done();
}

function transportOf(byte: number): StreamKind {
  for (const [kind, value] of Object.entries(TRANSPORTS)) {
    if (value === byte) return kind as StreamKind;
  }
  throw new ProtocolError("malformed handshake: unknown transport");
}

function rangeOf({ lowest, highest }: Versions): string {
  return lowest === highest ? `${lowest}` : `${lowest} to ${highest}`;
}

function decodeRefused(bytes: Uint8Array): Refused {
  const reader = new Reader(bytes, Type.Refused);
  const refused = { refusal: reader.byte(), message: reader.text() };
  reader.end();
  return refused;
}

function encodeProof({ macs, signature }: Proof, type: Type): Bytes {
  const writer = new Writer().byte(type);
  for (const mac of macs) writer.raw(mac);
  return writer.raw(signature).done();
}

/** The length of a proof says how many codes it has. */
function decodeProof(bytes: Uint8Array, { type, most }: { type: Type; most: number }): Proof {
  const reader = new Reader(bytes, type);
  const count = (bytes.length - 1 - SIGNATURE_LENGTH) / MAC_LENGTH;
  const macs = [reader.raw(MAC_LENGTH)];
  if (Number.isInteger(count)) {
    while (macs.length < Math.min(count, most)) macs.push(reader.raw(MAC_LENGTH));
  }
  const signature = reader.raw(SIGNATURE_LENGTH);
  reader.end();
  return { macs, signature };
}
