/**
 * A port for a server that needs its number before it listens.
 *
 * Each copy of this module has a block of ports for itself, so that no other test takes a port after
 * it was chosen and before the server listens. The blocks are below the ephemeral range, from which
 * the kernel takes ports for connections and for port 0.
 *
 * @module
 */

/** The first port of the first block, the number of blocks, and of ports in each. */
const [FIRST, BLOCKS, SIZE] = [20_000, 120, 100];

/** The locks of the blocks. Not in `TMPDIR`, which can differ between runs of the tests. */
const LOCKS = `/tmp/gxensemble-test-ports-${Deno.uid()}`;

/**
 * The first port of this module's block. It is taken when the module is loaded: its lock stays
 * until the process ends, which a test would report as a leak.
 */
const block = takeBlock();
let taken = 0;

/** A port of this host on which no process listens now. It differs from the last 99. */
export function freePort(): number {
  for (let tries = 0; tries < SIZE; tries++) {
    const port = block + taken++ % SIZE;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(`all ports from ${block} to ${block + SIZE - 1} are in use`);
}

function takeBlock(): number {
  Deno.mkdirSync(LOCKS, { recursive: true });
  // Not always the first one: processes of other users have locks of their own.
  const start = Math.floor(Math.random() * BLOCKS);
  for (let index = 0; index < BLOCKS; index++) {
    const first = FIRST + (start + index) % BLOCKS * SIZE;
    const lock = Deno.openSync(`${LOCKS}/${first}`, { create: true, write: true });
    if (lock.tryLockSync(true)) return first;
    lock.close();
  }
  throw new Error(`all blocks of ports are locked in ${LOCKS}`);
}
