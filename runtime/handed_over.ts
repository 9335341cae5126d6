/**
 * What a process finds out before it starts itself anew with fewer permissions, and takes along: Deno lets only
 * processes with all permissions read `/proc`.
 *
 * @module
 */

/** The environment variable in which it is taken along, as JSON. */
export const HANDED_OVER = "GXENSEMBLE_HANDED_OVER";

/** What is known of the process and its host. */
export interface HandedOver {
  /** The mask of the signals that it was started to ignore, in hexadecimal digits. */
  readonly ignored?: string;
  /** Names of the kernel that it runs under. */
  readonly kernel?: { readonly boot: string; readonly processes: string } | undefined;
}

let taken: { readonly facts: HandedOver | undefined } | undefined;

/** What this process took along; undefined where it was not started anew. The processes that it starts do not see it. */
export function handedOver(): HandedOver | undefined {
  return (taken ??= { facts: take() }).facts;
}

/** Takes something along into the process that this one is about to become. */
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
