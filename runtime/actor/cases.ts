/**
 * Ready-made cases for receives, and the exception that ends an actor.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { describeThrown } from "../error_report.ts";
import { EnsembleError } from "../errors.ts";
import { shorten } from "../safe_text.ts";
import type { Case } from "./mailbox.ts";
import { type Envelope, isPromise, messageType } from "./messaging.ts";
import type { Down } from "./monitors.ts";

const logger = getLogger(["gxensemble", "actor"]);

/**
 * Thrown inside an actor to end it normally: not an error, and not logged as one.
 *
 * @example End an actor from a case
 * ```ts
 * import { type Actor, ActorExit, on } from "@gxensemble/ensemble";
 *
 * async function session(self: Actor) {
 *   await self.loop([
 *     on("data", ({ text }: { text: string }) => console.log(text)),
 *     on("end", () => {
 *       throw new ActorExit("the session is over");
 *     }),
 *   ]);
 * }
 * ```
 */
export class ActorExit extends Error {
  /** The class's name, even after the code was minified. */
  override name = "ActorExit";
}

/** The reason an actor ended with when its body threw; undefined for an {@linkcode ActorExit}. */
export function failureOf(thrown: unknown): unknown {
  try {
    if (thrown instanceof ActorExit) return undefined;
  } catch {
    // A proxy that cannot be inspected.
  }
  // Resolving with a promise would wait for it.
  if (isPromise(thrown)) return new EnsembleError(describeThrown(thrown));
  return thrown ?? new EnsembleError("no reason");
}

/**
 * A case for messages `{type, ...}` of one type, or for those that a type guard accepts.
 *
 * @example Two kinds of message
 * ```ts
 * import { type Actor, on } from "@gxensemble/ensemble";
 *
 * async function counter(self: Actor) {
 *   let count = 0;
 *   while (true) {
 *     await self.receive([
 *       on("add", (message: { amount: number }) => void (count += message.amount)),
 *       on("get", (_message, envelope) => envelope.reply(count)),
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

/**
 * A case for the answer to an envelope that was sent with `tell(..., {replyExpected: true})`.
 *
 * @example Ask two servers, and take the first answer
 * ```ts
 * import { type Actor, onReply } from "@gxensemble/ensemble";
 *
 * async function race(self: Actor): Promise<void> {
 *   const question = { type: "get" };
 *   const cases = ["counter@a", "counter@b"].flatMap((ref) => {
 *     const nonce = self.tell(ref, question, { replyExpected: true });
 *     return nonce === undefined ? [] : onReply(nonce, (count: number) => count);
 *   });
 *   console.log(await self.receive(cases, { timeout: 1_000 }));
 * }
 * ```
 */
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
 * A case for the message that a monitored actor ended. It does not match such a message from
 * another server, because real ones, even about actors elsewhere, come from the watching actor's
 * own server.
 *
 * @example Watch a server
 * ```ts
 * import { type Actor, onDown } from "@gxensemble/ensemble";
 *
 * async function watcher(self: Actor) {
 *   self.monitor("server@web1");
 *   await self.receive([
 *     onDown(({ ref, reason = "it stopped" }) => console.log(`${ref} is gone: ${reason}`)),
 *   ]);
 * }
 * ```
 */
export function onDown<Result>(
  react: (down: Down, envelope: Envelope<Down>) => Result,
): Case<Result> {
  return {
    matches: ({ message, session }) => session === undefined && messageType(message) === "down",
    react: react as (message: never, envelope: Envelope) => Result,
  };
}

/**
 * Ready-made: answers a ping, so that an operator sees the actor alive.
 *
 * @example What every actor that lives long should have
 * ```ts
 * import { type Actor, on, onPing, onShutdown, onUnexpected } from "@gxensemble/ensemble";
 *
 * const logger = (self: Actor) =>
 *   self.loop([
 *     on("log", ({ text }: { text: string }) => console.log(text)),
 *     onPing,
 *     onShutdown(),
 *     onUnexpected,
 *   ]);
 * ```
 */
export const onPing: Case<void> = {
  type: "ping",
  react: (_message, envelope) => envelope.reply("OK"),
};

/**
 * Ready-made: on shutdown, runs the clean-up, answers, and ends the actor by throwing {@linkcode
 * ActorExit}.
 *
 * @example Close a file at the end
 * ```ts
 * import { type Actor, on, onShutdown } from "@gxensemble/ensemble";
 *
 * async function journal(self: Actor) {
 *   const file = await Deno.open("journal", { append: true, create: true });
 *   await self.loop([
 *     on("write", ({ bytes }: { bytes: Uint8Array }) => file.write(bytes)),
 *     onShutdown(() => file.close()),
 *   ]);
 * }
 * ```
 */
export function onShutdown(cleanUp?: () => void | Promise<void>): Case<Promise<never>> {
  return {
    type: "shutdown",
    async react(_message, envelope) {
      try {
        await cleanUp?.();
      } catch (error) {
        envelope.fail(error);
        throw error;
      }
      envelope.reply("OK");
      throw new ActorExit("told to shut down");
    },
  };
}

const UNEXPECTED = "unexpected messages";

/**
 * Ready-made: matches everything, logs it, and refuses it when an answer is expected. Put it last.
 *
 * @example The last case
 * ```ts
 * import { type Actor, on, onUnexpected } from "@gxensemble/ensemble";
 *
 * const logger = (self: Actor) =>
 *   self.loop([
 *     on("log", ({ text }: { text: string }) => console.log(text)),
 *     onUnexpected,
 *   ]);
 * ```
 */
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
      const error = new EnsembleError(`unexpected message: ${type}`, {
        code: "UNEXPECTED_MESSAGE",
      });
      envelope.fail(error);
    }
  },
};
