/**
 * The router: one connection to each other server, opened on demand.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Envelope, Receiver, Route } from "../actor/messaging.ts";
import { checkServerId, REGISTRY_ID } from "../actor/references.ts";
import {
  AuthenticationError,
  DisconnectedError,
  EnsembleError,
  type ErrorCode,
  type Silence,
  TimeoutError,
  UnknownServerError,
} from "../errors.ts";
import { type Address, formatAddressUrl, isLocal } from "../wire/address.ts";
import { writeEnvelope } from "../wire/envelope_frames.ts";
import { HANDSHAKE_TIMEOUT, WARNING_MARK } from "../wire/limits.ts";
import { type Accepted, type ByteStream, closeStream } from "../wire/stream.ts";
import { connectTo, UnreachableError } from "../wire/transport.ts";
import { within } from "../timeout.ts";
import { Absences, Peer } from "./peers.ts";
import type { AddressBook, Located } from "./address_book.ts";
import type { Session } from "./capabilities.ts";
import {
  addTraffic,
  Connection,
  type ConnectionInfo,
  type Heartbeat,
  type TotalTraffic,
} from "./connection.ts";
import {
  type Authenticated,
  clientHandshake,
  serverHandshake,
  SlowHandshakeError,
} from "./handshake.ts";
import { Refusal, type Refused, RefusedError } from "./handshake_messages.ts";
import { type Claim, type Connections, type Identities, whenSilent } from "./identity.ts";
import { type Bytes, type Credentials, sameInstance, shortInstance } from "./credentials.ts";

const logger = getLogger(["gxensemble", "server"]);

/** How long a registry may take to be reached, if there is another one, in ms. */
const REGISTRY_PATIENCE = 1_000;

/**
 * After how long a connected registry that has not answered is probed, if there is another one, and
 * how long it may take to answer that, in ms. A request may come just after an answer, and so wait
 * twice: in all no longer than {@linkcode REGISTRY_PATIENCE}.
 */
const ANSWER_PATIENCE = 300;
const PROBE_PATIENCE = 400;

/** The way to servers that listen only on the host of a supervisor: tunnels through that. */
export interface TunnelWay {
  /** The supervisor's id. */
  readonly supervisor: string;
  /**
   * Opens a tunnel to a server.
   *
   * @throws {EnsembleError} if the supervisor cannot be reached, or refuses.
   */
  open(server: string): Promise<ByteStream>;
}

/** The parts of a router. */
export interface RouterParts {
  /** The addresses of other servers. */
  readonly book: AddressBook;
  /** Decides whether peers without certificates may use their ids. */
  readonly identities: Identities;
  /** Receives the messages from all connections. */
  readonly receiver: Receiver;
  /** The heartbeat of the connections. */
  readonly heartbeat: Heartbeat;
  /** Called when a connection has ended. */
  readonly onClosed: (session: Session) => void;
}

/**
 * Connects this server with others. Two servers have one connection, whichever opened it.
 *
 * If two servers dial each other at once, one of the two handshakes has to yield. The server with
 * the lesser id wins: while its own handshake is pending, it refuses the other's as a duplicate.
 * The server with the greater id waits for the outcome of its own before it answers. So if a
 * connected peer authenticates again, it has lost that connection.
 */
export class Router implements Route, Connections {
  readonly #self: Credentials;
  readonly #parts: RouterParts;
  readonly #peers = new Map<string, Peer>();
  readonly #absences: Absences;
  #way: TunnelWay | undefined;
  /** What connections that have ended carried. */
  #endedTraffic: TotalTraffic = addTraffic([]);
  /** When the registry was last asked something, by `performance.now()`. */
  #lastAsked = 0;
  /** Runs while the registry owes an answer. */
  #patience: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /**
   * Called when a handshake has failed, as with a peer that has another cookie. Resolves to whether
   * this server has other cookies now, so that it is worth another try.
   */
  onRefused: () => Promise<boolean> = () => Promise.resolve(false);

