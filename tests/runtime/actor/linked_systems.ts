/**
 * Actor systems without a network. They are linked in memory, and each message passes through the
 * codec.
 */
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { Envelope } from "../../../runtime/actor/messaging.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { decodeEnvelope, encodeEnvelope } from "../wire/single_frames.ts";

/** Systems that can only reach each other, as servers do. */
export class LinkedSystems {
  readonly #systems = new Map<string, ActorSystem>();
  /** The envelopes that they sent to each other. */
  readonly sent: { to: string; envelope: Envelope }[] = [];
  /** Whether envelopes arrive. */
  connected = true;

  /** Starts a system that the others can reach. */
  start(name: string): ActorSystem {
    const id = name;
    const system = new ActorSystem(id);
    system.route = {
      send: (to, envelope) => {
        const receiver = this.#systems.get(to);
        if (!receiver || !this.connected) return false;
        const bytes = encodeEnvelope(envelope);
        this.sent.push({ to, envelope });
        queueMicrotask(() => receiver.deliver(decodeEnvelope(bytes, { source: id })));
        return true;
      },
      silence: () => undefined,
    };
    this.#systems.set(id, system);
    return system;
  }
}

/** A system that reaches no other. */
export function startSystem(): ActorSystem {
  return new LinkedSystems().start("here");
}

let lastNonce = 1;

/** An envelope without a real sender, for tests that have no system. */
export function envelopeOf(message: unknown, timeout?: number, replyTo?: number): Envelope {
  lastNonce += 2;
  const source = new ActorRef("sender", "asker");
  return new Envelope(message, "dest", source, lastNonce, replyTo, timeout, false, false);
}

/** Runs everything that is ready, without moving the clock. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** A clock with timers that the test moves. `using` restores the real ones. */
export class FakeTime implements Disposable {
  readonly #setTimeout = globalThis.setTimeout;
  readonly #clearTimeout = globalThis.clearTimeout;
  readonly #now = performance.now;
  readonly #timers = new Map<number, { at: number; run: () => void; referenced: boolean }>();
  #last = 0;
  /** The current time, in ms. */
  now = 1000;
  /** The longest delay of any timer. */
  longest = 0;

  /** Stops the clock. */
  constructor() {
    performance.now = () => this.now;
    globalThis.setTimeout = ((run: () => void, delay = 0) => {
      const id = ++this.#last;
      this.longest = Math.max(this.longest, delay);
      // Like the runtime, it uses 1 ms for a delay that is not a number or does not fit in 32 bits.
      const due = delay >= 1 && delay < 2 ** 31 ? delay : 1;
      const timer = { at: this.now + due, run, referenced: true };
      this.#timers.set(id, timer);
      return {
        ref: () => timer.referenced = true,
        unref: () => timer.referenced = false,
        [Symbol.toPrimitive]: () => id,
      };
    }) as unknown as typeof setTimeout;
    globalThis.clearTimeout =
      ((timer?: unknown) => void this.#timers.delete(Number(timer))) as typeof clearTimeout;
  }

  /** The number of running timers. */
  get timers(): number {
    return this.#timers.size;
  }

  /** The number of timers that keep the process alive. */
  get referenced(): number {
    return [...this.#timers.values()].filter(({ referenced }) => referenced).length;
  }

  /** Moves time forward, in ms, and runs the timers that expire, in order. */
  async pass(duration: number): Promise<void> {
    const until = this.now + duration;
    while (true) {
      await settle();
      const [id, next] = [...this.#timers].reduce<[number, { at: number; run: () => void }]>(
        (first, each) => each[1].at < first[1].at ? each : first,
        [0, { at: Infinity, run: () => {} }],
      );
      if (next.at > until) break;
      this.now = Math.max(this.now, next.at);
      this.#timers.delete(id);
      next.run();
    }
    this.now = until;
    await settle();
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#setTimeout;
    globalThis.clearTimeout = this.#clearTimeout;
    performance.now = this.#now;
  }
}
