/**
 * What a process finds out about itself and its host. Deno lets only processes with all permissions read `/proc`: one that
 * starts itself anew with fewer hands over what it has found out.
 *
 * @module
 */

/** Where a process runs. */
export interface Kernel {
  /** The boot of the kernel: containers of one host have the same. */
  readonly boot: string;
  /** The namespace of its process numbers: in another one the same number is another process. */
  readonly processes: string;
}

/** The environment variable that hands facts over, as JSON. */
export const HANDED_OVER = "GXENSEMBLE_HANDED_OVER";

/** What is known of the process and its host. */
export interface HandedOver {
  /** The mask of the signals that it was started to ignore, in hexadecimal digits. */
  readonly ignored?: string;
  /** Names of the kernel that it runs under. */
  readonly kernel?: Kernel | undefined;
}

let taken: { readonly facts: HandedOver | undefined } | undefined;

/** What was handed over to this process; undefined where it was not started anew. The processes that it starts do not get it. */
export function handedOver(): HandedOver | undefined {
  return (taken ??= { facts: take() }).facts;
}

/** Hands facts over to the process that this one is about to become. */
export function handOver(facts: HandedOver): void {
  Deno.env.set(HANDED_OVER, JSON.stringify(facts));
}

function take(): HandedOver | undefined {
  // Processes with few permissions must not be asked for this one.
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
 * The kernel that this process runs under; undefined where the system does not tell, or does not let it read `/proc`,
 * which takes all permissions.
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
