/**
 * The registry's actor: answers who is in the ensemble, from a store.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Envelope } from "../runtime/actor/envelope.ts";
import { parseServerId, type ServerId } from "../runtime/actor/server_id.ts";
import type { Handlers } from "../runtime/actor/service.ts";
import { InvalidInputError } from "../runtime/errors.ts";
import { ADMIN, type Capabilities } from "../runtime/server/capabilities.ts";
import { INSTANCE_LENGTH, sameInstance } from "../runtime/server/instance.ts";
import type { RegistryEntry } from "../runtime/server/registry_entry.ts";
import type { RegistryHandlers } from "../runtime/server/registry_protocol.ts";
import { Session } from "../runtime/server/session.ts";
import { formatAddress, formatAddressUrl, parseAddresses } from "../runtime/wire/address.ts";
import type { RegistryStore } from "./store.ts";

const logger = getLogger(["gxensemble", "registry"]);

/**
 * Makes the handlers of the registry's actor over a store. A change is answered when it is durable. Where
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
      const checked = checkEntry(entry);
      requireOwn(checked.id, envelope, "add to the registry");
      requireOwnInstance(checked, envelope);
      await store.put(checked);
      logger.info("added {id}: {roles} {addresses}", {
        id: checked.id,
        roles: checked.roles,
        addresses: checked.addresses.map(formatAddressUrl),
      });
    },

    async remove({ id, instance }, envelope?: Envelope) {
      requireOwn(readId(id), envelope, "remove from the registry");
      const removed = await store.delete(readId(id), instance);
      if (removed) logger.info("removed {id}", { id });
      return removed;
    },

    lookup: ({ id }) => store.get(readId(id)),
    lookupRole: ({ role }) => store.byRole(role),
    list: () => store.list(),
  };
}

/** What came over the wire is kept for long and handed to others: it must be an entry in every part. */
function checkEntry(entry: RegistryEntry): RegistryEntry {
  const { instance, addresses, roles } = entry;
  if (!(instance instanceof Uint8Array) || instance.length !== INSTANCE_LENGTH) {
    throw new InvalidInputError("not a registry entry: no instance");
  }
  if (!Array.isArray(addresses) || !Array.isArray(roles)) {
    throw new InvalidInputError("not a registry entry: no addresses or roles");
  }
  return {
    id: readId(entry.id),
    instance,
    addresses: addresses.flatMap((address) => parseAddresses(formatAddress(address))),
    roles: roles.map(String),
  };
}

function readId(id: unknown): ServerId {
  if (typeof id !== "string") throw new InvalidInputError("not a server id: it is no text");
  return parseServerId(id);
}
