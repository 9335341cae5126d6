/**
 * The colour of a role, which is the same in all views.
 *
 * @module
 */
import { compareTexts } from "./formatting.ts";
import type { ObservedServer } from "./page_protocol.ts";

/** The number of colours in the style sheet: `--role-0` to `--role-7`. */
const COLOURS = 8;

/** The number of the colour of each role that was seen, so that it keeps it when others go. */
const colours = new Map<string, number>();

/** Gives colours to the roles that have none; the first eight of them have different ones. */
export function assignColours(servers: readonly ObservedServer[]): void {
  for (const role of rolesOf(servers)) {
    if (!colours.has(role)) colours.set(role, colours.size);
  }
}

/** The roles of some servers, sorted; those of registries are left out. */
export function rolesOf(servers: readonly ObservedServer[]): string[] {
  const roles = new Set(servers.flatMap(({ roles, isRegistry }) => isRegistry ? [] : roles));
  return [...roles].sort(compareTexts);
}

/** The class of the colour of a server's first role. */
export function roleClass({ isRegistry, roles }: ObservedServer): string {
  if (isRegistry) return "role-registry";
  const [role] = roles;
  return role === undefined ? "role-none" : colourClass(role);
}

/** The class of a role's colour. */
export function colourClass(role: string): string {
  return `role-${(colours.get(role) ?? 0) % COLOURS}`;
}
