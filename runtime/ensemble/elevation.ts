/**
 * Elevation: proving to a server that an administrator is at work.
 *
 * @module
 */
import type { ActorSystem } from "../actor/actor_system.ts";
import type { ServerId } from "../actor/references.ts";
import { DisconnectedError } from "../errors.ts";
import { elevationText } from "../server/capabilities.ts";
import type { RegistryEntry } from "../server/registry_protocol.ts";
import type { Session } from "../server/connection.ts";
import { controlClient } from "./remote.ts";

/** The server that asks to be elevated: an `EnsembleServer`, a console. */
export interface Elevated {
  /** Its id. */
  readonly id: ServerId;
  /** Its actors. */
  readonly actors: ActorSystem;
  /** What it is in the registry, or would be. */
  readonly entry: Pick<RegistryEntry, "instance">;
  /** The session of its connection with a server. */
  session(server: ServerId): Session | undefined;
}

/** Options of {@linkcode elevate}. */
export interface ElevateOptions {
  /** What the client is to be able to do. */
  capabilities: readonly string[];
  /**
   * Gives the administrator's private key, or undefined where this host has none; run between challenge and
   * answer. When it fails, the server is told that nothing comes of it, and notes a refusal.
   */
  unlock: () => Promise<CryptoKey | undefined>;
  /** Who is at work, `user@host`, for the server's audit log, which marks it as a claim. */
  claimed?: string;
}

/**
 * Elevates a client inside a server, for as long as the connection between them lasts. Does nothing where the client
 * may do all that already.
 *
 * @throws {AuthorizationError} as `ActorError`, when the server does not take the signature, or takes none.
 */
export async function elevate(
  client: Elevated,
  server: ServerId,
  { unlock, claimed, ...options }: ElevateOptions,
): Promise<void> {
  const control = controlClient(client.actors, server);
  const capabilities = [...new Set(options.capabilities)].sort();
  const nonce = await control.challenge({ capabilities, claimed });
  if (nonce.length === 0) return;
  let signature = new Uint8Array();
  try {
    const key = await unlock();
    if (!key) return;
    const session = client.session(server);
    if (!session) throw new DisconnectedError(`the connection to ${server} was lost`);
    const text = elevationText({
      server,
      serverInstance: session.instance,
      client: client.id,
      clientInstance: new Uint8Array(client.entry.instance),
      capabilities,
      nonce: new Uint8Array(nonce),
      binding: session.binding,
    });
    signature = new Uint8Array(await crypto.subtle.sign("Ed25519", key, text));
  } catch (error) {
    await control.elevate({ signature }).catch(() => {});
    throw error;
  }
  await control.elevate({ signature });
}
