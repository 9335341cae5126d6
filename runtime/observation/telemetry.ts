/**
 * Telemetry: what a server tells OpenTelemetry, through its API alone. The SDK of Deno, or that of
 * the program, sends it.
 *
 * @module
 */
import type { ActorServer } from "../server/actor_server.ts";
import { CallSpans } from "./call_spans.ts";
import type { StatusReader } from "./server_status.ts";
import { traceLog } from "./telemetry_log.ts";
import { collectMetrics } from "./telemetry_metrics.ts";

/** The telemetry of one server, until disposed. */
export class Telemetry implements Disposable {
  readonly #actors: ActorServer["actors"];
  readonly #spans: CallSpans;
  readonly #resources = new DisposableStack();

  /** Begins to make spans of a server's messages, and to trace its log. */
  constructor({ id, actors }: Pick<ActorServer, "id" | "actors">) {
    this.#actors = actors;
    this.#resources.use(traceLog());
    this.#spans = this.#resources.use(new CallSpans(id));
    actors.makeSpans(this.#spans);
  }

  /** Begins to collect the metrics of the server. */
  collectMetrics(status: Pick<StatusReader, "read">): void {
    const beforeCollection = () => this.#spans.sweep();
    this.#resources.use(collectMetrics({ status, beforeCollection }));
  }

  [Symbol.dispose](): void {
    this.#actors.makeSpans(undefined);
    this.#resources[Symbol.dispose]();
  }
}
