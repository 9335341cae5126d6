/**
 * Spans of asks and tells, at both of their ends, and how long they take.
 *
 * @module
 */
import {
  type Attributes,
  type Context,
  context,
  type Histogram,
  metrics,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "npm:@opentelemetry/api@~1.9.0";
import type { Actor } from "../actor/actor.ts";
import { ActorExit, onUnexpected } from "../actor/cases.ts";
import type { Taken } from "../actor/mailbox.ts";
import type { MessageSpans, OpenSpan } from "../actor/message_spans.ts";
import { type Envelope, isPromise, messageType } from "../actor/messaging.ts";
import { type ActorId, type ActorRef, REGISTRY_ID, SERVER_ACTOR } from "../actor/references.ts";
import { describeThrown, isRefusal, reportThrown } from "../error_report.ts";
import { EnsembleError, isErrorCode } from "../errors.ts";
import { shorten } from "../safe_text.ts";
import { VERSION } from "../version.ts";
import { incomingContext, isUnsampled, outgoingTrace } from "./trace_context.ts";

const SYSTEM = "gxensemble";

/** The actors that are parts of servers. What they are asked has no spans: it would hide the rest. */
const PARTS: ReadonlySet<ActorId> = new Set([SERVER_ACTOR, REGISTRY_ID, "loader", "observer"]);

/** The messages of the runtime to any actor, likewise. */
const SYSTEM_TYPES: ReadonlySet<string | undefined> = new Set([
  "ping",
  "shutdown",
  "down",
  "handler-exchange",
]);

/** The longest type of a message in the name of a span, and the longest description of an error. */
const MAX_NAME = 64;
const MAX_DESCRIPTION = 500;

/** The longest stack of an error in a span, in UTF-16 code units. */
const MAX_STACK = 4_000;

/** The number of open spans from which those whose senders have given up are ended. */
const FIRST_SWEEP = 1024;

/** The bounds of the histograms, in seconds: those of the semantic conventions. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** How the names that the runtime does not know are written, by the semantic conventions. */
const OTHER = "_OTHER";

/** What a span is about, and what is measured of it. */
interface Call {
  readonly span: Span | undefined;
  readonly histogram: Histogram | undefined;
  readonly attributes: Attributes;
  /** Whether it has a status code in the sense of the conventions for RPC. */
  readonly isRequest: boolean;
}

/** A span until its end, which comes once. */
class CallSpan implements OpenSpan {
  /** What its end waits for, if not for an answer. */
  work: Promise<void> | undefined;
  readonly #call: Call;
  readonly #began = performance.now();
  #isOpen = true;

  constructor(call: Call) {
    this.#call = call;
  }

  end(error?: unknown): void {
    this.#end(performance.now(), error);
  }

  /** Ends it at a time by `performance.now()`, since its sender does not wait any longer. */
  expire(at: number): void {
    this.#end(at, new EnsembleError("the sender does not wait any longer", { code: "TIMEOUT" }));
  }

  /** Adds an error with its stack. */
  note(error: unknown): void {
    if (!this.#isOpen || isRefusal(error)) return;
    this.#call.span?.recordException({
      name: error instanceof Error ? shorten(`${error.name}`) : "Error",
      message: shorten(describeThrown(error), MAX_DESCRIPTION),
      stack: reportThrown(error, MAX_STACK),
    });
  }

  #end(at: number, error: unknown): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { span, histogram, attributes, isRequest } = this.#call;
    const outcome: Attributes = {};
    if (error !== undefined) outcome["error.type"] = typeOfError(error);
    if (isRequest) outcome["rpc.response.status_code"] = outcome["error.type"] ?? "OK";
    histogram?.record((at - this.#began) / 1000, { ...attributes, ...outcome });
    if (!span) return;
    span.setAttributes(outcome);
    if (error !== undefined) {
      const message = shorten(messageOf(error), MAX_DESCRIPTION);
      span.setStatus({ code: SpanStatusCode.ERROR, message });
    }
    span.end(Date.now() + at - performance.now());
  }
}

/** Makes the spans of one server's messages. */
export class CallSpans implements MessageSpans, Disposable {
  readonly #id: string;
  readonly #tracer = trace.getTracer(SYSTEM, VERSION);
  readonly #asked: Histogram;
  readonly #answered: Histogram;
  readonly #processed: Histogram;
  /** Spans of messages that are being handled, or whose answers are still to come. */
  readonly #open = new Map<Envelope, CallSpan>();
  #sweepAt = FIRST_SWEEP;

  /** Makes spans for the server with this id. */
  constructor(id: string) {
    this.#id = id;
    const meter = metrics.getMeter(SYSTEM, VERSION);
    const histogram = (name: string, description: string) =>
      meter.createHistogram(name, {
        description,
        unit: "s",
        advice: { explicitBucketBoundaries: BOUNDS },
      });
    this.#asked = histogram("rpc.client.call.duration", "How long asks take, at their senders.");
    this.#answered = histogram(
      "rpc.server.call.duration",
      "How long requests take to be answered.",
    );
    this.#processed = histogram("messaging.process.duration", "How long handlers of tells take.");
  }

  /** See {@linkcode MessageSpans.asked}. */
  asked(envelope: Envelope, dest: ActorRef): OpenSpan | undefined {
    const type = typeOf(envelope);
    if (PARTS.has(dest.actor) || SYSTEM_TYPES.has(type)) return undefined;
    const attributes: Attributes = {
      "rpc.system.name": SYSTEM,
      "rpc.method": methodOf(dest.actor, type),
      "server.address": dest.server,
    };
    const begun = this.#begin(SpanKind.CLIENT, attributes, context.active());
    markTrace(envelope, begun.context);
    return new CallSpan({ ...begun, histogram: this.#asked, attributes, isRequest: true });
  }

  /** See {@linkcode MessageSpans.told}. */
  told(envelope: Envelope, dest: ActorRef): void {
    const type = typeOf(envelope);
    if (dest.equals(envelope.source) || PARTS.has(dest.actor) || SYSTEM_TYPES.has(type)) return;
    const attributes = {
      ...messageAttributes({ actor: dest.actor, server: dest.server, type }),
      "messaging.operation.name": "tell",
      "messaging.operation.type": "send",
    };
    const begun = this.#begin(SpanKind.PRODUCER, attributes, context.active());
    markTrace(envelope, begun.context);
    begun.span?.end();
  }

  /** See {@linkcode MessageSpans.react}. */
  react<Result>({ envelope, reaction }: Taken<Result>, actor: Actor): Result {
    const { message, source, trace: from, session, replyExpected } = envelope;
    const run = () => reaction.react(message as never, envelope);
    const type = typeOf(envelope);
    const id = actor.name ?? actor.serial;
    if (PARTS.has(id) || SYSTEM_TYPES.has(type) || actor.ref.equals(source)) {
      return context.with(ROOT_CONTEXT, run);
    }
    const known = reaction.type ?? (reaction === onUnexpected ? undefined : type);
    const parent = incomingContext(from, session !== undefined);
    const begun = replyExpected
      ? this.#beginRequest({ id, type: known, source, parent })
      : this.#beginMessage({ id, type: known, source, parent });
    const call = new CallSpan(begun);
    this.#keep(envelope, call);
    try {
      const result = context.with(begun.context, run);
      if (!replyExpected) this.#endWith(envelope, call, call.work ?? result);
      return result;
    } catch (error) {
      // That of a request ends with its answer.
      if (!replyExpected) this.#endNow(envelope, call, error);
      throw error;
    }
  }

  /** See {@linkcode MessageSpans.continues}. */
  continues(envelope: Envelope, work: Promise<void>): void {
    const call = this.#open.get(envelope);
    if (call) call.work = work;
  }

  /** See {@linkcode MessageSpans.failed}. */
  failed(envelope: Envelope, error: unknown): void {
    const call = this.#open.get(envelope);
    call?.note(error);
    if (!envelope.replyExpected && call) this.#endNow(envelope, call, error);
  }

  /** See {@linkcode MessageSpans.answered}. */
  answered(envelope: Envelope, value: unknown, failed: boolean): void {
    const call = this.#open.get(envelope);
    if (call) this.#endNow(envelope, call, failed ? value : undefined);
  }

  /**
   * Ends the spans of requests that are not answered, and whose senders have given up, and those of
   * other messages whose handlers go on although their actors have ended.
   */
  sweep(): void {
    const now = performance.now();
    for (const [envelope, call] of this.#open) {
      const { expires = Infinity, replyExpected, recipient } = envelope;
      if (replyExpected && expires <= now) {
        call.expire(expires);
        this.#open.delete(envelope);
      } else if (!replyExpected && (recipient as Actor).activity === "dead") {
        const reason = `${recipient!.ref} has ended`;
        this.#endNow(envelope, call, new EnsembleError(reason, { code: "ACTOR_ENDED" }));
      }
    }
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#open.size);
  }

  /** Ends all open spans, when the server has stopped. */
  [Symbol.dispose](): void {
    const error = new EnsembleError(`${this.#id} has stopped`, { code: "SERVER_STOPPING" });
    for (const [envelope, call] of this.#open) this.#endNow(envelope, call, error);
  }

  #keep(envelope: Envelope, call: CallSpan): void {
    this.#open.set(envelope, call);
    if (this.#open.size >= this.#sweepAt) this.sweep();
  }

  #endNow(envelope: Envelope, call: CallSpan, error: unknown): void {
    this.#open.delete(envelope);
    // An actor that ends itself has not failed.
    call.end(error instanceof ActorExit ? undefined : error);
  }

  #endWith(envelope: Envelope, call: CallSpan, result: unknown): void {
    if (!isPromise(result)) return this.#endNow(envelope, call, undefined);
    void Promise.resolve(result).then(
      () => this.#endNow(envelope, call, undefined),
      (error) => this.#endNow(envelope, call, error),
    );
  }

  /** Begins the span of a request that an actor has taken. */
  #beginRequest({ id, type, source, parent }: TakenMessage): Call & { readonly context: Context } {
    const attributes: Attributes = {
      "rpc.system.name": SYSTEM,
      "rpc.method": methodOf(id, type),
      "server.address": this.#id,
    };
    const all = { ...attributes, "client.address": source.server };
    const begun = this.#begin(SpanKind.SERVER, all, parent);
    return { ...begun, histogram: this.#answered, attributes, isRequest: true };
  }

  /** Begins the span of a message that an actor has taken, and to which no answer is expected. */
  #beginMessage({ id, type, source, parent }: TakenMessage): Call & { readonly context: Context } {
    const attributes: Attributes = {
      ...messageAttributes({ actor: id, server: this.#id, type }),
      "messaging.operation.name": "handle",
      "messaging.operation.type": "process",
    };
    const all = { ...attributes, "client.address": source.server };
    const begun = this.#begin(SpanKind.CONSUMER, all, parent);
    return { ...begun, histogram: this.#processed, attributes, isRequest: false };
  }

  /** Begins a span, unless none of its trace are recorded. */
  #begin(
    kind: SpanKind,
    attributes: Attributes,
    parent: Context,
  ): { readonly span: Span | undefined; readonly context: Context } {
    if (isUnsampled(parent)) return { span: undefined, context: parent };
    const span = this.#tracer.startSpan(nameOf(attributes), { kind, attributes }, parent);
    return { span, context: trace.setSpan(parent, span) };
  }
}

/** Has a message carry the trace of a context. */
function markTrace(envelope: Envelope, from: Context): void {
  const trace = outgoingTrace(from);
  if (trace) envelope.trace = trace;
}

/** A message that an actor has taken, and the context that it came with. */
interface TakenMessage {
  readonly id: ActorId;
  readonly type: string | undefined;
  readonly source: ActorRef;
  readonly parent: Context;
}

function messageAttributes({ actor, server, type }: {
  readonly actor: ActorId;
  readonly server: string;
  readonly type: string | undefined;
}): Attributes {
  return {
    "messaging.system": SYSTEM,
    "messaging.destination.name": serviceOf(actor),
    "server.address": server,
    "gxensemble.message.type": type === undefined ? OTHER : shorten(type, MAX_NAME),
  };
}

/** The name of a span, by the semantic conventions for RPC and for messaging. */
function nameOf(attributes: Attributes): string {
  const method = attributes["rpc.method"];
  if (method !== undefined) return `${method}`;
  return `${attributes["messaging.operation.name"]} ${attributes["messaging.destination.name"]}`;
}

/** The method of a request: `counter/add`. */
function methodOf(actor: ActorId, type: string | undefined): string {
  return `${serviceOf(actor)}/${type === undefined ? OTHER : shorten(type, MAX_NAME)}`;
}

/** An actor without a name may be one of very many. */
function serviceOf(actor: ActorId): string {
  return typeof actor === "string" ? actor : "unnamed";
}

function typeOf({ message }: Envelope): string | undefined {
  try {
    return messageType(message);
  } catch {
    return undefined; // A getter or a proxy that throws.
  }
}

/** The code of an error or of a failure in the form in which it is sent. */
function typeOfError(error: unknown): string {
  const { code, name } = asParts(error);
  if (isErrorCode(code)) return code;
  return error instanceof DOMException && typeof name === "string" ? name : "FAILED";
}

function messageOf(error: unknown): string {
  const { message } = asParts(error);
  return typeof message === "string" ? message : describeThrown(error);
}

function asParts(error: unknown): { code?: unknown; name?: unknown; message?: unknown } {
  try {
    const { code, name, message } = error as EnsembleError;
    return { code, name, message };
  } catch {
    return {}; // It cannot be inspected.
  }
}
