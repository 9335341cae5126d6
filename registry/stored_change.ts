/**
 * How changes of entries are described, the same for every store.
 *
 * @module
 */
import { sameInstance } from "../runtime/server/credentials.ts";
import { groupsOf, membersIn, type RegistryEntry } from "../runtime/server/registry_protocol.ts";
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
  const lostGroups = groupsOf(before).filter((group) => membersIn(entry, group) === 0);
  const change = isSame ? "changed" : state;
  return { change, id, revision, roles, entry, lostRoles, lostGroups };
}

/** Describes the removal of an entry at a revision. */
export function removed(
  entry: RegistryEntry,
  { as, revision }: { as: Removal; revision: number },
): StoredChange {
  const { id, roles } = entry;
  return { change: as, id, revision, roles, lostRoles: [], lostGroups: groupsOf(entry) };
}
