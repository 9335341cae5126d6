/**
 * The queue of a mailbox: the first envelope that matches is taken, and the others stay in order.
 *
 * @module
 */
import { coarseNow } from "../clock.ts";
import type { Case, Taken } from "./mailbox.ts";
import type { Envelope } from "./messaging.ts";

/** The number of envelopes that a receive passes over before the queue makes an index. */
const SCAN_LIMIT = 32;

/** The number of places at first, a power of 2. */
const FIRST_CAPACITY = 8;

/** The largest number of places that an empty queue keeps. */
const MAX_IDLE_CAPACITY = 1024;

/** The number of positions that a list of the index has passed before it drops them. */
const MAX_PASSED = 64;

/** The positions of the envelopes that one case matches, in order. Those removed are skipped. */
interface Positions {
  readonly positions: number[];
  next: number;
  /** The number of them that were not removed. */
  left: number;
}

/** Finds envelopes without passing over others. */
class Index {
  readonly #byType = new Map<string | undefined, Positions>();
  readonly #byReply = new Map<number, Positions>();

  get size(): number {
    return this.#byType.size + this.#byReply.size;
  }

  /** The positions of the envelopes that match a case, which has a `type` or a `replyTo`. */
  of({ type, replyTo }: Case<unknown>): Positions | undefined {
    return type !== undefined ? this.#byType.get(type) : this.#byReply.get(replyTo!);
  }

