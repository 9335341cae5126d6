/**
 * Exchanging the handlers of running services when code is loaded.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Actor } from "../actor/actor.ts";
import type { ActorSystem } from "../actor/actor_system.ts";
import { exchangeHandlers } from "../actor/service.ts";
import type { ServiceChange } from "../code/service_versions.ts";
import { EnsembleError } from "../errors.ts";

const logger = getLogger(["gxensemble", "loader"]);

/** A service that a change is made of. */
interface ChangedService {
  readonly service: Actor;
  readonly change: ServiceChange;
  /** Its state when it was converted. */
  state?: unknown;
}

/**
 * Exchanges the handlers of all services that run with those of a change. If one fails, the others
 * get their earlier handlers again.
 *
 * @throws {EnsembleError} naming the service that failed, and why.
 */
export async function changeServices(
  actors: ActorSystem,
  changes: readonly ServiceChange[],
): Promise<void> {
  const changed = changes.flatMap((change) =>
    actors.actors().filter(({ service }) => service?.handlers === change.from)
      .map((service): ChangedService => ({ service, change }))
  );
  const outcomes = await Promise.allSettled(
    changed.map((each) => {
      const { service, change: { to, convert } } = each;
      const upgrade = convert && ((state: unknown) => convert(each.state = state));
      return exchangeHandlers(actors, { service, handlers: to, upgrade });
    }),
  );
  const failed = outcomes.findIndex(({ status }) => status === "rejected");
  const done = changed.filter((_, index) => outcomes[index]!.status === "fulfilled");
  if (failed < 0) {
    // For services that start later with the handlers of before.
    for (const { from, to, convert } of changes) {
      actors.handlerVersions.replaced(from, { to, convert });
    }
    for (const { service } of done) {
      logger.info("{service} has the handlers of the version that was loaded", {
        service: `${service.ref}`,
      });
    }
    return;
  }
  await Promise.allSettled(done.map((each) => changeBack(actors, each)));
  const { service } = changed[failed]!;
  const { reason } = outcomes[failed] as PromiseRejectedResult;
  throw new EnsembleError(
    `the service ${service.ref} keeps its earlier handlers: ${(reason as Error).message}`,
    { cause: reason },
  );
}

async function changeBack(
  actors: ActorSystem,
  { service, change: { from, convert, revert }, state }: ChangedService,
): Promise<void> {
  const upgrade = revert ?? (convert && (() => state));
  await exchangeHandlers(actors, { service, handlers: from, upgrade });
}
