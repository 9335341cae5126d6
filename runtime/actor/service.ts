/**
 * Services: actors that answer requests, given as an object of handlers.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { asError, describeThrown, isRefusal } from "../error_report.ts";
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
 * A service's handlers, by the `type` of the requests they answer. A handler gets the request `{ type, ... }` and its
 * context. What it returns is the answer, or what the promise that it returns resolves to. One that returns
 * `context.later` answers by `context.reply` or `context.fail`.
 *
 * @example Handlers that are put together when the program runs
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
 * The handlers of a service, from the interface that it declares: each method `name(request)` becomes a handler, which
 * gets the request and its context, and may answer with a promise or later. Any handlers, where none is declared.
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
 * Gives what a handler may rely on of a request from any sender.
 *
 * @throws {InvalidInputError} when the request is not one.
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
   * Checks each request before its handler gets it: the handler's request is what the check returned. A
   * request that its check refuses is answered with a failure; a type without a check is not taken.
   */
  requests?: Readonly<Record<string, (request: unknown) => object>>;
  /**
   * Take the next request while a handler's promise is still pending. By default a service handles one
   * request after the other, as an actor does, and its state needs no further care.
   */
  concurrent?: boolean;
  /** The bound of its mailbox; by default that of the server, which has none unless it was started with one. */
  mailbox?: MailboxOptions | undefined;
  /** Called when the service is shut down, before it answers. The requests that it had begun are finished, or too late. */
  cleanUp?: () => void | Promise<void>;
  /**
   * Whether a shutdown waits for the requests that the service has begun. Default: true. A part of the server must not
   * hold up its stop.
   *
   * @internal
   */
  drains?: boolean;
}

/**
 * Makes an actor body of an object of handlers. A handler that throws fails its request with that error, which is
 * logged with its stack, and the service goes on. An `EnsembleError`, and anything that a check throws,
 * refuses the request; that is logged in one line, at level DEBUG when the sender waits for the answer. Pings,
 * shutdown and requests that it does not know are answered too.
 *
 * A shutdown refuses what has not begun, and waits for what has: see {@linkcode Actor.drain}.
 */
export function serviceBody(handlers: Handlers, options: ServeOptions = {}): ActorBody {
  const { requests, concurrent = false, drains = true, cleanUp } = options;
  const types = Object.keys(requests ?? handlers).filter((type) => Object.hasOwn(handlers, type));
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
    // One that handles its shutdown itself decides what it finishes.
    self.drains = drains && !types.includes("shutdown");
    const cases = types.map((type) => makeCase(self, type));
    return self.loop([...cases, onPing, onDrainedShutdown(self, cleanUp), onUnexpected]);
  };
}

/** Shuts a service down when it has finished what it has begun. */
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

/** How a request failed. */
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
 * Logs a request that failed, since its sender may not wait for the answer, or not log it. A refusal that the sender
 * waits for is only logged at level DEBUG.
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
 * A service as its callers see it: one method for each request, which takes the request without its `type`, and the
 * options of `ask`. `server.client` makes one.
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
      // A handler that only answers later does not say with what.
      [Awaited<Result>] extends [never] ? never
        : [Awaited<Result>] extends [HandlerContext["later"]] ? unknown
        : Exclude<Awaited<Result>, HandlerContext["later"]>
    >
    : never;
};

/** Options of {@linkcode client}. */
export interface ClientOptions {
  /** Checks of answers by the type of their requests: each gives what the caller may rely on, or throws. */
  answers?: Readonly<Record<string, (answer: unknown) => unknown>>;
}

/** Makes a typed client of the service at a destination: each method call is an `ask`. */
export function client<Service>(
  asker: Pick<Messaging, "ask">,
  dest: Destination<Service>,
  { answers = {} }: ClientOptions = {},
): Client<Service> {
  return new Proxy({}, {
    get(_target, type) {
      // A client is no promise, whatever `await` thinks of an object with any property.
      if (typeof type !== "string" || type === "then") return undefined;
      const check = Object.hasOwn(answers, type) ? answers[type] : undefined;
      return (request?: object, options?: AskOptions) => {
        const answer = asker.ask(dest, { ...request, type }, options);
        return check ? answer.then(check) : answer;
      };
    },
  }) as Client<Service>;
}
