/**
 * Following a trace of an actor of another server.
 *
 * @module
 */
import type { Messaging } from "../actor/messaging.ts";
import type { ActorRef } from "../actor/references.ts";
import { observerClient } from "./observer_protocol.ts";
import { MAX_TRACE_WAIT, type TraceNews } from "./trace_protocol.ts";

/** How long an answer may take beyond the time that the request waits, in ms. */
const PATIENCE = 10_000;

/** What is traced. */
export interface TraceOptions {
  /** The number of messages, at most 100,000. */
  readonly count: number;
  /** The time that it lasts, in ms, at most ten minutes. */
  readonly time: number;
  /** Whether messages are shown longer. */
  readonly full?: boolean | undefined;
}

/**
 * Begins to trace an actor. Gives what comes until the trace has ended, whose last part says why. It
 * also ends some seconds after the reader stops, and with the connection.
 *
 * @returns undefined if there is no such actor.
 * @throws {EnsembleError} if the server refuses, or is lost.
 */
export async function followActor(
  asker: Pick<Messaging, "ask">,
  { server, actor }: ActorRef,
  { count, time, full = false }: TraceOptions,
): Promise<AsyncGenerator<TraceNews, void> | undefined> {
  const observer = observerClient(asker, server);
  const { trace } = await observer.beginTrace({ actor, count, time, full });
  if (trace === undefined) return undefined;
  return (async function* () {
    let news: TraceNews;
    do {
      const timeout = MAX_TRACE_WAIT + PATIENCE;
      news = await observer.followTrace({ trace, wait: MAX_TRACE_WAIT }, { timeout });
      yield news;
    } while (!news.end);
  })();
}
