/**
 * The pages that are open, each with a stream of server-sent events.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 * @module
 */
import type { ServerResponse } from "node:http";
import type { Changes, Snapshot } from "./page/page_protocol.ts";

/** The maximum number of open pages. */
const MAX_STREAMS = 16;

/** The bytes that may wait for a page. It then misses changes, and gets a snapshot afterwards. */
const MAX_WAITING = 1024 * 1024;

/** How long a page may read nothing until its stream ends, in ms. */
const PATIENCE = 60_000;

/** How often an event is sent at least, so that a page that is gone is noticed, in ms. */
const BEAT = 15_000;

/** One open page. */
interface Stream {
  readonly response: ServerResponse;
  /** Since when it misses changes, by `performance.now()`. */
  behindSince: number | undefined;
}

/** The streams of all open pages. */
export class EventStreams implements Disposable {
  readonly #streams = new Set<Stream>();
  readonly #takeSnapshot: () => Snapshot;
  readonly #onCount: (count: number) => void;
  readonly #timer: ReturnType<typeof setInterval>;

  /**
   * Creates it without streams.
   *
   * @param options.takeSnapshot gives all that a page needs, after everything else was sent.
   * @param options.onCount is called with the number of streams when it has changed.
   */
  constructor(
    { takeSnapshot, onCount }: {
      takeSnapshot: () => Snapshot;
      onCount: (count: number) => void;
    },
  ) {
    this.#takeSnapshot = takeSnapshot;
    this.#onCount = onCount;
    this.#timer = setInterval(() => this.#beat(), BEAT);
  }

  /** Whether no more pages can be open. */
  get isFull(): boolean {
    return this.#streams.size >= MAX_STREAMS;
  }

  /** Begins a stream with a snapshot, in a response whose headers are written. */
  open(response: ServerResponse): void {
    const stream: Stream = { response, behindSince: undefined };
    response.on("drain", () => this.#catchUp(stream));
    response.on("close", () => this.#remove(stream));
    response.on("error", () => this.#remove(stream));
    // A page that was cut off connects again after this time.
    response.write("retry: 1000\n\n");
    // Before the stream is among the others, which get first what this snapshot includes.
    response.write(eventText("snapshot", this.#takeSnapshot()));
    this.#streams.add(stream);
    this.#onCount(this.#streams.size);
  }

  /** Sends changes to all pages that are not behind. */
  send(changes: Changes): void {
    if (this.#streams.size === 0) return;
    const text = eventText("changes", changes);
    for (const stream of this.#streams) {
      if (stream.behindSince !== undefined) continue;
      if (stream.response.writableLength < MAX_WAITING) stream.response.write(text);
      else stream.behindSince = performance.now();
    }
  }

  /** Ends all streams. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const stream of this.#streams) {
      stream.response.destroy();
      this.#remove(stream);
    }
  }

  #catchUp(stream: Stream): void {
    if (stream.behindSince === undefined || !this.#streams.has(stream)) return;
    const snapshot = this.#takeSnapshot();
    stream.behindSince = undefined;
    stream.response.write(eventText("snapshot", snapshot));
  }

  #beat(): void {
    const limit = performance.now() - PATIENCE;
    for (const stream of this.#streams) {
      if (stream.behindSince === undefined) stream.response.write(": beat\n\n");
      else if (stream.behindSince < limit) stream.response.destroy();
    }
  }

  #remove(stream: Stream): void {
    if (this.#streams.delete(stream)) this.#onCount(this.#streams.size);
  }
}

/** JSON has no line breaks, which would end the data. */
function eventText(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
