/**
 * The mailbox: envelopes in the order they came, taken selectively.
 *
 * @module
 */
import { type Case, findCase } from "./cases.ts";
import { type Envelope, messageType } from "./envelope.ts";

/** One envelope's place in the mailbox, in two doubly linked lists: of all, and of its type. */
class Slot {
  readonly envelope: Envelope;
  readonly order: number;
  readonly type: string | undefined;
  /** When it goes stale, on the clock of `performance.now()`. */
  readonly expiry: number | undefined;
  previous: Slot | undefined = undefined;
  next: Slot | undefined = undefined;
  previousOfType: Slot | undefined = undefined;
  nextOfType: Slot | undefined = undefined;

  constructor(envelope: Envelope, order: number) {
    this.envelope = envelope;
    this.order = order;
    this.type = messageType(envelope.message);
    const { timeToLive } = envelope;
    this.expiry = timeToLive === undefined ? undefined : performance.now() + timeToLive;
  }
}

/** The first and last slot of one type. */
interface TypeQueue {
  first: Slot | undefined;
  last: Slot | undefined;
}

/** What a receive took: the envelope and the case that matched it. */
export interface Taken<Result> {
  readonly envelope: Envelope;
  readonly reaction: Case<Result>;
}

/** How many envelopes a receive may pass over before the mailbox starts to index them by type. */
const SCAN_LIMIT = 32;

/**
 * A queue of envelopes from which the first that matches is taken and the others stay, in order.
 *
 * Taking costs as much as is passed over, until that is more than a few: then the mailbox keeps a
 * queue a message type, so a receive by type finds its envelope at once however long the backlog is.
 * (Cases with a guard function still have to be asked about each envelope.) The index is dropped when
 * the mailbox is empty again.
 */
export class Mailbox {
  #first: Slot | undefined;
  #last: Slot | undefined;
  #order = 0;
  #length = 0;
  #byType: Map<string | undefined, TypeQueue> | undefined;

  /** How many envelopes are waiting. */
  get length(): number {
    return this.#length;
  }

  /** Adds an envelope at the end. */
  push(envelope: Envelope): void {
    const slot = new Slot(envelope, this.#order++);
    slot.previous = this.#last;
    if (this.#last) this.#last.next = slot;
    else this.#first = slot;
    this.#last = slot;
    this.#length++;
    if (this.#byType) this.#index(slot, this.#byType);
  }

  /** Takes the first envelope that one of the cases matches; expired ones met on the way are dropped. */
  take<Result>(cases: readonly Case<Result>[]): Taken<Result> | undefined {
    if (this.#byType && cases.every((each) => each.type !== undefined)) {
      return this.#takeByType(cases, this.#byType);
    }
    let passed = 0;
    let slot = this.#first;
    while (slot) {
      if (isExpired(slot)) {
        this.#remove(slot);
      } else {
        const reaction = findCase(cases, slot.envelope);
        if (reaction) {
          this.#remove(slot);
          return { envelope: slot.envelope, reaction };
        }
        if (++passed === SCAN_LIMIT) this.#buildIndex();
      }
      // Not before: a guard may have added one.
      slot = slot.next;
    }
    return undefined;
  }

  /** Takes everything out, in order. */
  clear(): Envelope[] {
    const all: Envelope[] = [];
    for (let slot = this.#first; slot; slot = slot.next) all.push(slot.envelope);
    this.#first = this.#last = this.#byType = undefined;
    this.#length = 0;
    return all;
  }

  #takeByType<Result>(
    cases: readonly Case<Result>[],
    byType: Map<string | undefined, TypeQueue>,
  ): Taken<Result> | undefined {
    let best: Slot | undefined;
    let reaction: Case<Result> | undefined;
    for (const each of cases) {
      const queue = byType.get(each.type);
      while (queue?.first && isExpired(queue.first)) this.#remove(queue.first);
      const first = queue?.first;
      if (first && (!best || first.order < best.order)) {
        best = first;
        reaction = each;
      }
    }
    if (!best || !reaction) return undefined;
    this.#remove(best);
    return { envelope: best.envelope, reaction };
  }

  #buildIndex(): void {
    if (this.#byType) return;
    const byType = this.#byType = new Map<string | undefined, TypeQueue>();
    for (let slot = this.#first; slot; slot = slot.next) this.#index(slot, byType);
  }

  #index(slot: Slot, byType: Map<string | undefined, TypeQueue>): void {
    let queue = byType.get(slot.type);
    if (!queue) byType.set(slot.type, queue = { first: undefined, last: undefined });
    slot.previousOfType = queue.last;
    if (queue.last) queue.last.nextOfType = slot;
    else queue.first = slot;
    queue.last = slot;
  }

  #remove(slot: Slot): void {
    if (slot.previous) slot.previous.next = slot.next;
    else this.#first = slot.next;
    if (slot.next) slot.next.previous = slot.previous;
    else this.#last = slot.previous;
    const queue = this.#byType?.get(slot.type);
    if (queue) {
      if (slot.previousOfType) slot.previousOfType.nextOfType = slot.nextOfType;
      else queue.first = slot.nextOfType;
      if (slot.nextOfType) slot.nextOfType.previousOfType = slot.previousOfType;
      else queue.last = slot.previousOfType;
      if (!queue.first) this.#byType!.delete(slot.type);
    }
    if (--this.#length === 0) this.#byType = undefined;
  }
}

function isExpired({ expiry }: Slot): boolean {
  return expiry !== undefined && expiry <= performance.now();
}
