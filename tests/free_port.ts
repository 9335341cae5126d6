/**
 * A port for a server that needs its number before it listens.
 *
 * @module
 */

/** Ports below the ephemeral range, so that no other test gets one meanwhile. */
const [FIRST, LAST] = [20_000, 32_000];

/** A port of this host on which no process listens now. */
export function freePort(): number {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
