/**
 * Actors: a body of code with its own mailbox.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { EnsembleError, InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import type { LineLimit } from "../line_limit.ts";
import type { ActorSystem } from "./actor_system.ts";
import type { ActorObservation } from "./actor_observation.ts";
import { ActorExit, failureOf } from "./cases.ts";
import {
  type AskOptions,
  type Destination,
  type Envelope,
  type Failure,
  isPromise,
  messageType,
  type TellOptions,
  toFailure,
} from "./messaging.ts";
import type { ActorGroup } from "./introspection.ts";
import { Ticker } from "./time.ts";
import { within } from "../timeout.ts";
import type { HandlerVersions } from "./handler_versions.ts";
import { type Case, Mailbox, type MailboxOptions, type Taken } from "./mailbox.ts";
import { findCase } from "./message_queue.ts";
import { ActorRef } from "./references.ts";
import type { ActorBody, SpawnOptions } from "./spawn_options.ts";
import type { ServiceProgram } from "./service.ts";
import type { Keeper, SupervisedChildren } from "./supervised_children.ts";
import { UnfinishedRequests } from "./unfinished_requests.ts";
import { StackProbe, WaitingReceive, type WakeUp } from "./waiting_receive.ts";

const logger = getLogger(["gxensemble", "actor"]);

/** The number of messages an actor takes from its backlog between checks of the clock. */
const CLOCK_INTERVAL = 32;

/**
 * How long an actor may take messages from its backlog before it yields to the event loop, in ms.
 */
const TIME_SLICE = 25;

/** The real clock, since a test may replace it. */
const { setTimeout: setRealTimeout } = globalThis;

/** What an actor does. */
export type ActorState = "running" | "receiving" | "dead";

/**
 * An async function with a mailbox, started by `spawn`. It handles one message after the other, and
 * can be reached only by messages. `Service` is the interface of the service that it provides, if
 * any.
 *
 * The actor itself receives, monitors and sets timers. Other code sends messages to it, and waits
 * for its end.
 *
 * @example Count messages, and print the count each second
 * ```ts
 * import { type Actor, currentServer, on, onShutdown } from "@gxensemble/ensemble";
 *
 * async function counter(self: Actor) {
 *   let count = 0;
 *   self.ticker(1_000);
 *   await self.loop([
 *     on("add", () => void count++),
 *     on("tick", () => console.log(count)),
 *     onShutdown(),
 *   ]);
 * }
 *
 * const actor = currentServer().spawn("counter", counter);
 * actor.ended.then((reason) => console.log("ended", reason));
 * ```
 */
// deno-lint-ignore no-explicit-any -- not declared: goes for any service
export class Actor<Service = any> {
  /** Its serial number, unique while the server runs. */
  readonly serial: number;
  /** Its name, if it has one. */
  readonly name: string | undefined;
  /** Its reference, which is valid on every server of the ensemble. It can be sent in messages. */
  readonly ref: ActorRef<Service>;
  /**
   * Its group.
   *
   * @internal
   */
  readonly group: ActorGroup;
  /**
   * Whether it finishes the requests that it has begun before it shuts down. Set by a service.
   *
   * @internal
   */
  drains = false;
  /**
   * Its monitors of actors that have not ended. The system keeps them, and ends them with the
   * actor.
   *
   * @internal
   */
  readonly monitors: Set<number> = new Set<number>();
  /**
   * The requests that it has taken and not finished.
   *
   * @internal
   */
  readonly requests: UnfinishedRequests = new UnfinishedRequests();
  /**
   * What is observed of it, while an operator looks at it.
   *
   * @internal
   */
  observation: ActorObservation | undefined = undefined;
  /**
   * The program of a service, whose handlers can be exchanged.
   *
   * @internal
   */
  service: ServiceProgram | undefined;
  /**
   * What decides whether it is started again after its end: its supervisor, if it has one.
   *
   * @internal
   */
  readonly keeper: Keeper | undefined;
  /**
   * The children of a supervisor.
   *
   * @internal
   */
  children: SupervisedChildren | undefined;
  /**
   * An error created where the actor was started, for its stack; see `ActorSystem.spawn`.
   *
   * @internal
   */
  readonly origin: Error | undefined;
  /**
   * A value of the actor's own. The `upgrade` of a newer version of its code gets it. It begins as
   * the option `state`.
   */
  // deno-lint-ignore no-explicit-any -- each actor knows the type of its state
  state: any;
  /** The time when it started, in ms since 1970. */
  readonly startedAt: number = Date.now();
  /**
   * Resolves when it has ended: with undefined if it ended normally, with the thrown value if its
   * body threw, and with an {@linkcode ActorExit} if it was killed.
   */
  readonly ended: Promise<unknown>;

