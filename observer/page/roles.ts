/**
 * The colour of a role, which is the same in all views.
 *
 * @module
 */
import { compareTexts } from "./formatting.ts";
import type { ObservedServer } from "./page_protocol.ts";

/** The number of colours in the style sheet: `--role-0` to `--role-7`. */
const COLOURS = 8;

/** The roles of some servers, sorted; those of registries come last. */
export function rolesOf(servers: readonly ObservedServer[]): string[] {
  const roles = new Set(
    servers.flatMap(({ roles, isRegistry }) => isRegistry ? [] : roles),
  );
  return [...roles].sort(compareTexts);
}

/**
 * The class of the colour of a server's first role. All roles are given, sorted, so that the first
 * eight have different colours.
 */
export function roleClass(server: ObservedServer, roles: readonly string[]): string {
  if (server.isRegistry) return "role-registry";
  const [role] = server.roles;
  return role === undefined ? "role-none" : colourClass(role, roles);
}

/** The class of a role's colour. */
export function colourClass(role: string, roles: readonly string[]): string {
  return `role-${Math.max(0, roles.indexOf(role)) % COLOURS}`;
}
