/**
 * The handshake, which authenticates both ends of a stream.
 *
 * Four messages prove to each side that the other has the cookie and is the instance that it
 * claims: hello, challenge, response, accepted. Each proof covers a label of its direction and the
 * transcript, which is the hello and the challenge, byte for byte: versions, transport, both ids,
 * both instances, both nonces. So no message can be replayed, reflected, or relayed under another
 * identity.
 *
 * While the cookie is being rotated, a server has two. A client proves each that it has, and the
 * server proves the newest one that both have. So any two that have a cookie in common connect, and
 * a server that has given the old one up neither proves nor accepts it.
 *
 * Each side accepts only a transcript with the transport of its own end. So a relay cannot forward
 * the connection of a client at a UNIX socket to the server's tcp port. Only a tunnel has other ends:
 * the client's is the connection with a supervisor, the server's is its UNIX socket. The client says
 * so in its hello, with the id of the supervisor. So a supervisor can pass on only a client that wants
 * it, and the server knows that the client is not on its host.
 *
 * On tls, where both sides have certificates, the same four messages are sent without the cookie:
 * the ids must be the certified ones, and the signatures prove the instances.
 *
 * @module
 */
import { AuthenticationError, DisconnectedError, EnsembleError } from "../errors.ts";
import { asFrame, FrameReader } from "../wire/frames.ts";
import { HANDSHAKE_TIMEOUT, MAX_HANDSHAKE_FRAME } from "../wire/limits.ts";
import { type ByteStream, closeStream, type StreamKind } from "../wire/stream.ts";
import {
  type Bytes,
  type Certified,
  CONSOLE_ID,
  type Credentials,
  requireCertified,
  sameInstance,
  sharedId,
  verifySignature,
} from "./credentials.ts";
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
  MAC_LENGTH,
  NONCE_LENGTH,
  type Proof,
  Refusal,
  type Refused,
  RefusedError,
  SPOKEN_VERSIONS,
} from "./handshake_messages.ts";

const CLIENT_LABEL = "gxensemble 1 client";
const SERVER_LABEL = "gxensemble 1 server";
const BINDING_LABEL = "gxensemble 1 binding";

/** The authenticated peer. */
export interface Authenticated {
  /** Its id. */
  readonly peer: string;
  /** Its instance. */
  readonly instance: Bytes;
  /** The contents of its certificate, if the stream has one. */
  readonly certified: Certified | undefined;
  /** Whether the peer does not have the newest cookie of this server. */
  readonly isBehind: boolean;
  /** The same bytes at both ends of this connection, and unique to it. */
  readonly binding: Bytes;
  /** The reader, which may hold frames that followed the handshake. */
  readonly reader: FrameReader;
  /** The id of the supervisor whose tunnel the stream goes through; both ends have agreed on it. */
  readonly via: string | undefined;
}

/** Thrown if a server does not finish the handshake in time. */
export class SlowHandshakeError extends DisconnectedError {}

/** Thrown if a client disconnects before it has sent anything, as a port scanner does. */
export class SilentPeerError extends DisconnectedError {}

/**
 * The client's side. The stream is closed if it fails.
 *
 * @param options.wanted the id that the server must have.
 * @param options.admit called once the server's id is known, before anything is proved to it;
 * throws to refuse it.
 * @param options.timeout how long it may take, in ms. Default: {@linkcode HANDSHAKE_TIMEOUT}.
 * @param options.proceed called before the hello and before anything is proved; false ends the
 * handshake, and tells the server that it is not needed.
 * @throws {RefusedError} if the server refuses.
 * @throws {AuthenticationError} if the server is not the wanted one or cannot authenticate.
 * @throws {DisconnectedError} if the stream ends, or the handshake times out.
 */
export function clientHandshake(
  stream: ByteStream,
  self: Credentials,
  options: {
    wanted?: string | undefined;
    timeout?: number | undefined;
    admit?(instance: Bytes): Promise<void>;
    proceed(): boolean;
  },
): Promise<Authenticated> {
  const { timeout = HANDSHAKE_TIMEOUT } = options;
  const work = async () => {
    if (!options.proceed()) return await breakOff(stream);
    const reader = new FrameReader(stream, MAX_HANDSHAKE_FRAME);
    const { wanted } = options;
    const hello = encodeHello({
      versions: SPOKEN_VERSIONS,
      transport: stream.kind,
      client: self.id,
      wanted,
      instance: self.instance.publicKey,
      nonce: crypto.getRandomValues(new Uint8Array(NONCE_LENGTH)),
      via: stream.via,
    });
    // A server that is busy may already have refused, which is then read.
    await send(stream, hello).catch(() => {});
    const challengeBytes = await receive(reader);
    const { server, instance } = decodeChallenge(challengeBytes);
    const certified = certify(self, { stream, peer: server });
    if (wanted !== undefined && server !== wanted) {
      throw new AuthenticationError(`the server at this address is ${server}, not ${wanted}`);
    }
    refuseSelf(self, { peer: server, instance });
    await options.admit?.(instance);
    if (!options.proceed()) return await breakOff(stream);
    const transcript = join(hello, challengeBytes);
    const cookies = certified ? [] : self.cookies.keys;
    await send(
      stream,
      encodeResponse(await prove(self, { text: labelled(CLIENT_LABEL, transcript), cookies })),
    );
    const [accepted, binding] = await Promise.all([receive(reader), bind(transcript)]);
    const proof = decodeAccepted(accepted);
    const text = labelled(SERVER_LABEL, transcript);
    const common = await verify(self, { text, proof, instance, peer: server, cookies });
    const isBehind = common !== cookies[0];
    return { peer: server, instance, certified, reader, binding, via: stream.via, isBehind };
  };
  return inTime(stream, { timeout, work });
}

