/**
 * Decides who may observe a server.
 *
 * @module
 */
import type { HandlerContext } from "../actor/handler_context.ts";
import { type Capabilities, OBSERVER, type Session, sessionOf } from "../server/capabilities.ts";

/**
 * Checks that senders have the capability `observer`, where capabilities are enforced. Consoles ask
 * every second, so the audit log has the first request of each kind on a connection, and every
 * refusal.
 */
export class ObserverGuard {
  readonly #capabilities: Pick<Capabilities, "allows" | "require">;
  /** What was allowed before, by connection. */
  readonly #noted = new WeakMap<Session, Set<string>>();

  /** Guards a server. */
  constructor({ capabilities }: { capabilities: Pick<Capabilities, "allows" | "require"> }) {
    this.#capabilities = capabilities;
  }

  /**
   * Checks the sender of a request.
   *
   * @param what the kind of the request, for the audit log.
   * @throws {NotAuthorizedError} if it lacks the capability.
   */
  require({ envelope }: HandlerContext, what: string): void {
    const session = sessionOf(envelope);
    if (!session) return;
    const noted = this.#noted.get(session) ?? new Set();
    if (noted.has(what) && this.#capabilities.allows(envelope, OBSERVER)) return;
    this.#capabilities.require(envelope, { capability: OBSERVER, what });
    this.#noted.set(session, noted.add(what));
  }
}
