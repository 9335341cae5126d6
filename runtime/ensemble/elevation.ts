/**
 * The client's side of elevation: proving to servers that it has the administrators' key.
 *
 * @module
 */
import { DisconnectedError } from "../errors.ts";
import type { ActorServer } from "../server/actor_server.ts";
import { elevationText } from "../server/elevation.ts";
import { controlClient } from "./remote.ts";

/** Options of {@linkcode elevate}. */
export interface ElevateOptions {
  /** The capabilities to get. */
  capabilities: readonly string[];
  /**
   * Returns the administrator's private key, or undefined if this host has none. It is called
   * between challenge and answer. If it fails, the challenge is canceled, which the server logs as
   * a refusal.
   */
  unlock: () => Promise<CryptoKey | undefined>;
  /** The user of the client, `user@host`, for the server's audit log, which marks it as a claim. */
  claimed?: string;
}

/**
 * Elevates a client inside a server, until the connection between them ends. Does nothing if the
 * client already has the capabilities.
 *
 * @throws {NotAuthorizedError} as `ActorError`, when the server does not take the signature, or takes none.
 */
export async function elevate(
  client: ActorServer,
  server: string,
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
