/**
 * An ensemble with an administrator: its servers enforce capabilities.
 *
 * @module
 */
import type { HandlerContext } from "../../../runtime/actor/handler_context.ts";
import { controlClient } from "../../../runtime/ensemble/remote.ts";
import { elevate } from "../../../runtime/ensemble/elevation.ts";
import { publicKeyFingerprint, shortFingerprint } from "../../../runtime/server/credentials.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import type { ActorServerOptions } from "../../../runtime/server/actor_server_options.ts";
import { type Elevation, elevationText } from "../../../runtime/server/elevation.ts";
import { LocalEnsemble, refTo } from "./local_ensemble.ts";

const administrator = await newAdministrator();

/** An administrator's key pair. */
export async function newAdministrator(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]) as CryptoKeyPair;
}

/** What the audit log calls the administrator. */
export async function administratorFingerprint(): Promise<string> {
  return shortFingerprint(await publicKeyFingerprint(administrator.publicKey));
}

/** Servers that have the administrator's public key. */
export class AdministeredEnsemble extends LocalEnsemble {
  /** Starts a server that enforces. */
  override start(id: string, options: Partial<ActorServerOptions> = {}): Promise<ActorServer> {
    return super.start(id, { adminKeys: [administrator.publicKey], ...options });
  }

  /** Starts a server with an actor `vault` that says who may do what. */
  startVault(id: string): Promise<ActorServer> {
    return this.start(id, {
      prepare: ({ actors }) =>
        void actors.serve("vault", {
          may: ({ capability }: { capability: string }, context: HandlerContext) =>
            context.authorized(capability),
        }),
    });
  }

  /** Starts a server that has the cookie and no other right: it listens nowhere and is in no registry. */
  startRogue(id: string, options: Partial<ActorServerOptions> = {}): Promise<ActorServer> {
    return super.start(id, { listen: [], register: false, ...options });
  }
}

/** Which of these capabilities a server has in one with a vault. */
export async function granted(
  client: ActorServer,
  server: ActorServer,
  capabilities: string[] = ["admin", "loader", "shutdown"],
): Promise<string[]> {
  const answers = await Promise.all(
    capabilities.map((capability) =>
      client.actors.ask<boolean>(refTo(server.id, "vault"), { type: "may", capability })
    ),
  );
  return capabilities.filter((_, i) => answers[i]);
}

/** Elevates a client with the administrator's key, as a command does. */
export function elevated(
  client: ActorServer,
  server: ActorServer,
  ...capabilities: string[]
): Promise<void> {
  const unlock = () => Promise.resolve(administrator.privateKey);
  return elevate(client, server.id, { capabilities, unlock });
}

/** All that a signature covers when a client has just been challenged. */
export async function challenged(
  client: ActorServer,
  server: ActorServer,
  ...capabilities: string[]
): Promise<Elevation> {
  const nonce = await controlClient(client.actors, server.id).challenge({ capabilities });
  const session = client.session(server.id)!;
  return {
    server: server.id,
    serverInstance: session.instance,
    client: client.id,
    clientInstance: new Uint8Array(client.entry.instance),
    capabilities,
    nonce: new Uint8Array(nonce),
    binding: session.binding,
  };
}

/** The administrator's signature, or that of another key. */
export async function signed(
  elevation: Elevation,
  key: CryptoKey = administrator.privateKey,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.sign("Ed25519", key, elevationText(elevation)));
}

/** Answers the challenge of a server. */
export function answer(
  client: ActorServer,
  server: ActorServer,
  signature: Uint8Array,
): Promise<void> {
  return controlClient(client.actors, server.id).elevate({
    signature: signature as Uint8Array<ArrayBuffer>,
  });
}
