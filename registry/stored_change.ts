/**
 * How changes of entries are described, the same for every store.
 *
 * @module
 */
import { sameInstance } from "../runtime/server/credentials.ts";
import type { RegistryEntry } from "../runtime/server/registry_protocol.ts";
import type { Removal, StoredChange } from "./store.ts";

/**
 * Describes the change of an entry that is new, or has changed.
 *
 * @param before the entry before the change, if there was one.
 * @param entry the entry as it is now; its revision is that of the change.
 */
export function replaced(before: RegistryEntry | undefined, entry: RegistryEntry): StoredChange {
  const { id, revision, roles, state } = entry;
  const isSame = before !== undefined && before.state === state &&
    sameInstance(before.instance, entry.instance);
  const lostRoles = before?.roles.filter((role) => !roles.includes(role)) ?? [];
  return { change: isSame ? "changed" : state, id, revision, roles, entry, lostRoles };
}

/** Describes the removal of an entry at a revision. */
export function removed(
  { id, roles }: RegistryEntry,
  { as, revision }: { as: Removal; revision: number },
): StoredChange {
  return { change: as, id, revision, roles, lostRoles: [] };
}
