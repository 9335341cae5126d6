/**
 * The administrator at the terminal: elevates a command in the servers that want it.
 *
 * @module
 */
import type { ServerId } from "../runtime/actor/server_id.ts";
import { ActorError, EnsembleError } from "../runtime/errors.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import { askPassphrase, type PassphraseOptions } from "./passphrase.ts";

/** Does what may take a capability, and asks for the passphrase only where one is wanted, and once. */
export class Administrator {
  readonly #console: ActorServer;
  readonly #options: PassphraseOptions;
  #key: Promise<CryptoKey> | undefined;
  readonly #elevations = new Map<ServerId, Promise<void>>();

  /** Runs the prompt for the passphrase. A program that reads the terminal itself stops reading meanwhile. */
  runPrompt: <Answer>(prompt: () => Promise<Answer>) => Promise<Answer> = (prompt) => prompt();

  /** An administrator who works through a console. */
  constructor(console: ActorServer, options: PassphraseOptions) {
    this.#console = console;
    this.#options = options;
  }

  /**
   * Does a piece of work in a server. When that refuses for want of a capability, elevates the console
   * there and does it again.
   *
   * @throws {EnsembleError} when there is no private key here, or its passphrase is wrong.
   */
  async elevating<Result>(
    server: ServerId,
    capability: string,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ActorError) || error.reason !== "AuthorizationError") throw error;
      await this.#requirePrivateKey(error);
    }
    // One after the other in each server, where a challenge takes the place of the one before.
    const earlier = this.#elevations.get(server) ?? Promise.resolve();
    const elevation = earlier.catch(() => {}).then(() => this.#elevate(server, capability));
    this.#elevations.set(server, elevation);
    await elevation;
    return await work();
  }

  async #elevate(server: ServerId, capability: string): Promise<void> {
    const { elevate } = await import("../runtime/ensemble/elevation.ts");
    await elevate(this.#console, server, {
      capabilities: [capability],
      unlock: () => this.#key ??= this.#unlock(),
    });
  }

  async #requirePrivateKey(refusal: ActorError): Promise<void> {
    const { hasAdminPrivateKey } = await import("../runtime/ensemble/admin_key.ts");
    if (await hasAdminPrivateKey()) return;
    throw new EnsembleError(
      `${refusal.message}, and the administrators' private key is not on this host`,
    );
  }

  async #unlock(): Promise<CryptoKey> {
    const { openAdminPrivateKey } = await import("../runtime/ensemble/admin_key.ts");
    const message = "passphrase of the administrator key:";
    return await openAdminPrivateKey(
      await this.runPrompt(() => askPassphrase(message, this.#options)),
    );
  }
}
