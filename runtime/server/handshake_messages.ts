/**
 * The messages of the handshake: fixed layouts, so that a stranger's bytes meet no parser with choices.
 *
 * A message is one frame. It starts with its type, a byte; texts are a length byte and ASCII; all else has a
 * fixed length.
 *
 * @module
 */
import { parseServerId, type ServerId } from "../actor/server_id.ts";
import { ProtocolError } from "../errors.ts";
import { INSTANCE_LENGTH, SIGNATURE_LENGTH } from "./instance.ts";

/** The version of the protocol. */
export const PROTOCOL_VERSION = 1;

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

/** Bytes over a buffer of their own, as WebCrypto wants them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The client's first message. */
export interface Hello {
  /** The client's id. */
  readonly client: ServerId;
  /** The id of the server that the client wants, if it knows. */
  readonly wanted: ServerId | undefined;
  /** The client's instance. */
  readonly instance: Bytes;
  /** Fresh random bytes. */
  readonly nonce: Bytes;
}

/** The server's answer. */
export interface Challenge {
  /** The server's id. */
  readonly server: ServerId;
  /** The server's instance. */
  readonly instance: Bytes;
  /** Fresh random bytes. */
  readonly nonce: Bytes;
}

/** What each side proves: that it has the cookie, and that it is its instance. */
export interface Proof {
  /** HMAC-SHA-256 of label and transcript under the cookie. */
  readonly mac: Bytes;
  /** The instance's signature of label and transcript. */
  readonly signature: Bytes;
}

/** Why a server refuses a client. */
export enum Refusal {
  /** The cookies differ, the ids do not fit, or the message makes no sense. */
  Failed = 1,
  /** The two are being connected the other way round: wait for that. */
  Duplicate = 2,
}

/** The server's no. */
export interface Refused {
  /** Which no. */
  readonly refusal: Refusal;
  /** Why, in words for a person. */
  readonly reason: string;
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

/** Thrown when the answer read is a refusal. */
export class RefusedError extends ProtocolError {
  /** Which. */
  readonly refusal: Refusal;

  /** Keeps the refusal and its reason. */
  constructor({ refusal, reason }: Refused) {
    super(reason);
    this.refusal = refusal;
  }
}

/** Writes a hello. */
export function encodeHello({ client, wanted, instance, nonce }: Hello): Bytes {
  return new Writer().byte(Type.Hello).raw(new TextEncoder().encode(MAGIC)).byte(PROTOCOL_VERSION)
    .text(client).text(wanted ?? "").raw(instance).raw(nonce).done();
}

/**
 * Reads a hello.
 *
 * @throws {ProtocolError} when it is none, or of another version.
 */
export function decodeHello(bytes: Uint8Array): Hello {
  const reader = new Reader(bytes, Type.Hello);
  const magic = String.fromCharCode(...reader.raw(MAGIC.length));
  if (magic !== MAGIC) throw new ProtocolError("malformed handshake: not of this protocol");
  const version = reader.byte();
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError(
      `protocol version ${version} is not spoken here, only ${PROTOCOL_VERSION}: use the same ` +
        `release of gxensemble on both sides`,
    );
  }
  const client = parseServerId(reader.text());
  const wanted = reader.text();
  const hello = {
    client,
    wanted: wanted === "" ? undefined : parseServerId(wanted),
    instance: reader.raw(INSTANCE_LENGTH),
    nonce: reader.raw(NONCE_LENGTH),
  };
  reader.end();
  return hello;
}

/** Writes a challenge. */
export function encodeChallenge({ server, instance, nonce }: Challenge): Bytes {
  return new Writer().byte(Type.Challenge).text(server).raw(instance).raw(nonce).done();
}

/**
 * Reads a challenge.
 *
 * @throws {RefusedError} when it is a refusal.
 * @throws {ProtocolError} when it is no challenge.
 */
export function decodeChallenge(bytes: Uint8Array): Challenge {
  const reader = new Reader(bytes, Type.Challenge);
  const challenge = {
    server: parseServerId(reader.text()),
    instance: reader.raw(INSTANCE_LENGTH),
    nonce: reader.raw(NONCE_LENGTH),
  };
  reader.end();
  return challenge;
}

/** Writes the client's proof. */
export function encodeResponse(proof: Proof): Bytes {
  return new Writer().byte(Type.Response).raw(proof.mac).raw(proof.signature).done();
}

/**
 * Reads the client's proof.
 *
 * @throws {ProtocolError} when it is none.
 */
export function decodeResponse(bytes: Uint8Array): Proof {
  return decodeProof(bytes, Type.Response);
}

/** Writes the server's proof, which is its yes. */
export function encodeAccepted(proof: Proof): Bytes {
  return new Writer().byte(Type.Accepted).raw(proof.mac).raw(proof.signature).done();
}

/**
 * Reads the server's proof.
 *
 * @throws {RefusedError} when it is a refusal.
 * @throws {ProtocolError} when it is no proof.
 */
export function decodeAccepted(bytes: Uint8Array): Proof {
  return decodeProof(bytes, Type.Accepted);
}

/** Writes a refusal; the reason is cut to what fits. */
export function encodeRefused({ refusal, reason }: Refused): Bytes {
  const ascii = reason.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 255);
  return new Writer().byte(Type.Refused).byte(refusal).text(ascii).done();
}

function decodeRefused(bytes: Uint8Array): Refused {
  const reader = new Reader(bytes, Type.Refused);
  const refused = { refusal: reader.byte(), reason: reader.text() };
  reader.end();
  return refused;
}

function decodeProof(bytes: Uint8Array, type: Type): Proof {
  const reader = new Reader(bytes, type);
  const proof = { mac: reader.raw(MAC_LENGTH), signature: reader.raw(SIGNATURE_LENGTH) };
  reader.end();
  return proof;
}