  /** Creates a router without connections. */
  constructor(self: Credentials, parts: RouterParts) {
    this.#self = self;
    this.#parts = parts;
    this.#absences = new Absences(parts.receiver.lines);
  }

  /** The connections in use, and what they have carried, by peer id. */
  connections(): ConnectionInfo[] {
    return [...this.#peers.values()].flatMap(({ connection }) => connection?.info ?? [])
      .sort((a, b) => a.peer < b.peer ? -1 : 1);
  }

  /** The sessions of the connections in use. */
  sessions(): Session[] {
    return [...this.#peers.values()].flatMap(({ connection }) => connection?.session ?? []);
  }

  /** What all connections have carried, also those that have ended. */
  traffic(): TotalTraffic {
    return addTraffic([this.#endedTraffic, ...this.connections()]);
  }

  /** The session of the connection with a server, if any. */
  session(server: string): Session | undefined {
    return this.#peers.get(server)?.connection?.session;
  }

  /** Sends an envelope, on a connection that is opened if there is none. */
  send(server: string, envelope: Envelope): boolean {
    if (this.#closed) return false;
    const known = this.#peers.get(server);
    if (!known) checkServerId(server);
    // Messages for an unreachable server are dropped for a while. An ask, and `connect`, try again
    // at once.
    if (!known && !envelope.replyExpected && this.#absences.isPausing(server)) {
      this.#absences.drop(server, 1);
      return false;
    }
    const peer = known ?? this.#peer(server);
    const before = peer.outbox.size;
    try {
      writeEnvelope(peer.outbox, envelope);
    } catch (error) {
      this.#forgetIdle(peer);
      throw error;
    }
    if (!envelope.replyExpected) peer.unasked++;
    if (before <= WARNING_MARK && peer.outbox.size > WARNING_MARK) {
      logger.warn("{peer} does not keep up: {bytes} bytes wait for it", {
        peer: server,
        bytes: peer.outbox.size,
      });
    }
    if (peer.stuck) {
      logger.error("{peer} is stuck: its connection is closed and {bytes} bytes are dropped", {
        peer: server,
        bytes: peer.outbox.size,
      });
      const why = "too much is waiting to be sent";
      if (peer.connection) peer.connection.close(why);
      else this.#lose(peer, why);
      return false;
    }
    if (peer.connection) peer.connection.flush();
    else void this.#reach(peer);
    if (server === REGISTRY_ID && envelope.replyExpected) this.#expectAnswer(peer);
    return true;
  }

  /**
   * Connects to a server, unless it is connected.
   *
   * @throws {DisconnectedError} if it cannot be reached, with what was tried.
   */
  async connect(server: string): Promise<void> {
    if (this.#closed) {
      throw new DisconnectedError(`${this.#self.id} is stopping`, { code: "SERVER_STOPPING" });
    }
    const peer = this.#peer(server);
    if (peer.connection) return;
    await this.#reach(peer);
    if (!peer.connection) {
      const error = new DisconnectedError(`cannot reach ${server}: ${peer.lastFailure}`);
      error.silence = peer.silence;
      throw error;
    }
  }

  /**
   * Has other servers be reached through a supervisor. The registry is reached that way only if
   * it cannot be reached directly.
   */
  goThrough(way: TunnelWay): void {
    this.#way = way;
  }

  /** Has the next message to a server try to reach it, which may be possible again. */
  retry(server: string): void {
    this.#absences.retry(server);
  }

  /** Whether a sender to this server should wait; see {@linkcode Router.drained}. */
  congested(server: string): boolean {
    return this.#peers.get(server)?.congested ?? false;
  }

  /** Resolves when the outbox of a server is empty. */
  drained(server: string): Promise<void> {
    return this.#peers.get(server)?.drained() ?? Promise.resolve();
  }

  /**
   * Handles a stream that a listener accepted.
   *
   * @param heard called for each message of its handshake that the peer has sent.
   * @throws {EnsembleError} if the peer is not admitted.
   */
  async accept({ stream, from }: Accepted, heard: () => void): Promise<void> {
    const incoming = Promise.withResolvers<void>();
    let client: string | undefined;
    try {
      const authenticated = await serverHandshake(stream, this.#self, {
        heard,
        admit: async ({ id, instance, via }) => {
          await this.#identify(stream, { id, instance, dialled: false });
          const certified = stream.certificate !== undefined;
          const claim = { instance, certified, from, via };
          return await this.#admit(client = id, claim, incoming.promise);
        },
      });
      this.#use(stream, authenticated, from);
    } catch (error) {
      // Two servers that dial each other at once are not an error.
      if (error instanceof RefusedError && error.refusal === Refusal.Duplicate) return;
      // For the client's next attempt.
      if (error instanceof AuthenticationError) void this.onRefused();
      throw error;
    } finally {
      const peer = client && this.#peers.get(client);
      if (peer && peer.incoming === incoming.promise) {
        peer.incoming = undefined;
        this.#forgetIdle(peer);
      }
      incoming.resolve();
    }
  }

  /** See {@linkcode Route.silence}. */
  silence(server: string): Silence | undefined {
    const peer = this.#peers.get(server);
    if (peer?.connection) {
      const { address, via } = peer.connection.session;
      const place = via === undefined ? formatAddressUrl(address) : socketThrough(via);
      return { server, stage: "request", address: place };
    }
    if (peer?.dialling) {
      const stage = peer.outgoing ? "handshake" : "connect";
      return { server, stage, address: peer.dialling };
    }
    if (!peer?.attempt || server === REGISTRY_ID) return undefined;
    const supervisor = this.#way?.supervisor;
    return this.silence(
      supervisor === undefined || supervisor === server ? REGISTRY_ID : supervisor,
    );
  }

  /** Flushes and closes all connections, within `timeout` ms. */
  async close(timeout: number): Promise<void> {
    const until = performance.now() + timeout;
    // The last messages may wait for a connection that is being opened, from here or from there.
    const underway = [...this.#peers.values()]
      .flatMap(({ attempt, incoming }) => [attempt ?? [], incoming ?? []].flat());
    if (underway.length > 0) await within(timeout, Promise.all(underway));
    this.#closed = true;
    clearTimeout(this.#patience);
    this.#absences.close();
    const rest = until - performance.now();
    await Promise.all(
      [...this.#peers.values()].map(({ connection }) => connection?.drain(rest)),
    );
  }

  /**
   * Closes the connection to a registry that does not answer, if there is another one. What waits
   * for its answer fails, and is asked again there: see `registryClient`.
   */
  #expectAnswer(peer: Peer): void {
    const { book } = this.#parts;
    const since = performance.now();
    this.#lastAsked = since;
    if (this.#patience !== undefined || book.given(REGISTRY_ID).length < 2) return;
    this.#patience = setTimeout(async () => {
      this.#patience = undefined;
      const { connection } = peer;
      if (!connection) {
        // An attempt to connect has limits of its own.
        if (peer.attempt) this.#expectAnswer(peer);
        return;
      }
      const { lastReceived } = connection;
      if (lastReceived >= since) {
        if (lastReceived < this.#lastAsked) this.#expectAnswer(peer);
        return;
      }
      // It may take long for a request, and still be well.
      if (await connection.probe(PROBE_PATIENCE)) return;
      book.setBack(connection.session.address);
      connection.close("it does not answer");
    }, ANSWER_PATIENCE);
    this.#patience.unref();
  }

  /**
   * Closes the connection to a registry that is cut off from its store, if there is another one,
   * which is asked from then on.
   */
  leaveRegistry(): boolean {
    const { book } = this.#parts;
    const connection = this.#peers.get(REGISTRY_ID)?.connection;
    if (!connection || book.given(REGISTRY_ID).length < 2) return false;
    book.setBack(connection.session.address);
    connection.close("it is cut off from its store");
    return true;
  }

  #peer(server: string): Peer {
    let peer = this.#peers.get(server);
    if (!peer) this.#peers.set(server, peer = new Peer(server));
    return peer;
  }

  #reach(peer: Peer): Promise<void> {
    peer.attempt ??= this.#establish(peer).then(() => {
      peer.attempt = undefined;
      this.#forgetIdle(peer);
    }, (error) => {
      // First, since a caller that is notified of the loss may send again at once.
      peer.attempt = undefined;
      // The peer may have connected meanwhile, though it could not be reached.
      if (!peer.connection) this.#lose(peer, error.message, { cause: error.cause });
    });
    return peer.attempt;
  }

  async #establish(peer: Peer): Promise<void> {
    if (peer.incoming) {
      // The peer is about to be connected, and may not be reachable.
      await peer.incoming;
      if (peer.connection) return;
    }
    peer.silence = undefined;
    const failures: Error[] = [];
    const isRegistry = peer.id === REGISTRY_ID;
    const way = peer.id === this.#way?.supervisor ? undefined : this.#way;
    if (!way || isRegistry) {
      const given = this.#parts.book.given(peer.id);
      if (await this.#dialAll(peer, given, { failures })) return;
      if (!isRegistry && await this.#dialFound(peer, { tried: given, failures })) return;
    }
    if (way && await this.#dialThrough(way, { peer, failures })) return;
    const causes = failures.flatMap((failure) =>
      failure instanceof UnknownServerError ? failure : failure.cause ?? []
    );
    const cause = causes.find((cause) => codeOf(cause) === "ID_TAKEN") ?? causes[0];
    throw new DisconnectedError(failures.map(({ message }) => message).join("; "), {
      cause,
      code: codeOf(cause),
    });
  }

  /**
   * Dials the addresses in the registry, except those that were tried. If those that it told of
   * fail, asks it again. If it cannot be asked, dials the last known ones, and the sockets at which
   * the peer may be.
   */
  async #dialFound(
    peer: Peer,
    { tried, failures }: { tried: Address[]; failures: Error[] },
  ): Promise<boolean> {
    const { book } = this.#parts;
    const known = book.found(peer.id);
    const failed: Error[] = [];
    if (
      known && await this.#dialAll(peer, known.addresses, { failures: failed, tried, ...known })
    ) {
      return true;
    }
    let found: Located;
    try {
      found = await book.refresh(peer.id);
    } catch (error) {
      if (!(error instanceof DisconnectedError || error instanceof TimeoutError)) {
        failures.push(error as Error);
        return false;
      }
      const last = known ? undefined : book.lastFound(peer.id, error);
      if (last && await this.#dialAll(peer, last.addresses, { failures: failed, tried, ...last })) {
        return true;
      }
      failures.push(...failed, error);
      return await this.#dialAll(peer, book.nearby(peer.id), { failures, tried });
    }
    const { addresses, instance } = found;
    if (addresses.length === 0) {
      failures.push(new EnsembleError("the registry has no address for it"));
      return false;
    }
    if (known && isSamePlace(known, found)) {
      failures.push(...failed);
      return false;
    }
    return await this.#dialAll(peer, addresses, { failures, tried, instance });
  }

  /** Dials one address after the other; `instance` is the registered one, if known. */
  async #dialAll(
    peer: Peer,
    addresses: readonly Address[],
    { failures, tried = [], instance }: {
      failures: Error[];
      tried?: readonly Address[];
      instance?: Uint8Array;
    },
  ): Promise<boolean> {
    // The URL of another host's socket may equal that of a socket here that was tried, but it is a
    // different one.
    const urls = new Set(tried.filter(isLocal).map(formatAddressUrl));
    const isRegistry = peer.id === REGISTRY_ID && addresses.length > 1;
    let slow: { address: Address; failure: unknown } | undefined;
    for (const address of addresses) {
      if (peer.connection) return true;
      if (urls.has(formatAddressUrl(address))) continue;
      if (this.#isDowngrade(address, [...tried, ...addresses])) {
        const why = "not tried, since it is also reachable over tls";
        failures.push(new EnsembleError(`${formatAddressUrl(address)}: ${why}`));
        continue;
      }
      peer.dialling = formatAddressUrl(address);
      try {
        const timeout = isRegistry ? REGISTRY_PATIENCE : undefined;
        if (await this.#dial(peer, address, { registered: instance, timeout })) return true;
      } catch (error) {
        if (peer.connection) return true;
        if (isRegistry) this.#parts.book.setBack(address);
        const stage = unansweredStage(error);
        if (stage) {
          peer.silence ??= { server: peer.id, stage, address: formatAddressUrl(address) };
          slow ??= { address, failure: error };
        }
        failures.push(error as Error);
      } finally {
        peer.dialling = undefined;
      }
    }
    // None answers in time, and a slow registry is better than none: the first gets all its time.
    if (!isRegistry || !slow) return false;
    failures.splice(failures.indexOf(slow.failure as Error), 1);
    return await this.#dialAll(peer, [slow.address], { failures });
  }

  /**
   * Whether connecting to an address would give up the protection of tls. Between servers that both
   * have certificates, tcp never replaces tls, whatever the reason that tls fails, because an
   * attacker on the network can make it fail.
   */
  #isDowngrade({ kind }: Address, addresses: readonly Address[]): boolean {
    return kind === "tcp" && this.#self.tls !== undefined &&
      addresses.some(({ kind }) => kind === "tls");
  }

  /** Dials through a supervisor, on its host. */
  async #dialThrough(
    { supervisor, open }: TunnelWay,
    { peer, failures }: { peer: Peer; failures: Error[] },
  ): Promise<boolean> {
    try {
      const stream = await open(peer.id);
      const session = this.session(supervisor);
      if (!session) {
        closeStream(stream);
        throw new DisconnectedError(`the connection to ${supervisor} was lost`);
      }
      const { address } = session;
      peer.dialling = socketThrough(supervisor);
      return await this.#greet(stream, { peer, address, place: `through ${supervisor}` });
    } catch (error) {
      if (peer.connection) return true;
      const stage = unansweredStage(error);
      if (stage && peer.dialling) {
        peer.silence ??= { server: peer.id, stage, address: peer.dialling };
      }
      failures.push(error as Error);
      return false;
    } finally {
      peer.dialling = undefined;
    }
  }

  async #dial(
    peer: Peer,
    address: Address,
    options: { registered: Uint8Array | undefined; timeout: number | undefined },
  ): Promise<boolean> {
    try {
      return await this.#dialOnce(peer, address, options);
    } catch (error) {
      if (peer.connection || !isRefusal(error) || !await this.onRefused()) throw error;
      return await this.#dialOnce(peer, address, options);
    }
  }