  readonly #system: ActorSystem;
  readonly #mailbox: Mailbox;
  readonly #bound: MailboxOptions | undefined;
  #tickers: Set<Ticker> | undefined;
  readonly #end = Promise.withResolvers<unknown>();
  #waiting: WaitingReceive | undefined;
  #exit: ActorExit | undefined;
  #abort: AbortController | undefined;
  /** Whether it is shut down in order to be started again, with the messages that wait. */
  #isRestarted = false;
  /**
   * What happens to the messages that wait, if it has ended and is expected to be started again.
   */
  #next: "keep" | "drop" | undefined;
  /** The error for messages that arrive while it shuts down. */
  #refusal: Failure | undefined;
  #dead = false;
  /** Why it ended, if it failed or was killed. */
  #reason: string | undefined;
  /** The error for asks that are unanswered when the actor ends. */
  #ended: Failure | undefined;
  #handled = 0;
  /** The number of messages it may take before it checks the clock. */
  #untilClock = CLOCK_INTERVAL;
  /**
   * The start of its current run without waiting, as of its first check of the clock:
   * `performance.now()`.
   */
  #busySince: number | undefined;

  /**
   * Called by `spawn`. The body starts in a later turn.
   *
   * @internal
   */
  constructor(
    system: ActorSystem,
    options: {
      serial: number;
      name: string | undefined;
      group: ActorGroup;
      body: ActorBody;
      origin: Error | undefined;
      mailbox?: MailboxOptions | undefined;
      state?: unknown;
      keeper?: Keeper | undefined;
    },
  ) {
    this.origin = options.origin;
    this.keeper = options.keeper;
    this.state = options.state;
    this.#bound = options.mailbox;
    this.#mailbox = new Mailbox(
      (length) =>
        logger.warn("{actor} does not keep up: {length} messages wait in its mailbox", {
          actor: `${this.ref}`,
          length,
        }),
      this.#bound,
    );
    this.#system = system;
    this.serial = options.serial;
    this.name = options.name;
    this.group = options.group;
    this.ref = new ActorRef(system.id, options.name ?? options.serial);
    // The body starts in a later turn, when the actor can be found by its name.
    Promise.resolve(this).then(options.body).then(
      () => this.#end.resolve(undefined),
      (thrown) => this.#end.resolve(failureOf(thrown)),
    );
    this.ended = this.#end.promise;
  }

  /**
   * Running its own code, waiting in a receive, or ended.
   *
   * @internal
   */
  get activity(): ActorState {
    return this.#dead ? "dead" : this.#waiting ? "receiving" : "running";
  }

  /**
   * Limits the log lines that other servers cause.
   *
   * @internal
   */
  get lines(): LineLimit {
    return this.#system.lines;
  }

  /**
   * The handlers that have been exchanged in its server.
   *
   * @internal
   */
  get handlerVersions(): HandlerVersions {
    return this.#system.handlerVersions;
  }

  /**
   * Whether it has ended, and is expected to be started again.
   *
   * @internal
   */
  get isResting(): boolean {
    return this.#next !== undefined;
  }

  /** The number of messages waiting in its mailbox. */
  get mailboxLength(): number {
    return this.#mailbox.length;
  }

  /** The number of messages it has taken out of its mailbox. */
  get handled(): number {
    return this.#handled;
  }

  /**
   * How much it has to do: the messages that wait, and the requests that it has not answered.
   * `Infinity` while it waits for its restart.
   *
   * @internal
   */
  get load(): number {
    if (this.#dead) return Infinity;
    return this.#mailbox.length + this.requests.size;
  }

  /** Aborted when the actor has to end. Pass it to everything else that the body waits for. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#exit || this.#dead) this.#abort.abort(this.#whyEnded());
    return this.#abort.signal;
  }

  /**
   * Aborted when its handlers should finish: it is shut down, or made to end.
   *
   * @internal
   */
  get haste(): AbortSignal {
    if (this.#exit || this.#dead) this.requests.hurry(this.#whyEnded());
    return this.requests.signal;
  }

  /**
   * Takes the first message in the mailbox that matches a case, or waits for one, and returns the
   * result of the case's reaction. `ping` and `shutdown` come before all others. Messages that
   * match no case stay in place, and those past their deadline are dropped. A reaction that throws
   * fails the receive, and with it the actor, unless the actor catches the error. A waiting asker
   * gets the error.
   *
   * @param options.timeout how long to wait, in ms; 0 takes a message that is there, without
   * waiting. Default: no limit.
   * @param options.else called if no message came in time. The receive returns its result, or
   * undefined without it.
   * @throws {ActorExit} if the actor has to end. Do not catch it.
   * @throws {EnsembleError} if another receive of this actor is waiting.
   *
   * @example Wait for an answer to a question, for at most one second
   * ```ts
   * import { type Actor, on } from "@gxensemble/ensemble";
   *
   * async function guess(self: Actor) {
   *   const number = await self.receive([
   *     on("guess", ({ number }: { number: number }) => number),
   *   ], { timeout: 1_000, else: () => 0 });
   *   console.log(number);
   * }
   * ```
   */
  async receive<Result, Else = undefined>(
    cases: readonly Case<Result>[],
    options: { timeout?: number; else?: () => Else } = {},
  ): Promise<Awaited<Result> | Else> {
    if (--this.#untilClock === 0 && this.#isOverdue()) await this.#yield();
    if (this.#exit || this.#dead) throw this.#whyEnded();
    this.#requireNotWaiting();
    let taken: Taken<Result> | StackProbe | undefined = this.#mailbox.take(cases) ??
      (options.timeout === 0 ? undefined : await this.#wait(cases, options.timeout));
    while (taken instanceof StackProbe) taken = await taken.answer<Result>(new Error());
    if (!taken) return options.else?.() as Else;
    const result = this.#react(taken);
    return await (isPromise(result) ? this.#settle(result, taken.envelope) : result) as Awaited<
      Result
    >;
  }

  /**
   * Receives with the same cases until the actor ends, like `while (true) await
   * self.receive(cases)` but with less work for each message.
   */
  async loop(cases: readonly Case[]): Promise<never> {
    while (true) {
      if (--this.#untilClock === 0 && this.#isOverdue()) await this.#yield();
      if (this.#exit || this.#dead) throw this.#whyEnded();
      this.#requireNotWaiting();
      let taken: Taken<unknown> | StackProbe | undefined = this.#mailbox.take(cases) ??
        await this.#wait(cases, undefined);
      while (taken instanceof StackProbe) taken = await taken.answer<unknown>(new Error());
      const result = this.#react(taken!);
      if (isPromise(result)) await this.#settle(result, taken!.envelope);
    }
  }

  /**
   * Sends a message from this actor without waiting. Delivery is at most once, and in order for
   * each pair of actors.
   *
   * @returns the nonce of the envelope, for `onReply`; undefined if the actor is known not to
   * exist.
   * @throws {EnsembleError} if the message cannot be sent to another server, such as one with a
   * function.
   */
  tell(dest: Destination, message: unknown, options?: TellOptions): number | undefined {
    if (this.observation !== undefined) this.observation.sent(message, dest, { isAsk: false });
    return this.#system.tell(dest, message, options, this.ref);
  }

  /**
   * Sends a message from this actor and waits for its answer, by default for up to 5 s.
   *
   * @throws {ActorError} if the other side fails, or there is no such actor.
   * @throws {TimeoutError} if no answer arrives in time.
   * @throws {DisconnectedError} if the other server cannot be reached, or is lost before it
   * answers.
   * @throws {EnsembleError} if the message cannot be sent to another server.
   */
  ask<Reply = unknown>(dest: Destination, message: unknown, options?: AskOptions): Promise<Reply> {
    if (this.observation !== undefined) this.observation.sent(message, dest, { isAsk: true });
    return this.#system.ask<Reply>(dest, message, options, this.ref);
  }

  /**
   * Starts an actor in this actor's server. It continues when this actor ends.
   *
   * @param name its name; undefined for an actor that can be reached only by its reference.
   * @param body the code that it runs.
   * @throws {EnsembleError} if there is an actor with that name.
   */
  spawn(
    name: string | undefined,
    body: (self: Actor) => void | Promise<void>,
    options: SpawnOptions = {},
  ): Actor {
    return this.#system.spawn(name, body, { ...options, group: this.group });
  }

  /**
   * Monitors an actor: when it ends, or its server is lost, this actor receives one message `{type:
   * "down", monitor, ref, reason?}`. The actor can be on any server. Returns the monitor's number.
   *
   * @example
   * ```ts
   * import { type Actor, onDown } from "@gxensemble/ensemble";
   *
   * async function watcher(self: Actor) {
   *   const monitor = self.monitor("worker@web1");
   *   await self.receive([onDown((down) => console.log(down.monitor === monitor, down.reason))]);
   * }
   * ```
   */
  monitor(dest: Destination): number {
    return this.#system.monitor(this, dest);
  }

  /** Ends a monitor. Its `down` message no longer arrives, unless it is already in the mailbox. */
  demonitor(monitor: number): void {
    if (this.monitors.delete(monitor)) this.#system.demonitor(monitor);
  }

  /**
   * Sends this actor a `Tick` every `interval` ms, until the ticker is stopped or the actor ends.
   */
  ticker(interval: number): Ticker {
    return this.tickerAfter(interval, interval);
  }

  /** Like {@linkcode Actor.ticker}, with the first tick after `delay` ms. */
  tickerAfter(delay: number, interval: number): Ticker {
    return this.#addTicker(delay, interval, undefined);
  }

  /** Sends this actor one message after `delay` ms, unless stopped before. */
  after(delay: number, message: unknown): Ticker {
    return this.#addTicker(delay, undefined, message);
  }

  /**
   * The message types that its current receive takes, with `*` for a guard; undefined if it is not
   * waiting.
   *
   * @internal
   */
  get awaits(): string[] | undefined {
    return this.#waiting?.cases.map(({ type }) => type ?? "*");
  }

  /**
   * The position where the actor is suspended: the stack of the receive it waits in, in the form of
   * `Error.stack`; undefined if it is not waiting.
   *
   * This costs nothing while messages flow: only on request is the receive woken, captures the
   * stack of its caller, and continues to wait.
   *
   * @internal
   */
  async backtrace(): Promise<string | undefined> {
    const waiting = this.#waiting;
    if (!waiting) return undefined;
    const probe = new StackProbe(waiting);
    return (await probe.error).stack;
  }

  /**
   * Puts an envelope into the mailbox, or passes it to the receive that waits for it.
   *
   * @internal
   */
  deliver(envelope: Envelope): void {
    envelope.recipient = this;
    if (this.observation !== undefined) this.observation.arrived(envelope);
    // A message that throws when it is read fails its sender.
    const type = messageType(envelope.message);
    if (type === "shutdown") {
      if (this.#dead) return this.#failEnded(envelope);
      if (this.drains) this.#hasten();
    } else if (this.#refusal) return this.#fail(envelope, this.#refusal);
    const waiting = this.#waiting;
    if (!waiting) return this.#keep(envelope, type);
    let reaction: Case | undefined;
    try {
      // The messages in the mailbox did not match, so only the new envelope has to be checked.
      reaction = findCase(waiting.cases, envelope, type);
    } catch (error) {
      // A guard that throws fails its own actor, and not the sender.
      this.#keep(envelope, type);
      this.#stopWaiting();
      return waiting.reject(error);
    }
    if (!reaction) return this.#keep(envelope, type);
    this.#stopWaiting();
    waiting.resolve({ envelope, reaction });
  }

  /**
   * Whether the sender of an envelope has a capability. Called by `authorized`.
   *
   * @internal
   */
  authorizes(envelope: Envelope, capability: string): boolean {
    return this.#system.authorizes(envelope, capability);
  }

  /**
   * Answers an envelope, for `Envelope.reply` and `fail`. A promise is answered once it is settled.
   *
   * @internal
   */
  answer(envelope: Envelope, value: unknown, failed: boolean): void {
    // Its sender was notified that the actor has ended.
    if (this.#dead && envelope.answered) return;
    envelope.answered = true;
    if (!failed && isPromise(value)) {
      if (envelope.replyExpected) this.requests.add(envelope);
      void Promise.resolve(value).then(
        (result) => this.answer(envelope, result, false),
        (error) => this.answer(envelope, error, true),
      );
      return;
    }
    this.requests.delete(envelope);
    if (this.observation !== undefined) this.observation.answered(envelope, { value, failed });
    this.#system.answer(envelope, this.ref, failed ? toFailure(value) : value, failed);
  }

  /**
   * Aborts the signals of the requests that a service has begun, and waits until they are finished.
   *
   * @internal
   */
  async drain(reason: Error): Promise<void> {
    if (!this.drains || this.#dead) return;
    this.requests.hurry(reason);
    await this.requests.finish();
  }

  /**
   * Called by a service that is shut down: drains it, for as long as its server allows.
   *
   * @internal
   */
  async finishBegun(): Promise<void> {
    this.#hasten();
    if (this.requests.hasAny) await within(this.#system.grace, this.requests.finish());
  }

  /**
   * Ends the actor: its current or next receive throws {@linkcode ActorExit}, and its signal is
   * aborted. Its body may clean up, and continues until it receives.
   */
  exit(reason = "made to end"): void {
    if (typeof reason !== "string") {
      throw new InvalidInputError(`not the reason for an end: ${describeValue(reason)}`);
    }
    if (this.#exit || this.#dead) return;
    this.#exit = new ActorExit(reason);
    const waiting = this.#waiting;
    this.#stopWaiting();
    waiting?.reject(this.#exit);
    this.#abort?.abort(this.#exit);
    this.requests.hurry(this.#exit);
  }

  /**
   * Has the messages that wait, and those that arrive while it shuts down, wait for its next run.
   * Called by its supervisor before it is shut down.
   *
   * @internal
   */
  holdMessages(): void {
    this.#isRestarted = true;
  }

  /**
   * Takes out the messages that waited for its next run. Those that belong to the last one fail:
   * answers to it, what it sent to itself, the news of its monitors, and shutdowns.
   *
   * @internal
   */
  takeWaiting(): Envelope[] {
    this.#next = undefined;
    return this.#mailbox.clear().filter((envelope) => {
      const type = messageType(envelope.message);
      const isOld = type === "shutdown" || envelope.replyTo !== undefined ||
        (type === "down" && envelope.session === undefined) || this.ref.equals(envelope.source);
      if (isOld) this.#failEnded(envelope);
      return !isOld;
    });
  }

  /**
   * Fails the messages that waited for its next run, because there is none.
   *
   * @internal
   */
  failWaiting(): void {
    this.#next = undefined;
    for (const envelope of this.#mailbox.clear()) this.#failEnded(envelope);
  }

  /**
   * Cleans up after the body has returned or the actor was killed. Called by the system.
   *
   * @param next whether the messages that wait are kept for its next run, if there is one.
   *
   * @internal
   */
  cleanUp(reason: string | undefined, next: "keep" | "drop" | undefined): void {
    this.#dead = true;
    this.#abort?.abort(this.#whyEnded());
    if (this.requests.hasSignal) this.requests.hurry(this.#whyEnded());
    this.#stopWaiting();
    // The body of a killed actor may continue, because nothing can stop it while it waits for
    // anything but messages.
    this.#end.resolve(this.#exit);
    for (const ticker of this.#tickers ?? []) ticker.stop();
    for (const monitor of this.monitors) this.#system.demonitor(monitor);
    this.#reason = reason;
    this.observation?.ended(reason);
    for (const envelope of this.requests.end()) this.#failEnded(envelope);
    if (next === "keep") this.#refusal = undefined;
    else this.failWaiting();
    this.#next = next;
  }

  /** The exception for code of the actor that receives after its end. */
  #whyEnded(): ActorExit {
    return this.#exit ??= new ActorExit("has ended");
  }

  /** Fails an envelope that is unanswered at the end of the actor. */
  #failEnded(envelope: Envelope): void {
    if (!envelope.replyExpected) return;
    const message = `${this.ref} has ended${this.#reason ? `: ${this.#reason}` : ""}`;
    this.#ended ??= toFailure(new EnsembleError(message, { code: "ACTOR_ENDED" }));
    this.#fail(envelope, this.#ended);
  }

  /** Has a service that is shut down finish its requests, and take no more. */
  #hasten(): void {
    if (!this.#isRestarted) return this.#refuseMore();
    const reason = `${this.ref} is being restarted`;
    void this.drain(new EnsembleError(reason, { code: "ACTOR_ENDED" }));
  }

  /** Fails all waiting and future messages, because the actor is shutting down. */
  #refuseMore(): void {
    if (this.#refusal) return;
    const refusal = this.#system.stopping ??
      new EnsembleError(`${this.ref} is shutting down`, { code: "ACTOR_ENDED" });
    this.#refusal = toFailure(refusal);
    void this.drain(refusal);
    for (const envelope of this.#mailbox.clear()) {
      if (messageType(envelope.message) === "shutdown") this.#mailbox.push(envelope);
      else this.#fail(envelope, this.#refusal);
    }
  }

  /**
   * Whether to yield to the event loop before the next message. Otherwise an actor with a long
   * backlog, whose reactions are quick or block, would leave the server's sockets unread.
   */
  #isOverdue(): boolean {
    this.#untilClock = CLOCK_INTERVAL;
    const now = performance.now();
    this.#busySince ??= now;
    return now - this.#busySince >= TIME_SLICE;
  }

  async #yield(): Promise<void> {
    // This is a timer, because Deno does not poll its sockets in each turn for an immediate.
    await new Promise<void>((resolve) => void setRealTimeout(resolve));
    this.#busySince = performance.now();
  }

  #requireNotWaiting(): void {
    if (this.#waiting) {
      throw new EnsembleError(`${this.ref} is already waiting in another receive`);
    }
  }

  #wait<Result>(
    cases: readonly Case<Result>[],
    timeout: number | undefined,
  ): Promise<Taken<Result> | StackProbe | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<WakeUp>();
    const waiting = this.#waiting = new WaitingReceive(cases, { resolve, reject });
    this.#untilClock = CLOCK_INTERVAL;
    this.#busySince = undefined;
    if (this.observation !== undefined) this.observation.waits();
    if (timeout !== undefined && timeout !== Infinity) {
      waiting.limit(timeout, () => this.#stopWaiting());
    }
    return promise as Promise<Taken<Result> | StackProbe | undefined>;
  }

  #stopWaiting(): void {
    this.#waiting?.stop();
    this.#waiting = undefined;
  }

  #react<Result>(taken: Taken<Result>): Result {
    const { envelope, reaction } = taken;
    // It was killed between the arrival of the envelope and this turn.
    if (this.#dead) {
      this.#failEnded(envelope);
      throw this.#whyEnded();
    }
    this.#handled++;
    this.#system.handled++;
    try {
      const result = this.observation === undefined
        ? reaction.react(envelope.message as never, envelope)
        : this.observation.react(taken);
      if (envelope.replyExpected && !envelope.answered) this.requests.add(envelope);
      return result;
    } catch (error) {
      this.#refuse(envelope, error);
      throw error;
    }
  }

  async #settle<Result>(result: PromiseLike<Result>, envelope: Envelope): Promise<Result> {
    try {
      return await result;
    } catch (error) {
      this.#refuse(envelope, error);
      throw error;
    }
  }

  #refuse(envelope: Envelope, error: unknown): void {
    if (!envelope.answered) envelope.fail(error);
  }

  /** Puts an envelope into the mailbox, if its bound allows. */
  #keep(envelope: Envelope, type: string | undefined): void {
    if (this.#dead && this.#next !== "keep") return this.#failEnded(envelope);
    const dropped = this.#mailbox.push(envelope, type);
    if (!dropped) return;
    const { limit, overflow } = this.#bound!;
    if (dropped.replyExpected) {
      const message = `the mailbox of ${this.ref} is full: ${limit} messages wait`;
      this.answer(dropped, new EnsembleError(message, { code: "MAILBOX_FULL" }), true);
    }
    if (overflow !== "reject") return;
    if (!this.lines.allows(envelope.source.server, `messages for ${this.ref}`)) return;
    logger.warn("the mailbox of {actor} is full: a message of {source} is rejected", {
      actor: `${this.ref}`,
      source: `${envelope.source}`,
    });
  }

  /**
   * If the sender of an envelope waits for an answer, fails it, because the actor does not answer.
   */
  #fail(envelope: Envelope, failure: Failure | undefined): void {
    if (!envelope.replyExpected) return;
    envelope.answered = true;
    this.#system.answer(envelope, this.ref, failure, true);
  }

  #addTicker(delay: number, interval: number | undefined, message: unknown): Ticker {
    this.#tickers ??= new Set();
    const ticker = new Ticker({
      delay,
      interval,
      message,
      send: (tick) => this.#system.tell(this, tick, undefined, this.ref),
      stopped: () => this.#tickers?.delete(ticker),
    });
    this.#tickers.add(ticker);
    if (this.#dead) ticker.stop();
    return ticker;
  }
}
