/**
 * What a host lets operators do beyond its servers: run programs, and store files.
 *
 * @module
 */
import { EnsembleError } from "../runtime/errors.ts";
import type { HandlerContext } from "../runtime/actor/handler_context.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";

/** A capability that is off on a host unless its configuration turns it on. */
export type HostPermission = "executor" | "filesystem";

/** Decides about requests that need one. */
export interface HostPermissionsOptions {
  /** Whether the host's configuration allows it now. */
  readonly isAllowed: (permission: HostPermission) => boolean;
  /** The path of that configuration, for errors. */
  readonly file: string;
}

/** An action on the host, for the audit log. */
export interface HostAction {
  /** What it takes. */
  readonly permission: HostPermission;
  /** The name of the action. */
  readonly what: string;
  /** Its target. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * Checks requests: the sender has to have the capability, as everywhere, and the host's
 * configuration has to allow it, because the cookie alone must not be a shell on every host.
 */
export class HostPermissions {
  readonly #server: Pick<ActorServer, "capabilities" | "id">;
  readonly #options: HostPermissionsOptions;

  /** Checks requests to a server. */
  constructor(
    server: Pick<ActorServer, "capabilities" | "id">,
    options: HostPermissionsOptions,
  ) {
    this.#server = server;
    this.#options = options;
  }

  /**
   * Does the work of a request if it is permitted, and writes the audit log.
   *
   * @throws {NotAuthorizedError} if the sender lacks the capability.
   * @throws {EnsembleError} if the host does not allow it; and whatever `work` throws.
   */
  attempt<Result>(
    { envelope }: Pick<HandlerContext, "envelope">,
    { permission, what, details, work }: HostAction & { readonly work: () => Result },
  ): Result {
    return this.#server.capabilities.attempt(envelope, {
      capability: permission,
      what,
      ...details && { details },
      work: () => {
        this.#requireAllowed(permission, what);
        return work();
      },
    });
  }

  /**
   * The same for one of many requests that belong to an action in the audit log: only a refusal is
   * logged.
   *
   * @throws {NotAuthorizedError} if the sender lacks the capability, or has lost it.
   * @throws {EnsembleError} if the host does not allow it.
   */
  require(
    { envelope }: Pick<HandlerContext, "envelope">,
    { permission, what }: Omit<HostAction, "details">,
  ): void {
    const { capabilities } = this.#server;
    if (!capabilities.allows(envelope, permission)) {
      capabilities.require(envelope, { capability: permission, what });
    }
    this.#requireAllowed(permission, what);
  }

  #requireAllowed(permission: HostPermission, what: string): void {
    const { isAllowed, file } = this.#options;
    if (isAllowed(permission)) return;
    throw new EnsembleError(
      `${this.#server.id} refuses ${what}: "${permission}" is off on its host. To allow it, set ` +
        `"supervisor": { "${permission}": true } in ${file} there`,
    );
  }
}