  async #dialOnce(
    peer: Peer,
    address: Address,
    { registered, timeout }: { registered: Uint8Array | undefined; timeout: number | undefined },
  ): Promise<boolean> {
    const began = performance.now();
    const stream = await connectTo(address, { tls: this.#self.tls, timeout });
    const place = formatAddressUrl(address);
    const left = timeout && Math.max(1, Math.round(timeout - (performance.now() - began)));
    return await this.#greet(stream, { peer, address, place, registered, timeout: left });
  }

  /** Does the handshake with a peer that was dialed; `place` is where, for errors. */
  async #greet(
    stream: ByteStream,
    { peer, address, place, registered, timeout }: {
      peer: Peer;
      address: Address;
      place: string;
      registered?: Uint8Array | undefined;
      timeout?: number | undefined;
    },
  ): Promise<boolean> {
    const handshake = clientHandshake(stream, this.#self, {
      wanted: peer.id,
      timeout,
      admit: async (instance) => {
        await this.#identify(stream, { id: peer.id, instance, dialled: true });
        if (stream.certificate || !registered || sameInstance(instance, registered)) return;
        await this.#parts.book.requireRegistered(peer.id, instance);
      },
      proceed: () => !peer.connection && !peer.incoming && !this.#closed,
    });
    const done = () => void (peer.outgoing = undefined);
    peer.outgoing = handshake.then(done, done);
    try {
      this.#use(stream, await handshake, address);
      return true;
    } catch (error) {
      await peer.incoming;
      if (peer.connection) return true;
      if (error instanceof RefusedError && error.refusal === Refusal.Duplicate) {
        return await peer.waitForConnection(HANDSHAKE_TIMEOUT);
      }
      const { message } = error as Error;
      throw new EnsembleError(`${place}: ${message}`, { cause: error });
    }
  }

  async #identify(stream: Accepted["stream"], claim: Claim): Promise<void> {
    if (!stream.certificate) await this.#parts.identities.require(claim, this);
  }

  /**
   * Decides on an authenticated client, by the rule above. An admitted client is the peer's
   * incoming one until `incoming` resolves: meanwhile no other with its id is admitted, and the
   * peer is not dialed.
   *
   * An instance keeps the id while its connection is open, however silent it is: the heartbeat
   * closes the connection in the end. There are two exceptions: the instance has left, or the
   * registry has given the id to another.
   */
  async #admit(
    client: string,
    claim: { instance: Bytes; certified: boolean; from: Address; via: string | undefined },
    incoming: Promise<void>,
  ): Promise<Refused | undefined> {
    while (true) {
      if (this.#closed) {
        return { refusal: Refusal.Failed, message: `${this.#self.id} is stopping` };
      }
      const peer = this.#peers.get(client);
      const connection = peer?.connection;
      if (peer?.incoming) {
        await peer.incoming;
      } else if (peer?.outgoing) {
        if (this.#self.id < client) {
          return {
            refusal: Refusal.Duplicate,
            message: "already connecting in the other direction",
          };
        }
        await peer.outgoing;
      } else if (!connection) {
        this.#peer(client).incoming = incoming;
        return undefined;
      } else if (
        // The same process, which has lost its tunnel and opened another.
        sameInstance(connection.session.instance, claim.instance) &&
        connection.session.via === claim.via
      ) {
        connection.close("the peer opened another connection");
      } else if (claim.via !== undefined) {
        return { refusal: Refusal.Taken, message: `${client} is connected with ${this.#self.id}` };
      } else if (connection.session.left) {
        connection.close("the peer has left, and its id belongs to another");
      } else if (
        // Any holder of the cookie may have come first, but the certificate proves the id.
        (claim.certified && !connection.session.certified) ||
        await this.#parts.identities.isRegistered(client, claim.instance)
      ) {
        this.#replace(connection, claim);
      } else {
        const answers = await connection.probe();
        if (connection.open) {
          return { refusal: Refusal.Taken, message: this.#inUse(connection.session, answers) };
        }
      }
    }
  }

  /** See {@linkcode Connections.stands}. Probes the connection, so that a broken one is noticed. */
  async stands(id: string, instance: Uint8Array): Promise<boolean> {
    const connection = this.#peers.get(id)?.connection;
    if (!connection || !sameInstance(connection.session.instance, instance)) return false;
    await connection.probe();
    return connection.open;
  }

  #replace(connection: Connection, { instance, from }: { instance: Bytes; from: Address }): void {
    const { peer, instance: old, address } = connection.session;
    connection.close("another instance replaced it");
    if (!this.#parts.receiver.lines.allows(peer, "replacements")) return;
    logger.warn("{peer}: instance {new} at {from} replaces {old} at {address}", {
      peer,
      new: shortInstance(instance),
      from: formatAddressUrl(from),
      old: shortInstance(old),
      address: formatAddressUrl(address),
    });
  }

  #inUse({ peer, instance }: Session, answers: boolean): string {
    const who = `another instance of ${peer}, ${
      shortInstance(instance)
    }, is connected with ${this.#self.id}`;
    return answers
      ? who
      : `${who} and does not answer now: ${whenSilent(this.#parts.heartbeat.timeout)}`;
  }

  #use(stream: Accepted["stream"], authenticated: Authenticated, address: Address): void {
    if (this.#closed) {
      closeStream(stream);
      throw new DisconnectedError(`${this.#self.id} is stopping`, { code: "SERVER_STOPPING" });
    }
    const peer = this.#peer(authenticated.peer);
    const { receiver, heartbeat, onClosed } = this.#parts;
    const connection = new Connection(stream, authenticated, {
      address,
      peer,
      heartbeat,
      receiver,
      onClosed: (connection, why) => {
        this.#endedTraffic = addTraffic([this.#endedTraffic, connection.info]);
        if (peer.connection === connection) this.#lose(peer, why);
        onClosed(connection.session);
      },
    });
    peer.connect(connection);
    this.#absences.reached(peer.id);
    logger.debug("connected with {peer} at {address}", {
      peer: peer.id,
      address: formatAddressUrl(address),
    });
  }

  #lose(peer: Peer, why: string, { cause }: { cause?: unknown } = {}): void {
    peer.lastFailure = why;
    const message = peer.connection
      ? `the connection to ${peer.id} was lost: ${why}`
      : `cannot reach ${peer.id}: ${why}`;
    logger.debug("{message}", { message });
    // Asks fail with the error. Other messages are only counted in the log.
    const dropped = peer.unasked;
    if (!this.#closed) {
      if (!peer.connection) this.#absences.failed(peer.id, message);
      else if (dropped > 0) this.#absences.lost(peer.id, message);
      this.#absences.drop(peer.id, dropped);
    }
    const wasConnected = peer.connection !== undefined;
    const silence = peer.connection
      ? peer.connection.isSilent ? this.silence(peer.id) : undefined
      : peer.silence;
    peer.disconnect();
    this.#forgetIdle(peer);
    // The advice is to start a registry. One that answers, even with a refusal, is running.
    const isAway = peer.id === REGISTRY_ID && !cause && !silence;
    const error = new DisconnectedError(
      isAway ? `${message}; ${this.#parts.book.registryAdvice}` : message,
      { cause, code: isAway ? "NO_REGISTRY" : codeOf(cause) },
    );
    error.silence = silence;
    error.wasConnected = wasConnected;
    this.#parts.receiver.disconnected(peer.id, error);
  }

  #forgetIdle(peer: Peer): void {
    if (peer.idle && this.#peers.get(peer.id) === peer) this.#peers.delete(peer.id);
  }
}

function isSamePlace(one: Located, other: Located): boolean {
  const urls = ({ addresses }: Located) => addresses.map(formatAddressUrl).join(" ");
  return sameInstance(one.instance, other.instance) && urls(one) === urls(other);
}

/** The place of a server that is reached through a supervisor, for errors. */
function socketThrough(supervisor: string): string {
  return `its socket through ${supervisor}`;
}

/** The error code for an unreachable server. */
function codeOf(cause: unknown): ErrorCode {
  const isTold = cause instanceof UnknownServerError ||
    cause instanceof EnsembleError && cause.code === "ID_TAKEN";
  return isTold ? cause.code : "DISCONNECTED";
}

/** The step that a dialed server did not answer; undefined if it was not silent. */
function unansweredStage(error: unknown): Silence["stage"] | undefined {
  if (error instanceof UnreachableError) return error.why === "full" ? "connect" : undefined;
  return (error as Error).cause instanceof SlowHandshakeError ? "handshake" : undefined;
}

/** Whether a handshake failed because the two did not authenticate each other. */
function isRefusal(error: unknown): boolean {
  const { cause } = error as Error;
  return cause instanceof AuthenticationError ||
    cause instanceof RefusedError && cause.refusal === Refusal.Failed;
}
