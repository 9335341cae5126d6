/**
 * The files of the ensemble's secrets on a supervisor's host, which a rotation changes.
 *
 * @module
 */
import type { HandlersOf } from "../runtime/actor/service.ts";
import type { HandlerContext } from "../runtime/actor/handler_context.ts";
import type { Places } from "../runtime/home/paths.ts";
import {
  type RotatedName,
  RotatedSecret,
  type RotationState,
} from "../runtime/pki/rotated_secret.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import { ADMIN } from "../runtime/server/capabilities.ts";
import {
  type HostSecret,
  secretFileChecks,
  type SecretFileHandlers,
  SECRETS_ACTOR,
} from "./secret_files_protocol.ts";

/**
 * Starts the actor `secrets` in a supervisor. To be called while the server is prepared, since it is
 * a part of it.
 */
export function serveSecretFiles(server: ActorServer, places: Places): void {
  server.serve<SecretFileHandlers>(SECRETS_ACTOR, handlers(server, places), {
    drains: false,
    requests: secretFileChecks,
  });
}

function handlers(server: ActorServer, places: Places): HandlersOf<SecretFileHandlers> {
  const attempt = (
    name: RotatedName,
    { what, context, change }: {
      what: string;
      context: HandlerContext;
      change(secret: RotatedSecret): Promise<RotationState>;
    },
  ): Promise<HostSecret> =>
    server.capabilities.attempt(context.envelope, {
      capability: ADMIN,
      what,
      details: { secret: name },
      async work() {
        const secret = new RotatedSecret(name, places);
        const state = await change(secret);
        return { ...state, nextPath: secret.nextPath, directory: await secret.directory() };
      },
    });
  return {
    state: ({ name }, context) =>
      attempt(name, { what: "secret file", context, change: (secret) => secret.state() }),
    take: ({ name, contents }, context) =>
      attempt(name, { what: "take secret", context, change: (secret) => secret.take(contents) }),
    use: ({ name, fingerprint }, context) =>
      attempt(name, { what: "use secret", context, change: (secret) => secret.use(fingerprint) }),
    finish: ({ name, fingerprint }, context) =>
      attempt(name, {
        what: "finish rotation",
        context,
        change: (secret) => secret.finish(fingerprint),
      }),
    abandon: ({ name, fingerprint }, context) =>
      attempt(name, {
        what: "give rotation up",
        context,
        change: (secret) => secret.abandon(fingerprint),
      }),
  };
}
