/**
 * What this process uses: memory, processor time, open files. Whatever the process may not read is
 * absent.
 *
 * @module
 */
import type { ServerStatus } from "./status_protocol.ts";

/** The memory of this process. */
export function processMemory(): ServerStatus["memory"] {
  const { rss, heapUsed, heapTotal, external } = Deno.memoryUsage();
  return { rss, heapUsed, heapTotal, external };
}

/** The processor time that this process has used, in ms. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The memory of this host. */
export function systemMemory(): ServerStatus["systemMemory"] {
  return ifGranted([{ name: "sys", kind: "systemMemoryInfo" }], () => {
    const { total, available } = Deno.systemMemoryInfo();
    return { total, available };
  });
}

/** How long a number of open files is given again, in ms: counting many of them takes a while. */
const FILES_INTERVAL = 5_000;

/** The open files that were counted last, and when, by `performance.now()`. */
let counted: { readonly at: number; readonly files: ServerStatus["openFiles"] } | undefined;

/** The open files of this process, on Linux; they may have been counted some seconds ago. */
export function openFiles(): ServerStatus["openFiles"] {
  const at = performance.now();
  if (!counted || at - counted.at >= FILES_INTERVAL) counted = { at, files: countFiles() };
  return counted.files;
}

function countFiles(): ServerStatus["openFiles"] {
  const [directory, limits] = ["/proc/self/fd", "/proc/self/limits"];
  const reading = [directory, limits].map((path) => ({ name: "read", path }) as const);
  return ifGranted(reading, () => {
    // One of them is the directory that is read.
    const count = Array.from(Deno.readDirSync(directory)).length - 1;
    const [, limit] = /^Max open files +(\d+)/m.exec(Deno.readTextFileSync(limits)) ?? [];
    return { count, ...limit !== undefined && { limit: Number(limit) } };
  });
}

/** The name of the user that this process runs as. */
export function processUser(): string | undefined {
  const name = () => process.getBuiltinModule("node:os").userInfo().username;
  // It takes permissions that cannot all be asked for one by one.
  return ifGranted([{ name: "sys" }], name) ??
    ifGranted([{ name: "sys", kind: "uid" }], () => `uid ${Deno.uid()}`);
}

/**
 * The result of reading something; undefined without the permissions, for which Deno must not
 * prompt, or where there is no such thing.
 */
function ifGranted<Value>(
  permissions: readonly Deno.PermissionDescriptor[],
  read: () => Value,
): Value | undefined {
  const isGranted = (permission: Deno.PermissionDescriptor) =>
    Deno.permissions.querySync(permission).state === "granted";
  if (!permissions.every(isGranted)) return undefined;
  try {
    return read();
  } catch {
    return undefined;
  }
}
