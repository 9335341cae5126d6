/**
 * Telemetry: what a server tells OpenTelemetry, through its API alone. What sends it is the SDK of Deno, or
 * that of the program.
 *
 * @module
 */
import type { ActorServer } from "../server/actor_server.ts";
import { CallSpans } from "./call_spans.ts";

/** Begins to make spans of a server's messages, until disposed. */
export function startTelemetry({ id, actors }: Pick<ActorServer, "id" | "actors">): Disposable {
  const spans = new CallSpans(id);
  actors.spans = spans;
  return {
    [Symbol.dispose]() {
      actors.spans = undefined;
      spans[Symbol.dispose]();
    },
  };
}
