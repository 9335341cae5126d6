/**
 * The kernel that a process runs under: hosts that are called the same are told apart by it, and one that is renamed
 * stays the same.
 *
 * @module
 */
import { handedOver } from "../handed_over.ts";

/** Where a process runs. */
export interface Kernel {
  /** The boot of the kernel: containers of one host have the same. */
  readonly boot: string;
  /** The namespace of its process numbers: in another one the same number is another process. */
  readonly processes: string;
}

/** The longest part of a {@linkcode Kernel}, in UTF-16 code units. */
export const MAX_KERNEL = 64;

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
