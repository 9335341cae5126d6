/**
 * The actors of one server, and the routing of messages to them.
 *
 * @module
 */
import { coarseNow } from "../clock.ts";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { describeValue } from "../inspection.ts";
import { ActorError, DisconnectedError, EnsembleError, InvalidInputError } from "../errors.ts";
import { LineLimit } from "../line_limit.ts";
import { asError, describeThrown } from "../error_report.ts";
import { Actor } from "./actor.ts";
import { endMeasuring, makeSpans, measureActor } from "./actor_observation.ts";
import {
  type Answer,
  answersAsk,
  answerTo,
  type AskOptions,
  copyForMember,
  DEFAULT_ASK_TIMEOUT,
  type Destination,
  Envelope,
  type Guard,
  messageType,
  type Messaging,
  type Receiver,
  type Route,
  type TellOptions,
  toFailure,
} from "./messaging.ts";
import { ActorGroup } from "./introspection.ts";
import { checkMailboxOptions, type MailboxOptions } from "./mailbox.ts";
import { groupOf, Memberships } from "./memberships.ts";
import { type Down, type DownNews, Monitors } from "./monitors.ts";
import { PendingAsks } from "./asks.ts";
import { NumberTable } from "./number_table.ts";
import {
  type ActorId,
  ActorRef,
  checkActorName,
  parseActorId,
  SERVER_ACTOR,
} from "./references.ts";
import type { MessageSpans } from "./message_spans.ts";
import type { ActorBody, SpawnOptions } from "./spawn_options.ts";
import { endActors } from "./stopping.ts";
import type { Keeper } from "./supervised_children.ts";
import { HandlerVersions } from "./handler_versions.ts";
import { type Handlers, type HandlersOf, type ServeOptions, ServiceProgram } from "./service.ts";

const logger = getLogger(["gxensemble", "actor"]);

/** The number of destination texts whose references are cached. */
const MAX_PARSED = 1024;

/** The number of actors without a name in a second whose origin is recorded. */
const ORIGINS_PER_SECOND = 1_000;

/** A service with requests. */
export interface BusyService {
  /** Its name or serial number. */
  readonly actor: string;
  /** The number of requests that it has begun and not answered. */
  readonly begun: number;
  /** The number of messages in its mailbox. */
  readonly waiting: number;
}

/** The actors of one server. */
export class ActorSystem implements Messaging, Receiver {
  /** The server's id, which its actors' references contain. */
  readonly id: string;
  /** The root group, which contains all others. */
  readonly root: ActorGroup = new ActorGroup(1, "root");
  /** The reference of the server itself, the sender of messages that no actor sent. */
  readonly ref: ActorRef;
  /** Limits the log lines that other servers cause. */
  readonly lines: LineLimit = new LineLimit();
  /** The handlers that have been exchanged. */
  readonly handlerVersions: HandlerVersions = new HandlerVersions();
  /** The groups that its actors have joined. */
  readonly groups: Memberships = new Memberships();
  /**
   * The route to other servers. Without one, they are unreachable.
   *
   * @internal
   */
  route: Route | undefined;
  /**
   * Decides what other servers may do here. Without one, they may do everything.
   *
   * @internal
   */
  guard: Guard | undefined;
  /**
   * Makes spans of messages; see {@linkcode ActorSystem.makeSpans}.
   *
   * @internal
   */
  spans: MessageSpans | undefined;
  /**
   * Actors that are parts of the server. Other servers cannot end them, except with the server.
   *
   * @internal
   */
  essential: Set<Actor> = new Set<Actor>();
  /**
   * How long a service that is shut down may take to finish its requests, in ms.
   *
   * @internal
   */
  grace: number = Infinity;
  /**
   * The error for requests that arrive too late; undefined before the server begins to stop.
   *
   * @internal
   */
  stopping: EnsembleError | undefined;
  /**
   * When the actors of a stopping server are ended, by `performance.now()`.
   *
   * @internal
   */
  stopsAt: number = Infinity;
  /**
   * Whether members of groups get no requests that are for any of them.
   *
   * @internal
   */
  isDraining = false;
  /**
   * The number of messages that actors have taken out of their mailboxes.
   *
   * @internal
   */
  handled = 0;
  /**
   * The number of times that supervisors have started actors again.
   *
   * @internal
   */
  restarts = 0;
  /** Whether the time of all actors in handlers is measured. */
  #measuresHandlers = false;
  #isClosed = false;
  /** The actors that a stop keeps. */
  #kept: ReadonlySet<Actor> = new Set();
  readonly #bySerial = new NumberTable<Actor>();
  readonly #byName = new Map<string, Actor>();
  /** Cached references of destination texts. */
  readonly #parsed = new Map<string, ActorRef>();
  readonly #asks: PendingAsks;
  readonly #askTimeout: number;
  readonly #mailbox: MailboxOptions | undefined;
  readonly #monitors: Monitors;
  #lastSerial = 1;
  /** The number of recorded origins of actors without a name, and the start of the second, by `Date.now()`. */
  #origins = 0;
  #originsSince = 0;
  #nextNonce = 2;