/**
 * The server's side. The stream is closed if it fails. Its timeout is that of the listener's
 * `Admission`.
 *
 * @param options.heard called for each message that the client has sent.
 * @param options.admit called once the client is authenticated; returns a refusal, or undefined to
 * accept.
 * @throws {AuthenticationError} if the client cannot authenticate or is not admitted; it is told
 * why.
 * @throws {DisconnectedError} if the stream ends.
 */
export function serverHandshake(
  stream: ByteStream,
  self: Credentials,
  options: {
    heard?(): void;
    admit(client: {
      readonly id: string;
      readonly instance: Bytes;
      readonly via: string | undefined;
    }): Promise<Refused | undefined>;
  },
): Promise<Authenticated> {
  return closedOnFailure(stream, async () => {
    const reader = new FrameReader(stream, MAX_HANDSHAKE_FRAME);
    try {
      const helloBytes = await receive(reader, true);
      options.heard?.();
      const { versions, transport, client, wanted, instance, via } = decodeHello(helloBytes);
      requireSameWay(transport, stream);
      if (via !== undefined) requireTransient(client, via);
      if (wanted !== undefined && wanted !== self.id) {
        throw new AuthenticationError(`this is server ${self.id}, not ${wanted}`);
      }
      refuseSelf(self, { peer: client, instance });
      const certified = certify(self, { stream, peer: client });
      const challenge = encodeChallenge({
        version: commonVersion(versions, SPOKEN_VERSIONS),
        server: self.id,
        instance: self.instance.publicKey,
        nonce: crypto.getRandomValues(new Uint8Array(NONCE_LENGTH)),
      });
      await send(stream, challenge);
      const proof = decodeResponse(await receive(reader));
      options.heard?.();
      const transcript = join(helloBytes, challenge);
      const text = labelled(CLIENT_LABEL, transcript);
      const cookies = certified ? [] : self.cookies.keys;
      const common = await verify(self, { text, proof, instance, peer: client, cookies });
      const refused = await options.admit({ id: client, instance, via });
      if (refused) throw new RefusedError(refused);
      const [accepted, binding] = await Promise.all([
        prove(self, {
          text: labelled(SERVER_LABEL, transcript),
          cookies: common ? [common] : [],
        }),
        bind(transcript),
      ]);
      await send(stream, encodeAccepted(accepted));
      const isBehind = common !== cookies[0];
      return { peer: client, instance, certified, reader, binding, via, isBehind };
    } catch (error) {
      if (!(error instanceof EnsembleError) || error instanceof DisconnectedError) throw error;
      const refusal = error instanceof RefusedError
        ? error.refusal
        : error.code === "ID_TAKEN"
        ? Refusal.Taken
        : Refusal.Failed;
      await send(stream, encodeRefused({ refusal, message: error.message })).catch(() => {});
      throw error;
    }
  });
}

/** Tells a client that there is no time for its handshake, and closes its stream. */
export async function turnAway(stream: ByteStream): Promise<void> {
  const message = "it is busy: too many servers connect to it at once";
  await send(stream, encodeRefused({ refusal: Refusal.Busy, message })).catch(() => {});
  closeStream(stream);
}

/**
 * Runs the client's side with its timeout. That of the server's side starts where it was accepted.
 */
