/**
 * Facts about this process and its host. Deno lets only processes with all permissions read
 * `/proc`, so a process that restarts with fewer passes the facts on.
 *
 * @module
 */

/** The kernel and process namespace of a process. */
export interface Kernel {
  /** The boot id of the kernel, shared by containers of a host. */
  readonly boot: string;
  /** The namespace of process ids: the same id in another one is another process. */
  readonly processes: string;
}

/** The environment variable that passes facts on, as JSON. */
export const HANDED_OVER = "GXENSEMBLE_HANDED_OVER";

/** Facts about the process and its host. */
export interface HandedOver {
  /** The mask of the signals that it was started to ignore, in hexadecimal. */
  readonly ignored?: string;
  /** The kernel that it runs on. */
  readonly kernel?: Kernel | undefined;
}

let taken: { readonly facts: HandedOver | undefined } | undefined;

/**
 * The facts passed on to this process; undefined if it was not restarted. Child processes do not
 * get them.
 */
export function handedOver(): HandedOver | undefined {
  return (taken ??= { facts: take() }).facts;
}

/** Passes facts on to the process that replaces this one. */
export function handOver(facts: HandedOver): void {
  Deno.env.set(HANDED_OVER, JSON.stringify(facts));
}

function take(): HandedOver | undefined {
  // Do not prompt for this permission in a process that runs with few.
  const permission = { name: "env", variable: HANDED_OVER } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") return undefined;
  const text = Deno.env.get(HANDED_OVER);
  if (text === undefined) return undefined;
  Deno.env.delete(HANDED_OVER);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

let known: { readonly kernel: Kernel | undefined } | undefined;

/**
 * The kernel of this process; undefined if the system does not report it, or `/proc` cannot be
 * read, which needs all permissions.
 *
 * @see proc_sys_kernel(5), pid_namespaces(7)
 */
export function ownKernel(): Kernel | undefined {
  return (known ??= { kernel: readKernel() }).kernel;
}

function readKernel(): Kernel | undefined {
  try {
    const boot = Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
    return { boot, processes: Deno.readLinkSync("/proc/self/ns/pid") };
  } catch {
    return handedOver()?.kernel;
  }
}
