/**
 * Services: actors that answer requests with an object of handlers.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { asError, describeThrown, isRefusal } from "../error_report.ts";
import { InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import { within } from "../timeout.ts";
import type { Actor } from "./actor.ts";
import { type Case, HANDLER_EXCHANGE, type MailboxOptions } from "./mailbox.ts";
import { HandlerContext } from "./handler_context.ts";
import type { NewerHandlers } from "./handler_versions.ts";
import { onPing, onShutdown, onUnexpected } from "./cases.ts";
import type { ActorBody } from "./spawn_options.ts";
import {
  type AskOptions,
  type Destination,
  type Envelope,
  isPromise,
  type Messaging,
} from "./messaging.ts";

const logger = getLogger(["gxensemble", "actor"]);

/**
 * A service's handlers, by the `type` of the requests they answer. A handler receives the request
 * `{ type, ... }` and its context. It returns the answer, or a promise of it. A handler that
 * returns `context.later` answers with `context.reply` or `context.fail`.
 *
 * @example Build the handlers at run time
 * ```ts
 * import { type Handlers, startServer } from "@gxensemble/ensemble";
 *
 * const handlers: Handlers = {};
 * for (const word of ["hello", "goodbye"]) {
 *   handlers[word] = ({ name }: { name: string }) => `${word} ${name}`;
 * }
 * await using server = await startServer("greeter1");
 * server.serve("greeter", handlers);
 * ```
 */
// deno-lint-ignore no-explicit-any -- each handler declares the request it takes
export type Handlers = Record<string, (request: any, context: HandlerContext) => unknown>;

/**
 * The handlers for a service's declared interface. Each method `name(request)` becomes a handler
 * that receives the request and its context, and may answer with a promise or later. Without an
 * interface, any handlers.
 *
 * @example Check handlers against the interface of a service
 * ```ts
 * import { type HandlersOf, startServer } from "@gxensemble/ensemble";
 *
 * interface Counter {
 *   add(request: { amount: number }): number;
 * }
 *
 * function counter(total = 0): HandlersOf<Counter> {
 *   return { add: ({ amount }) => total += amount };
 * }
 *
 * await using server = await startServer("counter1");
 * server.serve<Counter>("counter", counter());
 * ```
 */
export type HandlersOf<Service> = unknown extends Service ? Handlers : {
  [Type in keyof Service]: Service[Type] extends (...args: infer Args) => infer Result ? (
      request: Args extends [] ? unknown : Args[0],
      context: HandlerContext,
    ) =>
      | Awaited<Result>
      | HandlerContext["later"]
      | PromiseLike<Awaited<Result> | HandlerContext["later"]>
    : never;
};

/** Checks of requests, by their `type`; see {@linkcode ServeOptions.requests}. */
export type RequestChecks = Readonly<Record<string, RequestCheck>>;

/**
 * Returns the checked request, whose form the handler may rely on, for a request of any sender.
 *
 * @throws {InvalidInputError} if the request is not valid.
 */
export type RequestCheck = (request: unknown) => object;

/**
 * Options of `serve`.
 *
 * @example Take several requests at once, and check what arrives
 * ```ts
 * import { currentServer, InvalidInputError } from "@gxensemble/ensemble";
 *
 * currentServer().serve("pages", {
 *   fetch: async ({ url }: { url: string }) => await (await fetch(url)).text(),
 * }, {
 *   concurrent: true,
 *   mailbox: { limit: 1_000 },
 *   requests: {
 *     fetch(request) {
 *       const { url } = request as { url?: unknown };
 *       if (typeof url !== "string") throw new InvalidInputError("a page has a url");
 *       return { url };
 *     },
 *   },
 * });
 * ```
 */
export interface ServeOptions {
  /**
   * Checks each request before its handler, which receives the result of the check. A request that
   * fails its check is answered with a failure. A type without a check is refused.
   */
  requests?: Readonly<Record<string, (request: unknown) => object>>;
  /**
   * Whether to take the next request while a handler's promise is pending. By default a service
   * handles one request after the other, like an actor, so its state needs no protection.
   */
  concurrent?: boolean;
  /**
   * The bound of its mailbox. Default: the server's, which has none unless it was started with one.
   */
  mailbox?: MailboxOptions | undefined;
  /**
   * The first value of the service's state, which handlers read and set as `context.state`. The
   * `upgrade` of a newer version of its code gets it.
   */
  state?: unknown;
  /**
   * Called when the service is shut down, before it answers. The requests that it had begun are
   * finished, or too late.
   */
  cleanUp?: () => void | Promise<void>;
  /**
   * Whether a shutdown waits for the requests that the service has begun. Default: true. A part of
   * the server must not hold up its stop.
   *
   * @internal
   */
  drains?: boolean;
}

