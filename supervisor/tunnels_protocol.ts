/**
 * The protocol of the actor `tunnels`, which every supervisor serves: streams of bytes to the servers
 * of its host, for clients that reach only the supervisor.
 *
 * The client asks for each part, and the supervisor answers a part that was written when the server
 * has taken it. So a slow end slows the other down, and the supervisor holds only what was asked for.
 *
 * @module
 */
import type { Messaging } from "../runtime/actor/messaging.ts";
import { ActorRef } from "../runtime/actor/references.ts";
import { type Client, client, type RequestChecks } from "../runtime/actor/service.ts";
import type { Bytes } from "../runtime/server/credentials.ts";
import {
  answerChecks,
  bytes,
  parts,
  requestChecks,
  serverId,
  wholeNumber,
} from "../runtime/server/request_checks.ts";

/** The name of the actor. */
export const TUNNELS_ACTOR = "tunnels";

/** The largest part of a stream in a message, in bytes. */
export const MAX_TUNNEL_PART = 64 * 1024;

/** The number of bytes of a tunnel that may wait in the supervisor to be written to the server. */
export const MAX_TUNNEL_WAITING = 4 * MAX_TUNNEL_PART;

/** The number of requests to read that may wait at once for bytes of the server. */
export const MAX_TUNNEL_READS = 2;

/** The handlers of the actor `tunnels`, for `client`. A tunnel belongs to the connection that opened it. */
export type TunnelHandlers = {
  /** Opens a tunnel to the UNIX socket of a server, and returns its number. */
  open(request: { server: string }): Promise<{ tunnel: number }>;
  /** The next bytes of the server, when there are any; none at the end. */
  read(request: { tunnel: number }): Promise<Bytes>;
  /** Sends bytes to the server. Returns when its socket has taken them. */
  write(request: { tunnel: number; bytes: Bytes }): Promise<void>;
  /** Says that no more bytes come. */
  end(request: { tunnel: number }): Promise<void>;
  /** Closes it in both directions. */
  close(request: { tunnel: number }): void;
};

const byNumber = parts({ tunnel: wholeNumber });

/** The checks of requests. */
export const tunnelChecks: RequestChecks = requestChecks<TunnelHandlers>({
  open: parts({ server: serverId }),
  read: byNumber,
  write: parts({ tunnel: wholeNumber, bytes: bytes(MAX_TUNNEL_PART, 1) }),
  end: byNumber,
  close: byNumber,
});

const tunnelAnswers = answerChecks<TunnelHandlers>({
  open: byNumber,
  read: bytes(MAX_TUNNEL_PART),
});

/** The tunnels of a supervisor. */
export function tunnelsClient(
  asker: Pick<Messaging, "ask">,
  supervisor: string,
): Client<TunnelHandlers> {
  const tunnels = new ActorRef<TunnelHandlers>(supervisor, TUNNELS_ACTOR);
  return client<TunnelHandlers>(asker, tunnels, { answers: tunnelAnswers });
}
