/**
 * What has to happen for a configuration to replace another one.
 *
 * @module
 */
import { createHash } from "node:crypto";
import {
  type ChangedProcess,
  type Configuration,
  type ConfigurationDifferences,
  processesOn,
  type RegistryConfiguration,
  type ServerConfiguration,
} from "./configuration.ts";

type Process = RegistryConfiguration | ServerConfiguration;

/** The fields that a process is started with. Others concern only its supervisor. */
const STARTED_WITH: ReadonlySet<string> = new Set<
  keyof RegistryConfiguration | keyof ServerConfiguration
>([
  ...["program", "args", "env", "envFiles", "workingDirectory", "user", "roles"] as const,
  ...["listen", "announce", "registry", "log", "http", "httpToken", "loader", "grace"] as const,
  ...["deny", "capabilities", "lease", "store", "storeUser", "storePasswordFile"] as const,
  ...["storeCa", "storeCert", "storeKey"] as const,
]);

/** The longest list of changed fields of a process. */
const MOST_FIELDS = 50;

/**
 * Finds what the supervisor of a host does when its configuration is replaced. A process that is
 * not enabled, but was started by an operator, is restarted as any other.
 *
 * @param options.host the first label of the host's name.
 */
export function configurationDifferences(
  earlier: Configuration,
  { configuration: later, host }: { readonly configuration: Configuration; readonly host: string },
): ConfigurationDifferences {
  const before = new Map(processesOn(earlier, host).map((process) => [process.id, process]));
  const after = new Map(processesOn(later, host).map((process) => [process.id, process]));
  const both = [...after.values()].flatMap((process) => {
    const old = before.get(process.id);
    return old && old.enabled === process.enabled ? [{ old, process }] : [];
  });
  const changed = (startedWith: boolean): ChangedProcess[] =>
    both.flatMap(({ old, process }) => {
      if (startedWith !== (configurationHash(old) !== configurationHash(process))) return [];
      const fields = changedFields(old, process);
      return fields.length > 0 ? [{ id: process.id, fields }] : [];
    });
  return {
    started: [...after.values()]
      .filter(({ id, enabled }) => enabled && !before.get(id)?.enabled).map(({ id }) => id),
    stopped: [...before.values()].filter(({ id, enabled }) => {
      const process = after.get(id);
      return process ? enabled && !process.enabled : true;
    }).map(({ id }) => id),
    restarted: changed(true),
    changed: changed(false),
    supervisor: changedFields(earlier.supervisor, later.supervisor),
  };
}

/**
 * Identifies what a process is started with: two that have the same hash need no restart to become
 * each other. The contents of files, such as modules and secrets, are not a part of it.
 */
export function configurationHash(process: Process): string {
  const fields = Object.entries(process).filter(([name, value]) =>
    STARTED_WITH.has(name) && value !== undefined
  );
  return createHash("sha256").update(canonical(Object.fromEntries(fields))).digest("hex");
}

/** JSON with sorted names, so that equal values have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_, part) =>
      isObject(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => a < b ? -1 : 1))
        : part,
  );
}

/** The fields that differ, with a path to each: `env.PORT`, `restart.backoff.min`. */
function changedFields(earlier: object, later: object): string[] {
  const fields = [...different(earlier, later, "")];
  return fields.length <= MOST_FIELDS
    ? fields
    : [...fields.slice(0, MOST_FIELDS), `and ${fields.length - MOST_FIELDS} more`];
}

function* different(earlier: object, later: object, prefix: string): Generator<string> {
  const names = new Set([...Object.keys(earlier), ...Object.keys(later)]);
  for (const name of names) {
    const a = (earlier as Record<string, unknown>)[name];
    const b = (later as Record<string, unknown>)[name];
    if (canonical({ value: a }) === canonical({ value: b })) continue;
    // In the file, what a process runs is the field module or executable.
    if (name === "program" && prefix === "") {
      yield (b as ServerConfiguration["program"]).kind === "module" ? "module" : "executable";
    } else if (isObject(a) && isObject(b)) yield* different(a, b, `${prefix}${name}.`);
    else yield `${prefix}${name}`;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
