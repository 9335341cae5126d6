/**
 * Services: actors that answer requests with an object of handlers.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { asError, describeThrown, isRefusal } from "../error_report.ts";
import { InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import type { Actor, ActorBody } from "./actor.ts";
import type { Case, MailboxOptions } from "./mailbox.ts";
import { HandlerContext } from "./handler_context.ts";
import { onPing, onShutdown, onUnexpected } from "./cases.ts";
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
 * Makes an actor body from an object of handlers. A handler that throws fails its request with that
 * error, which is logged with its stack, and the service continues. An `EnsembleError`, and any
 * error of a check, refuses the request; that is logged in one line, at level DEBUG if the sender
 * waits for the answer. The service also answers pings, shutdown and unknown requests.
 *
 * A shutdown refuses new requests, and waits for those that have begun: see {@linkcode
 * Actor.drain}.
 */
export function serviceBody(handlers: Handlers, options: ServeOptions = {}): ActorBody {
  const { requests, concurrent = false, drains = true, cleanUp } = options;
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
  const makeCase = (self: Actor, type: string): Case => {
    const handler = handlers[type]!;
    const check = requests?.[type];
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
          return fail(context, error, { type, refused: !isChecked });
        }
        if (!isPromise(result)) return answer(context, result);
        self.handlerBegan();
        // A promise of another class may settle more than once, or throw.
        const settled = Promise.resolve(result).then(
          (value) => {
            answer(context, value);
            self.handlerEnded();
          },
          (error) => {
            fail(context, error, { type });
            self.handlerEnded();
          },
        );
        if (!concurrent) return settled;
      },
    };
  };
  return (self) => {
    // A service that handles its shutdown itself decides which requests it finishes.
    self.drains = drains && !types.includes("shutdown");
    const cases = types.map((type) => makeCase(self, type));
    return self.loop([...cases, onPing, onDrainedShutdown(self, cleanUp), onUnexpected]);
  };
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
  type: string;
  /** Whether its check threw, and not its handler. */
  refused?: boolean;
}

function fail(context: HandlerContext, error: unknown, outcome: Outcome): void {
  context.fail(error);
  logFailure(context.envelope, error, outcome);
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
