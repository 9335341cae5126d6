/**
 * What `spawn` takes: the code of an actor, and its options.
 *
 * @module
 */
import type { Actor } from "./actor.ts";
import type { MailboxOptions } from "./mailbox.ts";

/** The code that an actor runs. The actor ends when it returns, and fails when it throws. */
export type ActorBody = (self: Actor) => void | Promise<void>;

/**
 * Options of `spawn`.
 *
 * @example At most 100 messages may wait
 * ```ts
 * import { currentServer, on } from "@gxensemble/ensemble";
 *
 * currentServer().spawn(
 *   "printer",
 *   (self) => self.loop([on("print", ({ text }: { text: string }) => console.log(text))]),
 *   { mailbox: { limit: 100 } },
 * );
 * ```
 */
export interface SpawnOptions {
  /**
   * The bound of its mailbox. Default: the server's, which has none unless it was started with one.
   */
  mailbox?: MailboxOptions | undefined;
  /** The first value of {@linkcode Actor.state}. */
  state?: unknown;
}