/**
 * Makes an actor body from an object of handlers; see {@linkcode ServiceProgram}.
 *
 * @throws {InvalidInputError} if they are not handlers.
 */
export function serviceBody(handlers: Handlers, options: ServeOptions = {}): ActorBody {
  return new ServiceProgram(handlers, options).body;
}

/**
 * What a service runs: handlers that can be exchanged while it runs, see {@linkcode
 * exchangeHandlers}.
 *
 * A handler that throws fails its request with that error, which is logged with its stack, and the
 * service continues. An `EnsembleError`, and any error of a check, refuses the request; that is
 * logged in one line, at level DEBUG if the sender waits for the answer. The service also answers
 * pings, shutdown and unknown requests.
 *
 * A shutdown refuses new requests, and waits for those that have begun: see {@linkcode
 * Actor.drain}.
 */
export class ServiceProgram {
  /** The body of its actor. */
  readonly body: ActorBody;
  #handlers: Handlers;
  #types: readonly string[];
  readonly #options: ServeOptions;
  /** The cases of its loop. An exchange replaces them in place. */
  readonly #cases: Case[] = [];

  /**
   * Checks the handlers.
   *
   * @throws {InvalidInputError} if they are not handlers.
   */
  constructor(handlers: Handlers, options: ServeOptions = {}) {
    this.#handlers = handlers;
    this.#options = options;
    this.#types = typesOf(handlers, options);
    this.body = (self) => {
      if (self.handlerVersions.after(this.#handlers)) return this.#catchUp(self);
      return this.#run(self);
    };
  }

  /** The types of the requests that it answers now, sorted. */
  get types(): readonly string[] {
    return this.#types.toSorted();
  }

  /** The handlers that answer its requests now: the object that it was given. */
  get handlers(): Handlers {
    return this.#handlers;
  }

  #run(self: Actor): Promise<never> {
    this.#install(self, this.#handlers);
    return self.loop(this.#cases);
  }

  /** Takes the handlers that have been exchanged for those that it was given, before any message. */
  async #catchUp(self: Actor): Promise<never> {
    try {
      let newer: NewerHandlers | undefined;
      while ((newer = self.handlerVersions.after(this.#handlers))) {
        const { to, convert } = newer;
        const types = typesOf(to, this.#options);
        if (convert) self.state = await convert(self.state);
        this.#handlers = to;
        this.#types = types;
      }
    } catch (error) {
      const reason = describeThrown(error);
      logger.error("{service} starts with earlier handlers: {reason}", {
        service: `${self.ref}`,
        reason,
        error,
      });
    }
    return await this.#run(self);
  }

  /**
   * Has other handlers answer from now on.
   *
   * @throws {InvalidInputError} if they are not handlers; then the earlier ones go on.
   */
  #install(self: Actor, handlers: Handlers): void {
    const { requests, concurrent = false, drains = true, cleanUp } = this.#options;
    const types = typesOf(handlers, this.#options);
    const cases = types.map((type) => {
      const how = { handler: handlers[type]!, check: requests?.[type], concurrent };
      return requestCase(self, type, how);
    });
    // A service that handles its shutdown itself decides which requests it finishes.
    self.drains = drains && !types.includes("shutdown");
    const exchange: Case = {
      type: HANDLER_EXCHANGE,
      react: (message, envelope) => this.#exchange(self, message, envelope),
    };
    const last = [onPing, onDrainedShutdown(self, cleanUp), exchange, onUnexpected];
    this.#cases.splice(0, Infinity, ...cases, ...last);
    this.#handlers = handlers;
    this.#types = types;
  }

  /**
   * Exchanges the handlers while the service waits for its restart. Returns false if it does not
   * wait any more.
   *
   * @throws {InvalidInputError} if they are not handlers; or what `upgrade` throws.
   */
  async exchangeAtRest(self: Actor, { handlers, upgrade }: HandlerExchange): Promise<boolean> {
    typesOf(handlers, this.#options);
    const state = upgrade ? await upgrade(self.state) : self.state;
    if (!self.isResting) return false;
    this.#handlers = handlers;
    self.state = state;
    return true;
  }

  /** Exchanges the handlers, or answers why not. Never throws, since the service continues. */
  async #exchange(self: Actor, message: unknown, envelope: Envelope): Promise<void> {
    if (!(message instanceof HandlerExchange)) {
      return onUnexpected.react(message as never, envelope);
    }
    const { handlers, upgrade } = message;
    const { expires = Infinity } = envelope;
    const left = () => expires - performance.now();
    try {
      typesOf(handlers, this.#options);
      // The state must not change while it is upgraded.
      await within(left(), self.requests.idle());
      const upgraded = Promise.resolve(upgrade ? upgrade(self.state) : self.state);
      // The asker has been told by then.
      if (!await within(left(), upgraded) || left() <= 0) return;
      const state = await upgraded;
      this.#install(self, handlers);
      self.state = state;
      envelope.reply();
    } catch (error) {
      envelope.fail(error);
    }
  }
}

/** A request to a service to exchange its handlers. */
class HandlerExchange {
  /** Distinguishes it from other messages. */
  readonly type = HANDLER_EXCHANGE;
  readonly handlers: Handlers;
  readonly upgrade: Upgrade | undefined;

  constructor(handlers: Handlers, upgrade: Upgrade | undefined) {
    this.handlers = handlers;
    this.upgrade = upgrade;
  }
}

/** Converts the state of a service to the form that its new handlers expect. */
// deno-lint-ignore no-explicit-any -- each version knows the form of its state
export type Upgrade = (state: any) => unknown;

/**
 * Exchanges the handlers of a running service of this server between two messages, before all that
 * wait in its mailbox, which is kept. Requests whose handlers have begun are finished by them first. A
 * service that waits for its restart is started with the new handlers.
 * If the exchange fails, the earlier handlers and state go on.
 *
 * `upgrade` gets the service's state and returns that for the new handlers. It must not change the
 * state it gets. Without it, the state stays.
 *
 * @param options.timeout how long the exchange may take, in ms. Default: 5000.
 * @throws {InvalidInputError} if the actor is not a service.
 * @throws {ActorError} if `upgrade` throws, or these are not handlers, or the service ends.
 * @throws {TimeoutError} if a handler or `upgrade` takes too long. Nothing is exchanged.
 */
export async function exchangeHandlers(
  asker: Pick<Messaging, "ask">,
  { service, handlers, upgrade, timeout }: {
    readonly service: Actor;
    readonly handlers: Handlers;
    readonly upgrade?: Upgrade | undefined;
    readonly timeout?: number | undefined;
  },
): Promise<void> {
  if (!service.service) {
    throw new InvalidInputError(`${service.ref} is not a service: it has no handlers to exchange`);
  }
  const exchange = new HandlerExchange(handlers, upgrade);
  if (service.isResting && await service.service.exchangeAtRest(service, exchange)) return;
  await asker.ask(service, exchange, timeout === undefined ? {} : { timeout });
}

/**
 * The types of the requests that handlers answer.
 *
 * @throws {InvalidInputError} if they are not handlers.
 */
function typesOf(handlers: Handlers, { requests }: ServeOptions): string[] {
  if (typeof handlers !== "object" || handlers === null) {
    throw new InvalidInputError(`not the handlers of a service: ${describeValue(handlers)}`);
  }
  const types = Object.keys(requests ?? handlers).filter((type) => Object.hasOwn(handlers, type));
  for (const type of types) {
    if (typeof handlers[type] !== "function") {
      throw new InvalidInputError(
        `not a handler of a service: ${type} is ${describeValue(handlers[type])}`,
      );
    }
  }
  return types;
}

/** The case that has a handler answer the requests of one type. */
function requestCase(self: Actor, type: string, how: {
  readonly handler: Handlers[string];
  readonly check: RequestCheck | undefined;
  readonly concurrent: boolean;
}): Case {
  const { handler, check, concurrent } = how;
  return {
    type,
    react(request: never, envelope: Envelope) {
      const context = new HandlerContext(envelope);
      let isChecked = check === undefined;
      let result: unknown;
      try {
        const taken = check ? check(request) : request;
        isChecked = true;
        result = handler(taken, context);
      } catch (error) {
        return fail(context, error, { self, type, refused: !isChecked });
      }
      if (!isPromise(result)) return answer(context, result);
      self.requests.handlerBegan();
      if (self.observation !== undefined) self.observation.continues(envelope);
      // A promise of another class may settle more than once, or throw.
      const settled = Promise.resolve(result).then(
        (value) => {
          answer(context, value);
          handlerEnded(self, envelope);
        },
        (error) => {
          fail(context, error, { self, type });
          handlerEnded(self, envelope);
        },
      );
      if (!concurrent) return settled;
      self.observation?.spans?.continues(envelope, settled);
    },
  };
}

function handlerEnded(self: Actor, envelope: Envelope): void {
  self.requests.handlerEnded();
  if (self.observation !== undefined) self.observation.settled(envelope);
}

/** Shuts a service down when it has finished its requests. */
function onDrainedShutdown(self: Actor, cleanUp: ServeOptions["cleanUp"]): Case<Promise<never>> {
  const shutdown = onShutdown(cleanUp);
  return {
    ...shutdown,
    async react(message, envelope) {
      if (self.drains) await self.finishBegun();
      return await shutdown.react(message, envelope);
    },
  };
}

function answer(context: HandlerContext, value: unknown): void {
  if (value !== context.later) context.reply(value);
}

/** The failure of a request. */
interface Outcome {
  self: Actor;
  type: string;
  /** Whether its check threw, and not its handler. */
  refused?: boolean;
}

function fail(context: HandlerContext, error: unknown, outcome: Outcome): void {
  const { envelope } = context;
  const { observation } = outcome.self;
  if (!envelope.replyExpected) observation?.failed(envelope, error);
  observation?.spans?.failed(envelope, error);
  context.fail(error);
  logFailure(envelope, error, outcome);
}

/**
 * Logs a failed request, because its sender may not wait for the answer, or not log it. A refusal
 * that the sender waits for is only logged at level DEBUG.
 */
function logFailure(envelope: Envelope, thrown: unknown, { type, refused }: Outcome): void {
  const { recipient, source, replyExpected } = envelope;
  const error = asError(thrown);
  const isRefused = refused || isRefusal(error);
  const level = !isRefused ? "error" : replyExpected ? "debug" : "warning";
  if (!recipient || !logger.isEnabledFor(level)) return;
  if (!recipient.lines.allows(source.server, `failures of ${type}`)) return;
  logger[level](
    isRefused
      ? "{actor} refused {type} of {source}: {reason}"
      : "{type} of {source} failed in {actor}: {reason}",
    {
      type,
      source: `${source}`,
      actor: `${recipient.ref}`,
      reason: describeThrown(thrown),
      ...(isRefused || !error ? {} : { error }),
    },
  );
}

/**
 * A service as its callers see it. It has one method for each request, which takes the request
 * without its `type`, and the options of `ask`. `server.client` makes one.
 *
 * @example A function that takes a client
 * ```ts
 * import { type Client, startServer } from "@gxensemble/ensemble";
 *
 * interface Counter {
 *   add(request: { amount: number }): number;
 * }
 *
 * async function addAll(counter: Client<Counter>, amounts: number[]) {
 *   for (const amount of amounts) await counter.add({ amount }, { timeout: 1_000 });
 * }
 *
 * await using client = await startServer();
 * await addAll(client.client<Counter>("counter@counter1"), [1, 2, 3]);
 * ```
 */
export type Client<Service> = {
  readonly [Type in keyof Service]: Service[Type] extends (...args: infer Args) => infer Result ? (
      ...args: unknown extends (Args extends [] ? unknown : Args[0])
        ? [request?: object, options?: AskOptions]
        : [request: Omit<Args[0], "type">, options?: AskOptions]
    ) => Promise<
      // The type of a handler that only answers later does not include the answer.
      [Awaited<Result>] extends [never] ? never
        : [Awaited<Result>] extends [HandlerContext["later"]] ? unknown
        : Exclude<Awaited<Result>, HandlerContext["later"]>
    >
    : never;
};

/** Options of {@linkcode client}. */
export interface ClientOptions {
  /**
   * Checks of answers, by the type of their requests. Each returns the checked answer, or throws.
   */
  answers?: Readonly<Record<string, (answer: unknown) => unknown>>;
}

/** Makes a typed client of the service at a destination. Each method call is an `ask`. */
export function client<Service>(
  asker: Pick<Messaging, "ask">,
  dest: Destination<Service>,
  { answers = {} }: ClientOptions = {},
): Client<Service> {
  return new Proxy({}, {
    get(_target, type) {
      // A client is not a promise, although `await` would take any object with every property for
      // one.
      if (typeof type !== "string" || type === "then") return undefined;
      const check = Object.hasOwn(answers, type) ? answers[type] : undefined;
      return (request?: object, options?: AskOptions) => {
        const answer = asker.ask(dest, { ...request, type }, options);
        return check ? answer.then(check) : answer;
      };
    },
  }) as Client<Service>;
}
