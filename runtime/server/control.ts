/**
 * The control protocol: what the actor `server` of every server answers.
 *
 * @module
 */
import type { ActorSystem } from "../actor/actor_system.ts";
import type { Envelope } from "../actor/envelope.ts";
import { SERVER_ACTOR } from "../actor/actor_system.ts";
import { type ActorId, ActorRef } from "../actor/ref.ts";
import type { ServerId } from "../actor/server_id.ts";
import type { Address } from "../wire/address.ts";

/** One connection of a server, as others see it. */
export interface ConnectionInfo {
  /** The server at the other end. */
  readonly peer: ServerId;
  /** Where it was reached, or where it came from. */
  readonly address: Address;
}

/** What control needs of the server it controls. */
export interface Controlled {
  /** Its actors. */
  readonly actors: ActorSystem;
  /** Its connections, by peer id. */
  connections(): ConnectionInfo[];
  /** Connects it with another server. */
  connect(server: ServerId, addresses?: Address[]): Promise<void>;
  /** Stops it; resolves when its actors have ended and only the connections are left. */
  shutDown(): Promise<void>;
}

/** Makes the handlers of a server's actor `server`. */
export function controlHandlers(server: Controlled) {
  const { actors } = server;
  return {
    /** The registered names of its actors, sorted. */
    listActors: (): string[] => actors.actors().flatMap(({ name }) => name ?? []).sort(),

    /** Its connections, but for the one that the request came on. */
    listConnections: (_request: object, envelope: Envelope): ConnectionInfo[] =>
      server.connections()
        .filter(({ peer }) => peer !== envelope.source.server)
        .map(({ peer, address }) => ({ peer, address })),

    /** Connects it with another server, through the registry or at the addresses given. */
    connect: (request: { server: ServerId; addresses?: Address[] }): Promise<void> =>
      server.connect(request.server, request.addresses),

    /** Stops the server; answers when its actors have ended. */
    shutdown: async (): Promise<"OK"> => {
      await server.shutDown();
      return "OK";
    },

    /** Watches an actor for the asking server, which is sent `down` once. */
    monitor: (request: { monitor: number; actor: ActorId }, { source }: Envelope): void =>
      actors.watch({
        monitor: request.monitor,
        watcher: new ActorRef(source.server, SERVER_ACTOR),
        watched: new ActorRef(actors.id, request.actor),
      }),

    /** Takes a monitor back. */
    demonitor: (request: { monitor: number }, { source }: Envelope): void =>
      actors.unwatch(request.monitor, source.server),

    /** An actor that is watched from here ended. */
    down: (request: { monitor: number; reason?: string }, { source }: Envelope): void =>
      actors.down(request.monitor, source.server, request.reason),
  };
}

/** The handlers of the actor `server`, for `client`. */
export type ControlHandlers = ReturnType<typeof controlHandlers>;
