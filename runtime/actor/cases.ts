/**
 * The cases of a selective receive: which envelopes they match, and how they react.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { shorten } from "../safe_text.ts";
import { type Envelope, messageType, replyFailure, replyIfExpected } from "./envelope.ts";
import type { Down } from "./monitors.ts";

const logger = getLogger(["gxensemble", "actor"]);

/** One case of a receive. The first case that matches an envelope reacts to it. */
export interface Case<Result = unknown> {
  /** The `type` of the messages it matches, when that alone decides; mailboxes are indexed by it. */
  readonly type?: string;
  /** The nonce of the envelope whose answers it matches, when that alone decides; mailboxes are indexed by it. */
  readonly replyTo?: number;
  /** Whether it matches; not called when `type` or `replyTo` is given. */
  matches?(envelope: Envelope): boolean;
  /** What is done with an envelope that matched. */
  react(message: never, envelope: Envelope): Result;
}

/** Thrown inside an actor to end it in good order: not an error, and not logged as one. */
export class ActorExit extends Error {
  /** The class's name, also after the code was minified. */
  override name = "ActorExit";
}

/**
 * A case for messages `{type, ...}` of one type, or for those that a type guard accepts.
 *
 * @example Two kinds of message
 * ```ts
 * import { type Actor, on, reply } from "@gxensemble/ensemble";
 *
 * async function counter(self: Actor) {
 *   let count = 0;
 *   while (true) {
 *     await self.receive([
 *       on("add", (message: { amount: number }) => void (count += message.amount)),
 *       on("get", (_message, envelope) => reply(envelope, count)),
 *     ]);
 *   }
 * }
 * ```
 */
export function on<Message, Result>(
  type: string | ((message: unknown) => message is Message),
  react: (message: Message, envelope: Envelope<Message>) => Result,
): Case<Result> {
  const reaction = react as (message: never, envelope: Envelope) => Result;
  return typeof type === "string"
    ? { type, react: reaction }
    : { matches: (envelope) => type(envelope.message), react: reaction };
}

/** A case for the answer to an envelope that was sent with `tell(..., {replyExpected: true})`. */
export function onReply<Message, Result>(
  nonce: number,
  react: (message: Message, envelope: Envelope<Message>) => Result,
): Case<Result> {
  return {
    replyTo: nonce,
    react: react as (message: never, envelope: Envelope) => Result,
  };
}

/**
 * A case for the message that a monitored actor ended. It does not match what other servers send in that form:
 * such messages, also about actors elsewhere, come from the watching actor's own server.
 */
export function onDown<Result>(
  react: (down: Down, envelope: Envelope<Down>) => Result,
): Case<Result> {
  return {
    matches: ({ message, session }) => session === undefined && messageType(message) === "down",
    react: react as (message: never, envelope: Envelope) => Result,
  };
}

/** Ready-made: answers a ping, so that an operator sees the actor alive. */
export const onPing: Case<void> = {
  type: "ping",
  react: (_message, envelope) => void replyIfExpected(envelope, "OK"),
};

/**
 * Ready-made: when told to shut down, runs the clean-up, answers, and ends the actor by throwing
 * {@linkcode ActorExit}.
 */
export function onShutdown(cleanUp?: () => void | Promise<void>): Case<Promise<never>> {
  return {
    type: "shutdown",
    async react(_message, envelope) {
      try {
        await cleanUp?.();
      } catch (error) {
        if (envelope.replyExpected) replyFailure(envelope, error);
        throw error;
      }
      replyIfExpected(envelope, "OK");
      throw new ActorExit("told to shut down");
    },
  };
}

const UNEXPECTED = "unexpected messages";

/** Ready-made: matches everything, logs it, and refuses it when an answer is expected. Put it last. */
export const onUnexpected: Case<void> = {
  matches: () => true,
  react(message, envelope) {
    const type = shorten(messageType(message) ?? typeof message);
    if (envelope.recipient?.lines.allows(envelope.source.server, UNEXPECTED)) {
      logger.warn("unexpected message {type} from {source} for {dest}", {
        type,
        source: `${envelope.source}`,
        dest: envelope.dest,
      });
    }
    if (envelope.replyExpected) {
      replyFailure(envelope, `unexpected message: ${type}`);
    }
  },
};

/** Finds the first case that matches an envelope, whose message has the type `type`. */
export function findCase<Result>(
  cases: readonly Case<Result>[],
  envelope: Envelope,
  type: string | undefined,
): Case<Result> | undefined {
  for (let i = 0; i < cases.length; i++) {
    const candidate = cases[i]!;
    if (
      candidate.type !== undefined
        ? candidate.type === type
        : candidate.replyTo !== undefined
        ? candidate.replyTo === envelope.replyTo
        : candidate.matches?.(envelope)
    ) {
      return candidate;
    }
  }
  return undefined;
}

/** Whether a result is still to come: of any class of promises, as `await` sees it. */
export function isPromise(result: unknown): result is PromiseLike<never> {
  if (typeof result !== "object" && typeof result !== "function" || result === null) return false;
  try {
    return typeof (result as { then?: unknown }).then === "function";
  } catch {
    // `await` fails on such a value, as on a promise that rejects.
    return true;
  }
}
