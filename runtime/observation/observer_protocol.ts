/**
 * The protocol of the actor `observer`, which every registered server and the registry serve: what
 * an operator can see of a server.
 *
 * @module
 */
import type { AskOptions, Destination, Messaging } from "../actor/messaging.ts";
import { ActorRef } from "../actor/references.ts";
import { type Client, client, type RequestChecks } from "../actor/service.ts";
import { EnsembleError } from "../errors.ts";
import { answerChecks, requestChecks } from "../server/request_checks.ts";
import { busiestAnswers, busiestChecks, type BusiestHandlers } from "./busiest_protocol.ts";
import { logAnswers, logChecks, type LogHandlers } from "./log_protocol.ts";
import { profileAnswers, profileChecks, type ProfileHandlers } from "./profile_protocol.ts";
import { statusAnswers, statusChecks, type StatusHandlers } from "./status_protocol.ts";
import { traceAnswers, traceChecks, type TraceHandlers } from "./trace_protocol.ts";

/** The name of the actor. */
export const OBSERVER_ACTOR = "observer";

/** The handlers of the actor `observer`, for `client`. */
export type ObserverHandlers =
  & StatusHandlers
  & BusiestHandlers
  & LogHandlers
  & TraceHandlers
  & ProfileHandlers;

/** The checks of the actor `observer`. */
export const observerChecks: RequestChecks = requestChecks<ObserverHandlers>({
  ...statusChecks,
  ...busiestChecks,
  ...logChecks,
  ...traceChecks,
  ...profileChecks,
});

/** The checks of answers from another server's actor `observer`. */
const observerAnswers = answerChecks<ObserverHandlers>({
  ...statusAnswers,
  ...busiestAnswers,
  ...logAnswers,
  ...traceAnswers,
  ...profileAnswers,
});

/**
 * A server's observer: `status`, `history`, `busiest` and more. If the server has no such actor, the
 * error says that it runs an older version.
 */
export function observerClient(
  asker: Pick<Messaging, "ask">,
  server: string,
): Client<ObserverHandlers> {
  const observer = new ActorRef(server, OBSERVER_ACTOR);
  const explaining = {
    async ask<Reply>(dest: Destination, message: unknown, options?: AskOptions): Promise<Reply> {
      try {
        return await asker.ask<Reply>(dest, message, options);
      } catch (error) {
        if (!isUnknownActor(error) || await hasObserver(asker, observer)) throw error;
        throw withoutObserver(server, error);
      }
    },
  };
  return client<ObserverHandlers>(explaining, observer, { answers: observerAnswers });
}

function isUnknownActor(error: unknown): boolean {
  return error instanceof EnsembleError && error.code === "UNKNOWN_ACTOR";
}

/** The unknown actor may be another one, which the request was about. */
async function hasObserver(asker: Pick<Messaging, "ask">, observer: ActorRef): Promise<boolean> {
  try {
    await asker.ask(observer, { type: "ping" });
    return true;
  } catch (error) {
    return !isUnknownActor(error);
  }
}

function withoutObserver(server: string, cause: unknown): EnsembleError {
  return new EnsembleError(
    `${server} runs a version of gxensemble that cannot be observed: it has no actor ` +
      `${OBSERVER_ACTOR}. Restart it with a newer version`,
    { code: "UNKNOWN_ACTOR", cause },
  );
}
