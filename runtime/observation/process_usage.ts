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
  return ifAllowed(() => {
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
  return ifAllowed(() => {
    // One of them is the directory that is read.
    const count = Array.from(Deno.readDirSync("/proc/self/fd")).length - 1;
    const limits = Deno.readTextFileSync("/proc/self/limits");
    const [, limit] = /^Max open files +(\d+)/m.exec(limits) ?? [];
    return { count, ...limit !== undefined && { limit: Number(limit) } };
  });
}

/** The name of the user that this process runs as. */
export function processUser(): string | undefined {
  return ifAllowed(() => process.getBuiltinModule("node:os").userInfo().username) ??
    ifAllowed(() => Deno.uid()?.toString());
}

/** The result of reading something; undefined without the permission, or where there is no such thing. */
function ifAllowed<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
