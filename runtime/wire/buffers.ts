/**
 * Buffers that no stream uses. Memory that was used before is many times faster than fresh memory, which
 * the system provides page by page.
 *
 * @module
 */

/** The size of the buffers of streams with some traffic, in bytes: what one turn writes to a peer, mostly. */
export const SMALL_CAPACITY = 8 * 1024;

/** The size of the buffers of busy streams, in bytes. Larger ones have a power of two times as many. */
export const BUSY_CAPACITY = 64 * 1024;

/** The maximum number of unused small buffers. A thousand connections may write in one turn. */
const MAX_SMALL = 1024;

/** The largest buffer that its user keeps while it needs less, in bytes. */
export const MAX_KEPT = 4 * 1024 * 1024;

/**
 * The maximum number of unused buffers of {@linkcode BUSY_CAPACITY}. Most connections are idle, and a
 * server may have thousands.
 */
const MAX_SPARE = 32;

/** The same for larger ones. */
const MAX_LARGE = 16;

const small: Uint8Array<ArrayBuffer>[] = [];
const spare: Uint8Array<ArrayBuffer>[] = [];

/** The larger ones. They are garbage unless they are used before it is collected. */
const large: WeakRef<Uint8Array<ArrayBuffer>>[] = [];

/**
 * The size of a block that is freed unused, in bytes, once a process uses large buffers. The C
 * library of most Linux systems then keeps up to twice as much free memory, which large payloads
 * use again. Without this, it returns the memory of freed payloads to the system, and the next ones
 * wait for fresh memory. See mallopt(3) on the dynamic M_MMAP_THRESHOLD, which a block of more than
 * 32 MiB does not change.
 */
const KEPT_MEMORY = 31 * 1024 * 1024;

/** After how many large buffers that is done. A command that sends a few would only take longer. */
const MANY = 16;

let takenLarge = 0;

/** A buffer of at least `needed` bytes, by default of {@linkcode BUSY_CAPACITY}. Its bytes are arbitrary. */
export function takeBuffer(needed: number = BUSY_CAPACITY): Uint8Array<ArrayBuffer> {
  if (needed <= SMALL_CAPACITY) return small.pop() ?? new Uint8Array(SMALL_CAPACITY);
  if (needed <= BUSY_CAPACITY) return spare.pop() ?? new Uint8Array(BUSY_CAPACITY);
  if (++takenLarge === MANY) new ArrayBuffer(KEPT_MEMORY).transfer(0);
  let capacity = 2 * BUSY_CAPACITY;
  while (capacity < needed) capacity *= 2;
  for (let i = large.length - 1; i >= 0; i--) {
    const buffer = large[i]!.deref();
    if (buffer && buffer.length !== capacity) continue;
    large.splice(i, 1);
    if (buffer) return buffer;
  }
  return new Uint8Array(capacity);
}

/** Keeps a buffer that is no longer used, if it has one of the common sizes. */
export function giveBack(buffer: Uint8Array<ArrayBuffer>): void {
  const { length } = buffer;
  if (length === SMALL_CAPACITY) {
    if (small.length < MAX_SMALL) small.push(buffer);
  } else if (length === BUSY_CAPACITY) {
    if (spare.length < MAX_SPARE) spare.push(buffer);
  } else if (length > BUSY_CAPACITY) {
    if (large.length === MAX_LARGE) large.shift();
    large.push(new WeakRef(buffer));
  }
}
