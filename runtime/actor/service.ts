/**
 * Services: actors that answer requests, given as an object of handlers.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { asError, describeThrown, isRefusal } from "../error_report.ts";
import type { ActorBody } from "./actor.ts";
import type { Case } from "./mailbox.ts";
import { onPing, onShutdown, onUnexpected } from "./cases.ts";
import {
  type AskOptions,
  type Destination,
  type Envelope,
  isPromise,
  type Messaging,
  reply,
  replyFailure,
} from "./messaging.ts";

const logger = getLogger(["gxensemble", "actor"]);

/** A handler: gets the request `{type, ...}` and its envelope; what it returns is the answer. */
// deno-lint-ignore no-explicit-any -- each handler declares the request it takes
export type Handler = (request: any, envelope: Envelope) => unknown;

/** A service's handlers, by the `type` of the requests they answer. */
export type Handlers = Record<string, Handler>;

/** Checks of requests, by their `type`; see {@linkcode ServeOptions.requests}. */
export type RequestChecks = Readonly<Record<string, RequestCheck>>;

/**
 * Gives what a handler may rely on of a request from any sender.
 *
 * @throws {InvalidInputError} when the request is not one.
 */
export type RequestCheck = (request: unknown) => object;

/** Options of {@linkcode serve}. */
export interface ServeOptions {
  /**
   * Checks each request before its handler gets it: the handler's request is what the check returned. A
   * request that its check refuses is answered with a failure; a type without a check is not taken.
   */
  requests?: RequestChecks;
  /**
   * Take the next request while a handler's promise is still pending. By default a service handles one
   * request after the other, as an actor does, and its state needs no further care.
   */
  concurrent?: boolean;
  /** Run when the service is told to shut down, before it answers. */
  cleanUp?: () => void | Promise<void>;
}

/**
 * Makes an actor body of an object of handlers. A handler that throws fails its request with that error, which is
 * logged with its stack, and the service goes on. An {@linkcode EnsembleError}, and anything that a check throws,
 * refuses the request; that is logged in one line, at level DEBUG when the sender waits for the answer. Pings,
 * shutdown and requests that it does not know are answered too.
 *
 * @example A service and its typed client
 * ```ts
 * import { ActorRef, client, startServer } from "@gxensemble/ensemble";
 *
 * let total = 0;
 * const handlers = {
 *   add: ({ amount }: { amount: number }) => total += amount,
 *   get: () => total,
 * };
 * declare const server: Awaited<ReturnType<typeof startServer>>;
 * server.actors.serve("counter", handlers);
 *
 * const counter = client<typeof handlers>(
 *   server.actors,
 *   new ActorRef("other", "counter"),
 * );
 * await counter.add({ amount: 3 });
 * ```
 */
export function serve(handlers: Handlers, options: ServeOptions = {}): ActorBody {
  const { requests, concurrent = false } = options;
  const types = Object.keys(requests ?? handlers).filter((type) => Object.hasOwn(handlers, type));
  const cases: Case[] = types.map((type) => {
    const handler = handlers[type]!;
    const check = requests?.[type];
    return {
      type,
      react(request: never, envelope: Envelope) {
        let isChecked = check === undefined;
        let result: unknown;
        try {
          const taken = check ? check(request) : request;
          isChecked = true;
          result = handler(taken, envelope);
        } catch (error) {
          return fail(envelope, error, { type, refused: !isChecked });
        }
        if (!isPromise(result)) return answer(envelope, result);
        // A promise of another class may settle more than once, or throw.
        const settled = Promise.resolve(result).then(
          (value) => answer(envelope, value),
          (error) => fail(envelope, error, { type }),
        );
        if (!concurrent) return settled;
      },
    };
  });
  cases.push(onPing, onShutdown(options.cleanUp), onUnexpected);
  return (self) => self.loop(cases);
}

function answer(envelope: Envelope, value: unknown): void {
  if (envelope.replyExpected && !envelope.answered) reply(envelope, value);
}

/** How a request failed. */
interface Outcome {
  type: string;
  /** Whether its check threw, and not its handler. */
  refused?: boolean;
}

function fail(envelope: Envelope, error: unknown, outcome: Outcome): void {
  if (envelope.replyExpected && !envelope.answered) replyFailure(envelope, error);
  logFailure(envelope, error, outcome);
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

/** A service seen from outside: a method a handler, which takes the request without its `type`. */
export type Client<H extends Handlers> = {
  readonly [Type in keyof H]: Parameters<H[Type]> extends [] ? (
      request?: Record<never, never>,
      options?: AskOptions,
    ) => Promise<Awaited<ReturnType<H[Type]>>>
    : (
      request: Omit<Parameters<H[Type]>[0], "type">,
      options?: AskOptions,
    ) => Promise<Awaited<ReturnType<H[Type]>>>;
};

/** Options of {@linkcode client}. */
export interface ClientOptions {
  /** Checks of answers by the type of their requests: each gives what the caller may rely on, or throws. */
  answers?: Readonly<Record<string, (answer: unknown) => unknown>>;
}

/** Makes a typed client of the service at a destination: each method call is an `ask`. */
export function client<H extends Handlers>(
  asker: Pick<Messaging, "ask">,
  dest: Destination,
  { answers = {} }: ClientOptions = {},
): Client<H> {
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
  }) as Client<H>;
}
