/**
 * How many clients may be in the handshake of their transport at a listener, and for how long.
 *
 * @module
 */
import { HANDSHAKE_TIMEOUT, MAX_HANDSHAKES } from "./limits.ts";

/**
 * The concurrent handshakes at a listener, oldest first. None takes longer than {@linkcode
 * HANDSHAKE_TIMEOUT}, and there are at most {@linkcode MAX_HANDSHAKES}: if more begin, the oldest
 * is closed. An honest handshake takes milliseconds, so the oldest is the least likely to succeed.
 */
export class Handshakes {
  readonly #underWay = new Set<(message: string, isLate: boolean) => void>();

  /**
   * Adds a handshake.
   *
   * @param close closes its stream; called with the reason, and whether that is the timeout, when a
   * limit is reached.
   * @returns removes it; to be called when it is over.
   */
  begin(close: (message: string, isLate: boolean) => void): () => void {
    const [oldest] = this.#underWay.size < MAX_HANDSHAKES ? [] : this.#underWay;
    oldest?.("too many handshakes at once", false);
    const timer = setTimeout(
      () => refuse(`no handshake within ${HANDSHAKE_TIMEOUT} ms`, true),
      HANDSHAKE_TIMEOUT,
    );
    timer.unref();
    const end = () => {
      clearTimeout(timer);
      this.#underWay.delete(refuse);
    };
    const refuse = (message: string, isLate: boolean) => {
      end();
      close(message, isLate);
    };
    this.#underWay.add(refuse);
    return end;
  }
}
