/**
 * Actor systems without a network: linked in memory, each message through the codec.
 */
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { Envelope } from "../../../runtime/actor/messaging.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { decodeEnvelope, encodeEnvelope } from "../wire/single_frames.ts";

/** Systems that reach each other, as servers do, and no others. */
export class LinkedSystems {
  readonly #systems = new Map<string, ActorSystem>();
  /** The envelopes sent between them. */
  readonly sent: { to: string; envelope: Envelope }[] = [];
  /** Whether what is sent arrives. */
  connected = true;

  /** Starts a system that the others reach. */
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

/** One system that reaches no other. */
export function startSystem(): ActorSystem {
  return new LinkedSystems().start("here");
}

let lastNonce = 1;

/** An envelope from nobody in particular, for what is tested without a system. */
export function envelopeOf(message: unknown, timeout?: number, replyTo?: number): Envelope {
  lastNonce += 2;
  const source = new ActorRef("sender", "asker");
  return new Envelope(message, "dest", source, lastNonce, replyTo, timeout, false, false);
}

/** Lets all that is ready run, without the clock. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** A clock and timers that go on only when told to; the real ones are back with `using`. */
export class FakeTime implements Disposable {
  readonly #setTimeout = globalThis.setTimeout;
  readonly #clearTimeout = globalThis.clearTimeout;
  readonly #now = performance.now;
  readonly #timers = new Map<number, { at: number; run: () => void; referenced: boolean }>();
  #last = 0;
  /** What the clock shows, in ms. */
  now = 1000;
  /** The longest delay that a timer was given. */
  longest = 0;

  /** Stops the clock. */
  constructor() {
    performance.now = () => this.now;
    globalThis.setTimeout = ((run: () => void, delay = 0) => {
      const id = ++this.#last;
      this.longest = Math.max(this.longest, delay);
      // As the runtime: a delay that does not fit into 32 bits, or is none, is 1 ms.
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

  /** How many timers run. */
  get timers(): number {
    return this.#timers.size;
  }

  /** How many of them keep the process alive. */
  get referenced(): number {
    return [...this.#timers.values()].filter(({ referenced }) => referenced).length;
  }

  /** Lets time pass, in ms, and what falls due happen in its order. */
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
