/**
 * Asks with 64 outstanding, with telemetry: Deno sends the spans of both ends to a collector that drops
 * them.
 *
 * Beside it are the same with 1 of 100 traces sampled, and without telemetry.
 *
 * @module
 */
import type { Case, Contestant } from "../case.ts";
import { servers } from "../pair.ts";
import { asks } from "./outstanding.ts";

/** A contestant whose processes send telemetry. */
function traced(env: Record<string, string> = {}): Contestant {
  return async (run) => {
    await using collector = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        await request.body?.pipeTo(new WritableStream());
        return new Response();
      },
    );
    const telemetry = {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
      ...env,
    };
    return await servers(MODULE, asks, "unix", telemetry)(run);
  };
}

const MODULE = new URL("outstanding.ts", import.meta.url).href;

/** The cases. */
export const TELEMETRY: Case[] = [{
  name: "64 outstanding, telemetry",
  transport: "unix",
  figures: {
    rate: { unit: "/s", better: "more" },
    cpu: { unit: "us", better: "less" },
  },
  contestants: {
    project: traced(),
    sampled: traced({
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.01",
    }),
    off: servers(MODULE, asks, "unix"),
  },
}];