  /**
   * Makes a system without actors.
   *
   * @param options.askTimeout default timeout of `ask`, in ms.
   * @param options.mailbox the bound of mailboxes without their own.
   */
  constructor(
    id: string,
    { askTimeout = DEFAULT_ASK_TIMEOUT, mailbox }: {
      askTimeout?: number | undefined;
      mailbox?: MailboxOptions | undefined;
    } = {},
  ) {
    this.id = id;
    this.#mailbox = mailbox && checkMailboxOptions(mailbox);
    this.#askTimeout = askTimeout;
    this.#asks = new PendingAsks((server) => this.route?.silence(server));
    this.ref = new ActorRef(id, SERVER_ACTOR);
    this.#monitors = new Monitors((dest, message) => this.#tellDown(dest, message));
  }

  /**
   * Starts an actor. Without a name, it can be reached only by its reference.
   *
   * @throws {EnsembleError} if there is an actor with that name.
   */
  spawn(
    name: string | undefined,
    body: ActorBody,
    options: SpawnOptions & { group?: ActorGroup; keeper?: Keeper | undefined } = {},
  ): Actor {
    const bound = options.mailbox ?? this.#mailbox;
    const mailbox = bound && checkMailboxOptions(bound);
    if (name !== undefined) checkActorName(name);
    if (typeof body !== "function") {
      throw new InvalidInputError(`not the body of an actor: ${describeValue(body)}`);
    }
    if (this.#isClosed) {
      throw new EnsembleError(
        `cannot start ${name === undefined ? "an actor" : `actor ${name}`}: ${this.id} has stopped`,
        { code: "SERVER_STOPPING" },
      );
    }
    if (name !== undefined && this.#byName.has(name)) {
      throw new EnsembleError(
        `cannot start actor ${name}: one of that name is running in ${this.id}`,
        { code: "ACTOR_EXISTS" },
      );
    }
    const { state, keeper, group = this.root } = options;
    const serial = ++this.#lastSerial;
    const origin = this.#takeOrigin(name);
    return this.#add(
      new Actor(this, { serial, name, group, body, origin, mailbox, state, keeper }),
    );
  }

  /**
   * Starts a supervised actor again: with its serial number, its name, its state and the messages
   * that wait for it.
   *
   * @throws {EnsembleError} if the server has stopped.
   * @internal
   */
  respawn(ended: Actor, body: ActorBody, bound: MailboxOptions | undefined): Actor {
    const mailbox = bound ?? this.#mailbox;
    if (this.#isClosed) throw this.#stopped();
    const { serial, name, group, origin, state, keeper } = ended;
    const actor = new Actor(this, { serial, name, group, body, origin, mailbox, state, keeper });
    if (this.essential.delete(ended)) this.essential.add(actor);
    this.groups.restarted(ended, actor);
    this.#forget(ended);
    this.#add(actor);
    for (const envelope of ended.takeWaiting()) actor.deliver(envelope);
    return actor;
  }

  /**
   * Gives up an ended actor that was to be started again: its name is free, and what waited for it
   * fails.
   *
   * @internal
   */
  release(ended: Actor, reason: string | undefined): void {
    if (this.#bySerial.get(ended.serial) !== ended) return;
    this.#forget(ended);
    ended.failWaiting();
    this.#monitors.ended(ended.serial, reason);
  }

  #add(actor: Actor): Actor {
    this.#bySerial.add(actor.serial, actor);
    if (actor.name !== undefined) this.#byName.set(actor.name, actor);
    actor.group.add(actor);
    if (this.#measuresHandlers) measureActor(actor);
    if (this.spans) makeSpans(actor, this.spans);
    void actor.ended.then((error) => this.#onEnded(actor, error));
    return actor;
  }

  #forget(actor: Actor): void {
    this.#bySerial.delete(actor.serial);
    if (actor.name !== undefined) this.#byName.delete(actor.name);
    actor.group.remove(actor);
    this.groups.ended(actor);
  }

  /**
   * Records where an actor is started. That takes longer than everything else in starting one, so of
   * actors without a name only the first {@linkcode ORIGINS_PER_SECOND} are recorded.
   */
  #takeOrigin(name: string | undefined): Error | undefined {
    if (name === undefined) {
      const now = Date.now();
      if (now - this.#originsSince >= 1000) {
        this.#originsSince = now;
        this.#origins = 0;
      }
      if (++this.#origins > ORIGINS_PER_SECOND) return undefined;
    }
    return new Error();
  }

  /** Starts an actor in a new group, to which the actors that it starts also belong. */
  spawnGroup(name: string, body: ActorBody, parent: ActorGroup = this.root): Actor {
    return this.spawn(undefined, body, {
      group: new ActorGroup(++this.#lastSerial, name, parent),
    });
  }

  /**
   * Starts a service: an actor that answers requests with an object of handlers; see {@linkcode
   * ServiceProgram}.
   */
  serve<Service = unknown, Given extends Handlers = HandlersOf<Service>>(
    name: string,
    handlers: Given,
    options: ServeOptions = {},
  ): Actor<unknown extends Service ? Given : Service> {
    const { mailbox, state } = options;
    const service = new ServiceProgram(handlers, options);
    const actor = this.spawn(name, service.body, { mailbox, state });
    actor.service = service;
    return actor;
  }

  /** Finds a living actor by name or serial number. */
  find(id: ActorId): Actor | undefined {
    return typeof id === "string" ? this.#byName.get(id) : this.#bySerial.get(id);
  }

  /**
   * Begins or ends to measure the time of all actors in handlers:
   * `actor.observation.handlerTime`.
   */
  measureHandlers(isOn: boolean): void {
    if (this.#measuresHandlers === isOn) return;
    this.#measuresHandlers = isOn;
    for (const actor of this.actors()) {
      if (isOn) measureActor(actor);
      else endMeasuring(actor);
    }
  }

  /** The number of its requests that wait for an answer. */
  get pendingAsks(): number {
    return this.#asks.size;
  }

  /** The number of living actors. */
  get count(): number {
    return this.#bySerial.size;
  }

  /** Has spans be made of all messages from now on; undefined ends that. */
  makeSpans(spans: MessageSpans | undefined): void {
    this.spans = spans;
    for (const actor of this.actors()) makeSpans(actor, spans);
  }

  /** All living actors, in the order they started. */
  actors(): Actor[] {
    return this.#bySerial.values();
  }

  /** See {@linkcode Messaging.tell}. */
  tell(
    dest: Destination,
    message: unknown,
    options: TellOptions = NO_OPTIONS,
    source: ActorRef = this.ref,
  ): number | undefined {
    const nonce = this.#takeNonce() + 1;
    const { replyTo, timeout, replyExpected = false } = options;
    const target = this.#resolve(dest);
    const envelope = new Envelope(
      message,
      target instanceof ActorRef ? target.actor : target,
      source,
      nonce,
      replyTo,
      timeout,
      replyExpected,
      false,
    );
    if (this.spans !== undefined) this.#told(envelope, target);
    return this.#post(target, envelope) ? nonce : undefined;
  }

  /** See {@linkcode Messaging.ask}. */
  ask<Reply = unknown>(
    dest: Destination,
    message: unknown,
    options: AskOptions = NO_OPTIONS,
    source: ActorRef = this.ref,
  ): Promise<Reply> {
    // An async function would allocate another promise for each message.
    try {
      return this.#ask(dest, message, options, source) as Promise<Reply>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #ask(
    dest: Destination,
    message: unknown,
    { timeout = this.#askTimeout, signal }: AskOptions,
    source: ActorRef,
  ): Promise<unknown> {
    signal?.throwIfAborted();
    if (typeof timeout !== "number" || !(timeout >= 0)) {
      throw new InvalidInputError(`not a timeout in ms: ${describeValue(timeout)}`);
    }
    const nonce = this.#takeNonce();
    const ref = this.refOf(dest);
    const now = coarseNow();
    const envelope = new Envelope(
      message,
      ref.actor,
      source,
      nonce,
      undefined,
      timeout === Infinity ? undefined : timeout,
      true,
      false,
    );
    if (timeout !== Infinity) envelope.expires = now + timeout;
    const type = typeOf(message);
    const span = this.spans?.asked(envelope, this.#named(ref));
    const answer = this.#asks.wait(nonce, { dest: ref, type, timeout, now, signal, span });
    try {
      if (!this.#post(ref, envelope)) {
        this.#asks.reject(
          nonce,
          ref.server === this.id
            ? this.#absent(ref)
            : this.#isClosed
            ? this.#stopped()
            : new DisconnectedError(`${ref.server} cannot be reached`),
        );
      }
    } catch (error) {
      this.#asks.reject(nonce, error);
    }
    return answer;
  }

  /** Whether the sender of an envelope has a capability. */
  authorizes(envelope: Envelope, capability: string): boolean {
    return this.guard?.allows(envelope, capability) ?? true;
  }

  /** Sends the answer to an envelope from one of the actors here. */
  answer(envelope: Envelope, source: ActorRef, value: unknown, failed: boolean): void {
    const dest = envelope.source;
    this.spans?.answered(envelope, value, failed);
    // The ask has failed already, with the connection. A console that followed is often gone, and
    // that is no reason to look for it, and to warn that it is not found.
    if (envelope.session?.ended && answersAsk(envelope.nonce)) return;
    try {
      this.#post(dest, answerTo(envelope, source, this.#takeNonce() + 1, value, failed));
    } catch (error) {
      // The answer cannot be sent, so the asker gets an error at once, and does not wait in vain.
      const verb = failed ? "failed" : "answered";
      const message = `${source} ${verb}: ${describeThrown(error)}`;
      const refusal = toFailure(new EnsembleError(message, { code: "PROTOCOL_ERROR" }));
      this.#post(dest, answerTo(envelope, source, this.#takeNonce() + 1, refusal, true));
    }
  }

  /** See {@linkcode Receiver.settle}. */
  settle(answer: Answer, server: string): void {
    this.#asks.settle(answer, server);
  }

  /** See {@linkcode Receiver.expects}. */
  expects({ dest }: Pick<Envelope, "dest">): boolean {
    if (this.find(dest) !== undefined) return true;
    const group = groupOf(dest);
    return group !== undefined && this.groups.count(group) > 0;
  }

  /**
   * See {@linkcode Receiver.deliver}. Shutting an actor down requires a capability, however the
   * actor handles the message.
   */
  deliver(envelope: Envelope): void {
    if (this.stopping && this.#comesTooLate(envelope)) {
      const actor = ActorRef.unchecked(this.id, envelope.dest);
      return this.answer(envelope, actor, toFailure(this.stopping), true);
    }
    // An answer to an ask has no receiving actor.
    if (messageType(envelope.message) === "shutdown" && !answersAsk(envelope.replyTo)) {
      try {
        this.#requireShutdown(envelope);
      } catch (error) {
        const actor = ActorRef.unchecked(this.id, envelope.dest);
        if (envelope.replyExpected) this.answer(envelope, actor, toFailure(error), true);
        return;
      }
    }
    if (this.#deliver(envelope)) return;
    if (envelope.replyExpected) {
      const actor = ActorRef.unchecked(this.id, envelope.dest);
      this.answer(envelope, actor, toFailure(this.#absent(actor)), true);
    } else {
      logger.debug("message from {source} for unknown actor {dest} dropped", {
        source: `${envelope.source}`,
        dest: envelope.dest,
      });
    }
  }

  /** See {@linkcode Receiver.disconnected}. */
  disconnected(server: string, error: DisconnectedError): void {
    this.#asks.rejectAll(error, server);
    this.#monitors.disconnected(server, error.message);
  }

  /** Starts a monitor for one of the actors here; see `Actor.monitor`. */
  monitor(watcher: Actor, dest: Destination): number {
    const watched = this.refOf(dest);
    const monitor = this.#takeNonce();
    if (watcher.activity === "dead") return monitor;
    watcher.monitors.add(monitor);
    const watch = { monitor, watcher: watcher.ref, watched };
    if (watched.server === this.id) {
      this.watch(watch);
      return monitor;
    }
    this.#monitors.watchRemote(watch);
    const control = new ActorRef(watched.server, SERVER_ACTOR);
    this.ask(control, { type: "monitor", monitor, actor: watched.actor }).catch((error) => {
      this.#monitors.arrived({ monitor, server: watched.server, reason: describeThrown(error) });
    });
    return monitor;
  }

  /**
   * Watches an actor here for a watcher on any server, which is notified at once if there is no
   * such actor.
   */
  watch(watch: { monitor: number; watcher: ActorRef; watched: ActorRef }): void {
    const actor = this.find(watch.watched.actor);
    if (actor) this.#monitors.watch(actor.serial, watch);
    else this.#monitors.absent(watch, watch.watched.actor);
  }

  /**
   * Delivers the end of a watched actor of another server.
   *
   * @internal
   */
  down(news: DownNews): void {
    this.#monitors.arrived(news);
  }

  /** Ends a monitor of one of the actors here. */
  demonitor(monitor: number): void {
    const watched = this.#monitors.unwatch(monitor, this.id);
    if (watched) {
      this.tell(new ActorRef(watched.server, SERVER_ACTOR), { type: "demonitor", monitor });
    }
  }

  /** Ends the watch that another server keeps here. */
  unwatch(monitor: number, server: string): void {
    this.#monitors.unwatch(monitor, server);
  }

  /**
   * Ends all actors except the kept ones, within `grace` ms. First, services finish the requests
   * that they have begun, while requests from other servers are refused. Requests between actors of
   * this server are still answered, since handlers may need them. Then each actor is sent a
   * shutdown, and the rest is ended.
   */
  stopActors(grace: number, keep: ReadonlySet<Actor>): Promise<void> {
    this.#kept = keep;
    this.stopsAt = performance.now() + grace;
    this.stopping = new EnsembleError(`${this.id} is stopping`, { code: "SERVER_STOPPING" });
    return endActors(this, { reason: this.stopping, grace, keep });
  }

  /** The services that have unfinished or waiting requests, in the order in which they started. */
  busyServices(): BusyService[] {
    return this.actors().flatMap((actor) => {
      const { requests, mailboxLength: waiting, drains, name, serial } = actor;
      if (!drains || !requests.hasAny && waiting === 0) return [];
      return [{ actor: `${name ?? serial}`, begun: requests.hasAny ? requests.size : 0, waiting }];
    });
  }

  /**
   * Ends an actor at once, without a shutdown message: its name is free, its mailbox is dropped,
   * its askers fail, its receives reject and its signal is aborted. Code of it that waits for
   * anything else continues, since nothing can stop that. Returns whether there was such an actor.
   *
   * @param reason the reason for monitors and askers.
   */
  kill(id: ActorId, reason = "killed"): boolean {
    const actor = this.find(id);
    if (!actor || actor.activity === "dead") return false;
    actor.exit(reason);
    if (reason === "killed") logger.warn("{actor} is killed", { actor: `${actor.ref}` });
    else logger.warn("{actor} is ended: {reason}", { actor: `${actor.ref}`, reason });
    this.#remove(actor, reason);
    return true;
  }

  /**
   * Ends an actor at once, as its supervisor does, which logs why if that is news.
   *
   * @internal
   */
  endAtOnce(actor: Actor, reason: string): void {
    if (actor.activity === "dead") return;
    actor.exit(reason);
    this.#remove(actor, reason);
  }

  /** Fails everything that waits: the last step of stopping a server. */
  close(): void {
    this.#isClosed = true;
    this.lines.close();
    this.#asks.rejectAll(this.#stopped());
    for (const actor of this.actors()) this.endAtOnce(actor, "the server has stopped");
  }

  /** The error of what waits for others when this server stops. */
  #stopped(): DisconnectedError {
    return new DisconnectedError(`${this.id} is stopping`, { code: "SERVER_STOPPING" });
  }

  /** Whether an envelope is a request from another server while this one is stopping. */
  #comesTooLate({ message, replyExpected, replyTo, dest }: Envelope): boolean {
    if (!replyExpected || answersAsk(replyTo)) return false;
    const type = messageType(message);
    if (type === "ping" || type === "shutdown") return false;
    const actor = this.find(dest);
    return actor === undefined || !this.#kept.has(actor);
  }

  /** The failure of a request to an actor that does not exist, or no longer does. */
  #absent(ref: ActorRef): ActorError {
    if (!this.stopping) {
      const group = groupOf(ref.actor);
      return group === undefined ? unknownActor(ref) : this.#noMember(group, ref.server);
    }
    const { message, code } = this.stopping;
    return new ActorError(message, { code });
  }

  /** The failure of a request to a group of which no member takes it. */
  #noMember(group: string, server: string): ActorError {
    const why = this.isDraining ? "is draining, and takes no request to" : "has no member of";
    return new ActorError(`${server} ${why} ${group}`, { code: "NO_MEMBER" });
  }

  /** Checks that the sender of a `shutdown` may end its destination. */
  #requireShutdown(envelope: Envelope): void {
    const work = () => {
      const actor = this.find(envelope.dest);
      if (actor && this.essential.has(actor)) throw endsWithServer(actor);
    };
    const details = { actor: envelope.dest };
    if (!this.guard) return work();
    this.guard.attempt(envelope, { capability: "shutdown", what: "shutdown", details, work });
  }

  #deliver(envelope: Envelope): boolean {
    if (answersAsk(envelope.replyTo)) {
      this.#asks.settle(envelope, envelope.source.server);
      return true;
    }
    const actor = this.find(envelope.dest);
    if (actor) {
      actor.deliver(envelope);
      return true;
    }
    const group = groupOf(envelope.dest);
    return group !== undefined && this.#deliverToGroup(group, envelope);
  }

  /** Delivers a request to one member of a group, and any other message to all of them. */
  #deliverToGroup(group: string, envelope: Envelope): boolean {
    if (envelope.replyExpected) {
      // The sender does not know yet that it is draining, and asks another server.
      const actor = this.isDraining ? undefined : this.groups.next(group);
      actor?.deliver(copyForMember(actor, envelope));
      return actor !== undefined;
    }
    const members = this.groups.members(group);
    for (const actor of members) actor.deliver(copyForMember(actor, envelope));
    return members.length > 0;
  }

  #post(target: ActorRef | ActorId, envelope: Envelope): boolean {
    if (target instanceof ActorRef && target.server !== this.id) {
      return this.route?.send(target.server, envelope) ?? false;
    }
    return this.#deliver(envelope);
  }

  /**
   * Converts a destination to a reference.
   *
   * @throws {InvalidInputError} if it is not a destination.
   * @internal
   */
  refOf(dest: Destination): ActorRef {
    const target = this.#resolve(dest);
    return target instanceof ActorRef ? target : new ActorRef(this.id, target);
  }

  /** The reference of a destination; a name or serial number refers to an actor of this server. */
  #resolve(dest: Destination): ActorRef | ActorId {
    if (dest instanceof ActorRef || typeof dest === "number") return dest;
    if (typeof dest !== "string") return ownRef(dest);
    if (this.#byName.has(dest)) return dest;
    const known = this.#parsed.get(dest);
    if (known) return known;
    if (!dest.includes("@")) return parseActorId(dest);
    const ref = ActorRef.parse(dest);
    if (this.#parsed.size === MAX_PARSED) this.#parsed.clear();
    this.#parsed.set(dest, ref);
    return ref;
  }

  #told(envelope: Envelope, target: ActorRef | ActorId): void {
    this.spans!.told(envelope, this.#named(target));
  }

  /** The reference of a destination, by its name if it is an actor of this server that has one. */
  #named(target: ActorRef | ActorId): ActorRef {
    const ref = target instanceof ActorRef ? target : new ActorRef(this.id, target);
    return ref.server === this.id ? this.find(ref.actor)?.ref ?? ref : ref;
  }

  #takeNonce(): number {
    return this.#nextNonce += 2;
  }

  #tellDown(dest: ActorRef, message: Down): void {
    if (dest.server === this.id) this.find(dest.actor)?.monitors.delete(message.monitor);
    // It comes from the actor that ended, so that it stays behind what that actor has sent.
    const source = message.ref.server === this.id ? message.ref : this.ref;
    try {
      this.tell(dest, message, NO_OPTIONS, source);
    } catch (error) {
      if (!this.lines.allows(dest.server, "news of an end that cannot be sent")) return;
      logger.warn("cannot tell {dest} that {ref} ended: {reason}", {
        dest: `${dest}`,
        ref: `${message.ref}`,
        reason: describeThrown(error),
      });
    }
  }

  #onEnded(actor: Actor, error: unknown): void {
    // A killed actor was removed before.
    if (actor.activity === "dead") return;
    const reason = error === undefined ? undefined : describeThrown(error);
    if (error !== undefined) {
      logger.error("{actor} failed: {reason}", {
        actor: `${actor.ref}`,
        reason,
        // The stack of a supervisor that gives up says nothing about its children.
        ...asError(error) && !actor.children?.hasGivenUp && { error },
      });
    }
    this.#remove(actor, reason);
  }

  #remove(actor: Actor, reason: string | undefined): void {
    actor.children?.killAll();
    const next = actor.keeper?.ended(actor, reason);
    if (!next) this.#forget(actor);
    actor.cleanUp(reason, next);
    this.#monitors.ended(actor.serial, reason);
  }
}

const NO_OPTIONS: AskOptions & TellOptions = {};

/** The error for ending an actor that is a part of its server. */
export function endsWithServer({ ref }: Actor): EnsembleError {
  return new EnsembleError(
    `${ref} is a part of the server: shut the server down with: gxensemble shutdown ${ref.server}`,
    { code: "PART_OF_SERVER" },
  );
}

/** The error for an actor that does not exist. */
export function unknownActor(ref: ActorRef): ActorError {
  return new ActorError(`unknown actor: ${ref}`, { code: "UNKNOWN_ACTOR" });
}

/** The type of a request; undefined if reading it throws. */
function typeOf(message: unknown): string | undefined {
  try {
    return messageType(message);
  } catch {
    return undefined;
  }
}

function ownRef(actor: { readonly ref: ActorRef } | null): ActorRef {
  if (actor?.ref instanceof ActorRef) return actor.ref;
  throw new InvalidInputError(`not an actor, nor the name of one: ${describeValue(actor)}`);
}
