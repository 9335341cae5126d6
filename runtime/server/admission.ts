/**
 * Which clients of a listener are in their handshake, and which wait for it.
 *
 * @module
 */
import { HANDSHAKE_TIMEOUT, MAX_HANDSHAKES } from "../wire/limits.ts";

/** How many more clients may wait for their handshake to begin. */
const MAX_WAITING = 1024;

/** If the first of them has waited for this long, in ms, no more are taken. */
const LONG_WAIT = 2_000;

/** While some wait, how often is looked for clients that keep others waiting, in ms. */
export const CHECK_INTERVAL = 100;

/**
 * How many checks in a row a client may owe its hello, or its response: about 1.5 s, since a
 * busy host may take one to sign. Not a time: however late a check is, what the client has sent was
 * read before the next one.
 */
const PATIENCE = 15;

/** How many messages a client sends in its handshake. */
const MESSAGES = 2;

/** Ends a handshake, with the reason. */
type Close = (message: string) => void;

/** A client, from when it was accepted until its handshake is over. */
export class Admitted {
  readonly #close: Close;
  readonly #over: (client: Admitted) => void;
  readonly #timer: ReturnType<typeof setTimeout>;
  #messages = 0;
  #checks = 0;

  /** `used` is how much of its timeout is already used, in ms; `over` is called at its end. */
  constructor(
    { close, used, over }: { close: Close; used: number; over: (client: Admitted) => void },
  ) {
    this.#close = close;
    this.#over = over;
    this.#timer = setTimeout(
      () => this.refuse(`no handshake within ${HANDSHAKE_TIMEOUT} ms`),
      HANDSHAKE_TIMEOUT - used,
    );
    this.#timer.unref();
  }

  /** To be called for each message that it has sent. */
  heard(): void {
    this.#messages++;
    this.#checks = 0;
  }

  /** Counts a check. Returns whether it keeps others waiting for too long. */
  check(): boolean {
    return ++this.#checks > PATIENCE && this.#messages < MESSAGES;
  }

  /** Closes its stream. */
  refuse(message: string): void {
    this.end();
    this.#close(message);
  }

  /** To be called when its handshake is over. */
  end(): void {
    clearTimeout(this.#timer);
    this.#over(this);
  }
}

/**
 * The handshakes at a listener, at most {@linkcode MAX_HANDSHAKES} at once, and none longer than
 * {@linkcode HANDSHAKE_TIMEOUT}. Further clients wait for their turn, as when thousands of servers
 * come back to a registry: what is begun is finished, since a closed client would only come again.
 * When many wait, or have waited for long, others are turned away at once, so that they can come
 * back when there is time for them. Clients that do not go on with their handshake are closed while
 * others wait.
 */
export class Admission {
  readonly #underWay = new Set<Admitted>();
  /** Oldest first, with the time of each, and what lets it begin. */
  readonly #waiting = new Map<Admitted, { readonly since: number; begin(): void }>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** How many clients wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Takes a client that was accepted.
   *
   * @param close closes its stream; called with the reason when a limit is reached.
   * @param used how much of its timeout is already used, in ms.
   * @returns the client when its handshake may begin; undefined if it has to come again.
   */
  async admit(close: Close, used = 0): Promise<Admitted | undefined> {
    const isFull = this.#underWay.size >= MAX_HANDSHAKES || this.#waiting.size > 0;
    if (isFull && this.#isCrowded()) return undefined;
    const client = new Admitted({ close, used, over: (client) => this.#remove(client) });
    if (!isFull) this.#underWay.add(client);
    else await this.#turn(client);
    return client;
  }

  #isCrowded(): boolean {
    const [first] = this.#waiting.values();
    return first !== undefined &&
      (this.#waiting.size >= MAX_WAITING || performance.now() - first.since > LONG_WAIT);
  }

  /** Waits until a client may begin, or is refused. */
  #turn(client: Admitted): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(client, { since: performance.now(), begin: resolve });
    this.#timer ??= setInterval(() => this.#check(), CHECK_INTERVAL);
    return promise;
  }

  #remove(client: Admitted): void {
    this.#underWay.delete(client);
    // It waits no longer, since its stream is closed.
    this.#waiting.get(client)?.begin();
    this.#waiting.delete(client);
    this.#beginNext();
  }

  #beginNext(): void {
    for (const [client, { begin }] of this.#waiting) {
      if (this.#underWay.size >= MAX_HANDSHAKES) return;
      this.#waiting.delete(client);
      this.#underWay.add(client);
      begin();
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    for (const client of [...this.#underWay]) {
      if (client.check() && this.#waiting.size > 0) client.refuse("too many handshakes at once");
    }
  }
}
