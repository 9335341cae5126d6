/**
 * The records of a trace as lines and as JSON.
 *
 * @module
 */
import type { TraceEnd, TraceRecord } from "../../runtime/observation/trace_protocol.ts";

/** Formats a record as one line. */
export function formatRecord(record: TraceRecord): string {
  const { at, number } = record;
  const time = new Date(at).toISOString().slice(11, 23);
  return [time, ...number === undefined ? [] : [`#${number}`], describe(record)].join(" ");
}

function describe({ kind, peer, type, text, waited, elapsed }: TraceRecord): string {
  const value = text === undefined ? "" : `: ${text}`;
  const name = type === undefined ? "" : ` ${type}`;
  switch (kind) {
    case "took": {
      const wait = waited === undefined ? "" : `, waited ${formatMs(waited)}`;
      return `took${name} from ${peer}${wait}${value}`;
    }
    case "told":
    case "asked":
      return `${kind} ${peer}${name}${value}`;
    default:
      return `${kind} after ${formatMs(elapsed ?? 0)}${value}`;
  }
}

/** Formats a time with three digits, but no finer than 1 us: `0.052 ms`, `1.23 ms`, `1230 ms`. */
function formatMs(ms: number): string {
  return `${ms < 100 ? Number(ms.toPrecision(3)).toFixed(decimals(ms)) : Math.round(ms)} ms`;
}

function decimals(ms: number): number {
  return ms < 1 ? 3 : ms < 10 ? 2 : 1;
}

/** Says why a trace has ended; undefined if it ended as it should. */
export function formatEnd({ why, reason }: TraceEnd, actor: string): string | undefined {
  switch (why) {
    case "actor":
      return `${actor} has ended${reason === undefined ? "" : `: ${reason}`}`;
    case "stopped":
      return `the trace of ${actor} was stopped by its server`;
    default:
      return undefined;
  }
}

/** Converts a record for `--json`. */
export function recordToJson(record: TraceRecord): object {
  const { kind, number, at, peer, type, text, waited, elapsed } = record;
  return {
    event: kind,
    number: number ?? null,
    at: new Date(at).toISOString(),
    peer: peer ?? null,
    type: type ?? null,
    text: text ?? null,
    waited: waited ?? null,
    elapsed: elapsed ?? null,
  };
}