  add({ type, replyTo }: Envelope, position: number): void {
    add(this.#byType, { key: type, position });
    if (replyTo !== undefined) add(this.#byReply, { key: replyTo, position });
  }

  remove({ type, replyTo }: Envelope): void {
    remove(this.#byType, type);
    if (replyTo !== undefined) remove(this.#byReply, replyTo);
  }
}

function add<Key>(
  lists: Map<Key, Positions>,
  { key, position }: { key: Key; position: number },
): void {
  const list = lists.get(key);
  if (!list) {
    lists.set(key, { positions: [position], next: 0, left: 1 });
    return;
  }
  list.positions.push(position);
  list.left++;
}

function remove<Key>(lists: Map<Key, Positions>, key: Key): void {
  const list = lists.get(key)!;
  if (--list.left === 0) lists.delete(key);
}

/**
 * A queue of envelopes, from which any may be taken.
 *
 * It is a ring of places with positions that count up. An envelope that is taken from the middle
 * leaves its place empty, until the ring is full and is made anew.
 *
 * The cost of taking one is the number of envelopes passed over, until there are more than a few.
 * Then the queue is indexed by message type and by the nonce of answers, so that a receive by these
 * finds its envelope at once, however long the backlog is. (A case with a guard still has to check
 * each envelope.) The index is dropped when the queue is empty again.
 */
export class MessageQueue {
  #places: (Envelope | undefined)[] = [];
  /** The position of the first envelope. */
  #head = 0;
  /** The position of the next one to be added. */
  #tail = 0;
  #length = 0;
  #index: Index | undefined;

  /** The number of waiting envelopes. */
  get length(): number {
    return this.#length;
  }

  /** The number of keys of its index, types and nonces; undefined if there is no index. */
  get keys(): number | undefined {
    return this.#index?.size;
  }

  /**
   * Adds an envelope at the end; `type` is the type of its message. Returns the number of waiting
   * envelopes.
   */
  push(envelope: Envelope, type: string | undefined): number {
    envelope.type = type;
    const { timeout } = envelope;
    if (timeout !== undefined) envelope.expires ??= coarseNow() + timeout;
    if (this.#tail - this.#head === this.#places.length) this.#makeRoom();
    const position = this.#tail++;
    this.#places[position & (this.#places.length - 1)] = envelope;
    this.#index?.add(envelope, position);
    return ++this.#length;
  }

  /** Takes the first envelope that matches a case. Expired ones on the way are dropped. */
  take<Result>(cases: readonly Case<Result>[]): Taken<Result> | undefined {
    if (this.#index && cases.every(isIndexed)) return this.#takeIndexed(cases, this.#index);
    let passed = 0;
    for (let position = this.#head; position < this.#tail; position++) {
      const envelope = this.#at(position);
      if (!envelope) continue;
      if (isExpired(envelope)) {
        this.#remove(envelope, position);
        continue;
      }
      const reaction = findCase(cases, envelope, envelope.type);
      if (reaction) {
        // A guard may have added messages, and so moved this one.
        while (position < this.#tail && this.#at(position) !== envelope) position++;
        if (position < this.#tail) this.#remove(envelope, position);
        return { envelope, reaction };
      }
      if (++passed === SCAN_LIMIT) {
        this.#index ??= this.#makeIndex();
        if (cases.every(isIndexed)) return this.#takeIndexed(cases, this.#index);
      }
    }
    return undefined;
  }

  /** Takes the first envelope. */
  shift(): Envelope | undefined {
    if (this.#length === 0) return undefined;
    const first = this.#at(this.#head)!;
    this.#remove(first, this.#head);
    return first;
  }

  /** Drops expired envelopes at its head. */
  dropExpired(): void {
    while (this.#length > 0) {
      const first = this.#at(this.#head)!;
      if (!isExpired(first)) break;
      this.#remove(first, this.#head);
    }
  }

  /** Takes out all envelopes, in order, and returns those that have not expired. */
  clear(): Envelope[] {
    const all: Envelope[] = [];
    for (let position = this.#head; position < this.#tail; position++) {
      const envelope = this.#at(position);
      if (envelope && !isExpired(envelope)) all.push(envelope);
    }
    this.#places = [];
    this.#head = this.#tail = this.#length = 0;
    this.#index = undefined;
    return all;
  }

  #takeIndexed<Result>(cases: readonly Case<Result>[], index: Index): Taken<Result> | undefined {
    let first = Infinity;
    let reaction: Case<Result> | undefined;
    for (const each of cases) {
      const position = this.#firstOf(each, index);
      if (position < first) {
        first = position;
        reaction = each;
      }
    }
    if (!reaction) return undefined;
    const envelope = this.#at(first)!;
    this.#remove(envelope, first);
    return { envelope, reaction };
  }

  /** The position of the first envelope that matches a case; `Infinity` if none does. */
  #firstOf(wanted: Case<unknown>, index: Index): number {
    for (let list; (list = index.of(wanted));) {
      const position = list.positions[list.next]!;
      const envelope = position < this.#head ? undefined : this.#at(position);
      if (envelope && !isExpired(envelope)) return position;
      // The last one takes the list out of the index.
      if (envelope) this.#remove(envelope, position);
      if (++list.next > MAX_PASSED && 2 * list.next > list.positions.length) {
        list.positions.splice(0, list.next);
        list.next = 0;
      }
    }
    return Infinity;
  }

  #makeIndex(): Index {
    const index = new Index();
    for (let position = this.#head; position < this.#tail; position++) {
      const envelope = this.#at(position);
      if (envelope) index.add(envelope, position);
    }
    return index;
  }

  #at(position: number): Envelope | undefined {
    return this.#places[position & (this.#places.length - 1)];
  }

  #remove(envelope: Envelope, position: number): void {
    this.#places[position & (this.#places.length - 1)] = undefined;
    this.#index?.remove(envelope);
    if (--this.#length === 0) this.#rest();
    else if (position === this.#head) this.#advance();
  }

  /** Moves the head to the first envelope. */
  #advance(): void {
    while (!this.#at(++this.#head));
  }

  /** Begins anew, when the last envelope was removed. */
  #rest(): void {
    this.#index = undefined;
    this.#head = this.#tail;
    if (this.#places.length > MAX_IDLE_CAPACITY) this.#places = [];
  }

  /** Makes room for more envelopes: in a larger ring, unless most places are empty. */
  #makeRoom(): void {
    const size = this.#places.length;
    const isSparse = this.#length * 2 <= size;
    const capacity = Math.max(FIRST_CAPACITY, isSparse ? size : size * 2);
    const places = new Array<Envelope | undefined>(capacity).fill(undefined);
    // The last one keeps its position, and the others come closer to it. So a receive whose guard
    // adds a message may see one again, and misses none.
    let position = this.#tail;
    for (let from = this.#tail - 1; from >= this.#head; from--) {
      const envelope = this.#at(from);
      if (envelope) places[--position & (capacity - 1)] = envelope;
    }
    this.#places = places;
    this.#head = position;
    if (this.#index) this.#index = this.#makeIndex();
  }
}

function isIndexed({ type, replyTo }: Case<unknown>): boolean {
  return type !== undefined || replyTo !== undefined;
}

function isExpired({ expires }: Envelope): boolean {
  return expires !== undefined && expires <= coarseNow();
}

/** Finds the first case that matches an envelope. `type` is the type of its message. */
export function findCase<Result>(
  cases: readonly Case<Result>[],
  envelope: Envelope,
  type: string | undefined,
): Case<Result> | undefined {
  for (let i = 0; i < cases.length; i++) {
    const candidate = cases[i]!;
    if (
      candidate.type !== undefined
        ? candidate.type === type
        : candidate.replyTo !== undefined
        ? candidate.replyTo === envelope.replyTo
        : candidate.matches?.(envelope)
    ) {
      return candidate;
    }
  }
  return undefined;
}
