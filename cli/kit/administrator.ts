/**
 * The administrator at the terminal: elevates a command in servers that require it.
 *
 * @module
 */
import { ActorError, EnsembleError } from "../../runtime/errors.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { askPassphrase, type PassphraseOptions } from "./prompts.ts";

/** The key of the administrator at each console: it is unlocked once. */
const unlockedAt = new WeakMap<ActorServer, { key?: Promise<CryptoKey> | undefined }>();

/** Which private key an administrator has, and its passphrase. */
export interface AdministratorOptions extends PassphraseOptions {
  /** Whether it is the next one, while the key pair is rotated. */
  readonly isNext?: boolean;
}

/** Runs work that may require a capability. Asks for the passphrase only if needed, and once. */
export class Administrator {
  readonly #console: ActorServer;
  readonly #options: AdministratorOptions;
  readonly #unlocked: { key?: Promise<CryptoKey> | undefined };
  readonly #elevations = new Map<string, Promise<void>>();

  /**
   * Runs the passphrase prompt. Replace it if the program itself reads the terminal, to pause that.
   */
  runPrompt: <Answer>(prompt: () => Promise<Answer>) => Promise<Answer> = (prompt) => prompt();

  /**
   * Whether to ask again after a wrong passphrase, as in a REPL. A command asks once for all its
   * servers.
   */
  asksAgain = false;

  /** An administrator who works through a console; or `other`, with a console of its own. */
  constructor(console: ActorServer, options: AdministratorOptions, other?: Administrator) {
    this.#console = console;
    this.#options = options;
    const known = options.isNext ? undefined : unlockedAt.get(console);
    this.#unlocked = other ? other.#unlocked : known ?? {};
    if (!options.isNext) unlockedAt.set(console, this.#unlocked);
  }

  /**
   * Runs work in a server. If the console lacks the capability there, elevates it first, since a
   * refusal would appear in the server's audit log.
   *
   * @throws {EnsembleError} if the server refuses, or the passphrase of the private key is wrong.
   */
  async elevating<Result>(
    server: string,
    capability: string,
    work: () => Promise<Result>,
  ): Promise<Result> {
    let hasKey = true;
    const unlock = async () => {
      hasKey = this.#options.isNext || await hasPrivateKey();
      return hasKey ? await this.#unlock() : undefined;
    };
    // One at a time in each server, since a new challenge replaces the previous one.
    const earlier = this.#elevations.get(server) ?? Promise.resolve();
    const elevation = earlier.catch(() => {}).then(() => this.#elevate(server, capability, unlock));
    this.#elevations.set(server, elevation);
    await elevation;
    try {
      return await work();
    } catch (error) {
      const isRefusal = error instanceof ActorError && error.code === "NOT_AUTHORIZED";
      if (hasKey || !isRefusal) throw error;
      throw new EnsembleError(
        `${error.message}, and the administrators' private key is not on this host`,
      );
    }
  }

  async #elevate(
    server: string,
    capability: string,
    unlock: () => Promise<CryptoKey | undefined>,
  ): Promise<void> {
    const { elevate } = await import("../../runtime/ensemble/elevation.ts");
    const claimed = operatorName();
    await elevate(this.#console, server, { capabilities: [capability], unlock, claimed });
  }

  #unlock(): Promise<CryptoKey> {
    const unlocked = this.#unlocked;
    if (unlocked.key) return unlocked.key;
    const key = unlocked.key = this.#openKey();
    key.catch(() => {
      if (this.asksAgain) unlocked.key = undefined;
    });
    return key;
  }

  async #openKey(): Promise<CryptoKey> {
    const { openAdminPrivateKey, openNextAdminPrivateKey } = await import(
      "../../runtime/pki/admin_key.ts"
    );
    const { isNext } = this.#options;
    const message = `passphrase of the ${isNext ? "next " : ""}administrator key:`;
    const open = isNext ? openNextAdminPrivateKey : openAdminPrivateKey;
    return await open(
      findPlaces(),
      () => this.runPrompt(() => askPassphrase(message, this.#options)),
    );
  }
}

async function hasPrivateKey(): Promise<boolean> {
  const { hasAdminPrivateKey } = await import("../../runtime/pki/admin_key.ts");
  return await hasAdminPrivateKey(findPlaces());
}

/** The user and host of this process, for servers' logs: `user@host`. */
export function operatorName(): string {
  return `${userName()}@${Deno.hostname()}`;
}

function userName(): string {
  try {
    return process.getBuiltinModule("node:os").userInfo().username;
  } catch {
    // A user id without an entry in the user database, as containers have them.
    return String(Deno.uid() ?? "unknown");
  }
}
