/**
 * A port for a server that has to be told its number before it listens.
 *
 * @module
 */

/** Below those that systems give to whoever asks for any port: none of the other tests gets it meanwhile. */
const [FIRST, LAST] = [20_000, 32_000];

/** A port of this host at which nobody listens now. */
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
