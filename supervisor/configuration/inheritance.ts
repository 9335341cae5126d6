/**
 * What a server has from its role: its own fields replace those of the role, and objects such as
 * `env` and `restart` are merged field by field. Lists are replaced as a whole.
 *
 * @module
 */
import type { FieldPath } from "./document.ts";
import type { FileValue, RoleValue, ServerValue, WorkersValue } from "./fields.ts";

/** A server of the file, as it was read: one of `servers`, or one of a group of workers. */
export interface NamedServer {
  /** Its id. */
  readonly id: string;
  /** Its own fields. */
  readonly own: ServerValue | WorkersValue;
  /** Its own fields together with those of its role. */
  readonly merged: RoleValue;
  /** The name of its role; undefined if it is missing. */
  readonly role: string | undefined;
  /** The hosts on which it runs; undefined for all. */
  readonly hosts: readonly string[] | undefined;
  /** Where its own fields are in the file. */
  readonly path: FieldPath;
}

/** All servers of a file, in its order, with the numbered workers. */
export function namedServers({ roles = {}, servers = {}, workers = [] }: FileValue): NamedServer[] {
  const named = (id: string, own: ServerValue | WorkersValue, path: FieldPath): NamedServer => ({
    id,
    own,
    merged: mergeRole(roleNamed(roles, own.role), own),
    role: own.role,
    hosts: own.host === undefined ? undefined : [own.host],
    path,
  });
  return [
    ...Object.entries(servers).map(([id, own]) => named(id, own, ["servers", id])),
    ...workers.flatMap((group, index) =>
      workerIds(group).map((id) => named(id, group, ["workers", index]))
    ),
  ];
}

/** The ids of a group of workers: `worker-0`, `worker-1`. */
export function workerIds(
  { prefix, count = 0 }: { readonly prefix?: string; readonly count?: number },
): string[] {
  return prefix === undefined
    ? []
    : Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

/** The role with a name; an empty one if there is none. */
function roleNamed(
  roles: Readonly<Record<string, RoleValue>>,
  name: string | undefined,
): RoleValue {
  return name !== undefined && Object.hasOwn(roles, name) ? roles[name]! : {};
}

/** The fields of a role with those of a server. */
export function mergeRole(role: RoleValue, own: RoleValue): RoleValue {
  const { module, executable, plain, ...inherited } = role;
  const isOtherProgram = own.module !== undefined || own.executable !== undefined;
  return {
    ...inherited,
    ...isOtherProgram ? { plain } : { module, executable, plain },
    ...own,
    ...own.module !== undefined && own.plain === undefined && { plain: undefined },
    env: { ...role.env, ...own.env },
    log: { ...role.log, ...own.log },
    start: { ...role.start, ...own.start },
    stop: { ...role.stop, ...own.stop },
    output: { ...role.output, ...own.output },
    capabilities: {
      given: { ...role.capabilities?.given, ...own.capabilities?.given },
      granted: { ...role.capabilities?.granted, ...own.capabilities?.granted },
    },
    restart: mergeRestart(role.restart, own.restart),
    health: mergeHealth(role.health, own.health),
  };
}

/** The restart of a process as an object. */
export function restartObject(restart: RoleValue["restart"]) {
  return typeof restart === "string" ? { policy: restart } : restart ?? {};
}

function mergeRestart(of: RoleValue["restart"], own: RoleValue["restart"]) {
  const [below, above] = [restartObject(of), restartObject(own)];
  return {
    ...below,
    ...above,
    backoff: { ...below.backoff, ...above.backoff },
    intensity: { ...below.intensity, ...above.intensity },
  };
}

function mergeHealth(of: RoleValue["health"], own: RoleValue["health"]): RoleValue["health"] {
  if (own === undefined || typeof own === "boolean" && own === !!of) return of;
  if (typeof own === "boolean") return own;
  const below = typeof of === "object" ? of : {};
  const merged = { ...below, ...own };
  if (own.ping && own.expression === undefined) return { ...merged, expression: undefined };
  return own.expression !== undefined && own.ping === undefined
    ? { ...merged, ping: undefined }
    : merged;
}
