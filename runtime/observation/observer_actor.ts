/**
 * The actor `observer`: answers what an operator can see of its server.
 *
 * @module
 */
import { UNBOUNDED } from "../actor/mailbox.ts";
import type { HandlersOf } from "../actor/service.ts";
import type { ActorServer } from "../server/actor_server.ts";
import type { LogBuffer } from "./log_buffer.ts";
import { ObserverGuard } from "./observer_guard.ts";
import { traceHandlers } from "./actor_traces.ts";
import { OBSERVER_ACTOR, observerChecks, type ObserverHandlers } from "./observer_protocol.ts";
import type { BusiestHandlers } from "./busiest_protocol.ts";
import { BusyActors } from "./busy_actors.ts";
import { profileHandlers } from "./profiles.ts";
import { logHandlers } from "./server_log.ts";
import type { StatusReader } from "./server_status.ts";
import type { StatusHandlers } from "./status_protocol.ts";

/** Starts the actor `observer` in a server. It is a part of the server, as `loader` is. */
export function serveObserver(
  server: ActorServer,
  { status, log, directory }: {
    readonly status: StatusReader;
    readonly log: LogBuffer;
    /** The directory of the server's files. */
    readonly directory: string;
  },
): void {
  const guard = new ObserverGuard(server);
  const busy = new BusyActors(server.actors);
  server.hold(busy);
  const handlers: HandlersOf<ObserverHandlers> = {
    ...statusHandlers(status, guard),
    ...busiestHandlers(busy, guard),
    ...logHandlers(server, { log, guard }),
    ...traceHandlers(server),
    ...profileHandlers(server, { directory }),
  };
  server.serve(OBSERVER_ACTOR, handlers, {
    concurrent: true,
    drains: false,
    mailbox: UNBOUNDED,
    requests: observerChecks,
  });
}

function statusHandlers(status: StatusReader, guard: ObserverGuard): HandlersOf<StatusHandlers> {
  return {
    status(_request, context) {
      guard.require(context, "status");
      return status.read();
    },

    history({ since }, context) {
      guard.require(context, "history");
      return status.history(since);
    },

    modules(_request, context) {
      guard.require(context, "modules");
      return status.modules();
    },

    loads(_request, context) {
      guard.require(context, "loads");
      return status.loads();
    },
  };
}

function busiestHandlers(busy: BusyActors, guard: ObserverGuard): HandlersOf<BusiestHandlers> {
  return {
    busiest({ sort, limit }, context) {
      guard.require(context, "busiest");
      return busy.find(sort, limit);
    },
  };
}
