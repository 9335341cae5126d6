/**
 * The registry's actor: answers who is in the ensemble, from a store.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Envelope } from "../runtime/actor/envelope.ts";
import type { ServerId } from "../runtime/actor/server_id.ts";
import type { Handlers } from "../runtime/actor/service.ts";
import { InvalidInputError } from "../runtime/errors.ts";
import { ADMIN, type Capabilities } from "../runtime/server/capabilities.ts";
import { sameInstance } from "../runtime/server/instance.ts";
import type { RegistryEntry } from "../runtime/server/registry_entry.ts";
import type { RegistryHandlers } from "../runtime/server/registry_protocol.ts";
import { Session } from "../runtime/server/session.ts";
import { formatAddressUrl } from "../runtime/wire/address.ts";
import type { RegistryStore } from "./store.ts";

const logger = getLogger(["gxensemble", "registry"]);

/**
 * Makes the handlers of the registry's actor over a store, to be served with `registryChecks`. A change is answered when it is durable. Where
 * capabilities are enforced, a server changes its own entry, and an administrator any.
 */
export function registryHandlers(
  store: RegistryStore,
  capabilities: Capabilities,
): Handlers & RegistryHandlers {
  const requireOwn = (id: ServerId, envelope: Envelope | undefined, what: string) => {
    if (!envelope || envelope.source.server === id) return;
    capabilities.require(envelope, ADMIN, what, { server: id });
  };
  // By its entry a server is told from who claims its id, and is conferred capabilities.
  const requireOwnInstance = ({ id, instance }: RegistryEntry, envelope: Envelope | undefined) => {
    const session = envelope?.session;
    if (!capabilities.enforced || !(session instanceof Session) || session.peer !== id) return;
    if (sameInstance(session.instance, instance)) return;
    throw new InvalidInputError(`not a registry entry of ${id}: the instance is another's`);
  };
  return {
    async add({ entry }, envelope?: Envelope) {
      requireOwn(entry.id, envelope, "add to the registry");
      requireOwnInstance(entry, envelope);
      await store.put(entry);
      logger.info("added {id}: {roles} {addresses}", {
        id: entry.id,
        roles: entry.roles,
        addresses: entry.addresses.map(formatAddressUrl),
      });
    },

    async remove({ id, instance }, envelope?: Envelope) {
      requireOwn(id, envelope, "remove from the registry");
      const removed = await store.delete(id, instance);
      if (removed) logger.info("removed {id}", { id });
      return removed;
    },

    lookup: ({ id }) => store.get(id),
    lookupRole: ({ role }) => store.byRole(role),
    list: () => store.list(),
  };
}