async function inTime<Result>(
  stream: ByteStream,
  { timeout, work }: { timeout: number; work: () => Promise<Result> },
): Promise<Result> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    closeStream(stream);
  }, timeout);
  try {
    return await closedOnFailure(stream, work);
  } catch (error) {
    if (isLate) throw new SlowHandshakeError(`no handshake within ${timeout} ms`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function closedOnFailure<Result>(
  stream: ByteStream,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    closeStream(stream);
    throw error instanceof EnsembleError
      ? error
      : new DisconnectedError(`the connection was lost: ${(error as Error).message}`);
  }
}

/** Ends the handshake without an error, because the two are connected, or about to be. */
async function breakOff(stream: ByteStream): Promise<never> {
  const message = "no longer needed";
  await send(stream, encodeRefused({ refusal: Refusal.Duplicate, message }));
  throw new DisconnectedError(message);
}

async function send(stream: ByteStream, body: Bytes): Promise<void> {
  // Not an outbox, since its buffers are large.
  let bytes: Uint8Array = asFrame(body);
  while (bytes.length > 0) bytes = bytes.subarray(await stream.write(bytes));
}

async function receive(reader: FrameReader, silent = false): Promise<Bytes> {
  while (!reader.next()) {
    if (!await reader.fill()) {
      if (!reader.cut && silent) {
        throw new SilentPeerError("the peer closed the connection without sending anything");
      }
      throw new DisconnectedError("the peer closed the connection during the handshake");
    }
  }
  return reader.buffer.slice(reader.start, reader.end) as Bytes;
}

/** A tunnel ends at a UNIX socket. Any other stream has the same transport at both ends. */
function requireSameWay(transport: StreamKind, { kind }: ByteStream): void {
  if (transport === "tunnel" ? kind === "unix" : kind === transport) return;
  throw new AuthenticationError(
    `the client connected over ${transport}, but the connection arrived over ${kind}: it was ` +
      `forwarded on the way`,
  );
}

/** No certificate shows the id of a client behind a tunnel. So it must be one that means nothing. */
function requireTransient(client: string, via: string): void {
  if (sharedId(client) !== undefined) return;
  throw new AuthenticationError(
    `only commands and clients come through ${via}, with ids like ${CONSOLE_ID}-..., not ${client}`,
  );
}

function refuseSelf(
  self: Credentials,
  { peer, instance }: { peer: string; instance: Bytes },
): void {
  if (peer === self.id || sameInstance(instance, self.instance.publicKey)) {
    throw new AuthenticationError(`the peer claims the id ${peer}, which is this server's own`);
  }
}

/** On tls, the certificate identifies the peer, and replaces the cookie. */
function certify(
  self: Credentials,
  { stream, peer }: { stream: ByteStream; peer: string },
): Certified | undefined {
  if (!stream.certificate) return undefined;
  if (!self.tls) throw new AuthenticationError("this server has no certificate");
  const certified = self.tls.identify(stream.certificate);
  requireCertified(peer, certified);
  return certified;
}

/**
 * Makes the proof of this side.
 *
 * @param proved.cookies the cookies to prove; none if certificates take their place.
 */
async function prove(
  self: Credentials,
  { text, cookies }: { text: Bytes; cookies: readonly CryptoKey[] },
): Promise<Proof> {
  // All at once, since each is computed on another thread.
  const [signature, ...macs] = await Promise.all([
    self.instance.sign(text),
    ...cookies.map((cookie) => authenticationCode(cookie, text)),
  ]);
  return { macs: macs.length > 0 ? macs : [new Uint8Array(MAC_LENGTH)], signature };
}

/**
 * Checks the proof of the peer. All codes are compared with all cookies, so that neither the error
 * nor the time says which of them fitted.
 *
 * @param claim.cookies the cookies of this side; none if certificates take their place.
 * @returns the newest cookie that both sides have; undefined if certificates take their place.
 * @throws {AuthenticationError} if they have none in common, or the signature is not valid.
 */
async function verify(
  self: Credentials,
  { text, proof, instance, peer, cookies }: {
    text: Bytes;
    proof: Proof;
    instance: Bytes;
    peer: string;
    cookies: readonly CryptoKey[];
  },
): Promise<CryptoKey | undefined> {
  const { macs, signature } = proof;
  const [hasKey, ...fits] = await Promise.all([
    verifySignature(text, { instance, signature }),
    // WebCrypto compares in constant time.
    ...cookies.map(async (cookie) => {
      const all = macs.map((mac) => crypto.subtle.verify("HMAC", cookie, mac, text));
      return (await Promise.all(all)).includes(true);
    }),
  ]);
  const common = cookies.find((_, at) => fits[at]);
  if (cookies.length > 0 && !common) {
    throw new AuthenticationError(
      `authentication failed between ${self.id} and ${peer}: their cookies differ`,
    );
  }
  if (!hasKey) throw new AuthenticationError(`${peer} did not prove its instance key`);
  return common;
}

async function authenticationCode(cookie: CryptoKey, text: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", cookie, text));
}

async function bind(transcript: Bytes): Promise<Bytes> {
  const bytes = labelled(BINDING_LABEL, transcript);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function labelled(label: string, transcript: Bytes): Bytes {
  return join(new TextEncoder().encode(`${label}\0`), transcript);
}

function join(one: Uint8Array, other: Uint8Array): Bytes {
  const joined = new Uint8Array(one.length + other.length);
  joined.set(one);
  joined.set(other, one.length);
  return joined;
}
