/**
 * Presence: whether a registered instance still runs.
 *
 * @module
 */
import { within } from "../timeout.ts";
import { type Kernel, ownKernel } from "../own_process.ts";
import { type Address, hostName, isLocal } from "../wire/address.ts";
import { PROBE_TIMEOUT } from "../wire/limits.ts";
import { connectTo, UnreachableError } from "../wire/transport.ts";
import { isFoundHere } from "../wire/unix_transport.ts";
import type { RegistryEntry } from "./registry_protocol.ts";

/** Whether a registered instance runs. An `unknown` one may still run. */
export type Presence = "running" | "gone" | "unknown";

/** The result of connecting to an address of an announced instance. */
export type Sign =
  /** The instance answers. */
  | "running"
  /** Another instance answers. */
  | "gone"
  /** No process listens. */
  | "refused"
  /** There is no such socket: the server has ended, or the file was removed. */
  | "no socket"
  /** The address accepts without identifying itself, or the host cannot be reached. */
  | "unclear";

/**
 * Checks whether a registered instance runs. It is gone if every address that can be tried from
 * this host refuses connections. A missing socket counts only if the process is gone from this
 * host, too, or the server has long been silent; the same holds for another socket in its place
 * that refuses. If no address can be tried, the process decides. Silence and timeouts prove
 * nothing.
 *
 * @param options.isLongSilent whether the server has been silent for longer than the heartbeat
 * allows.
 * @param options.examine checks one address; by default it only connects, which does not show who
 * answers.
 */
export async function lookFor(
  entry: RegistryEntry,
  options: {
    isLongSilent?: boolean;
    examine?: (address: Address) => Promise<Sign>;
  } = {},
): Promise<Presence> {
  const { isLongSilent = false, examine = connects } = options;
  const tried = entry.addresses.flatMap((address) => placesOf(address, entry));
  const signs: Sign[] = [];
  const all = Promise.all(tried.map(async ({ address, isAnnounced }) => {
    const sign = await examine(address);
    signs.push(sign === "refused" && !isAnnounced ? "no socket" : sign);
  }));
  const isDone = await within(PROBE_TIMEOUT, all);
  if (signs.includes("running")) return "running";
  if (!isDone || signs.includes("unclear")) return "unknown";
  if (signs.length > 0 && (isLongSilent || !signs.includes("no socket"))) return "gone";
  return isProcessSeen(entry) && !await isRunning(entry.pid) ? "gone" : "unknown";
}

/**
 * The places to check for an entry. If its socket is missing, whatever is at its path now is
 * checked, since another instance of the server may answer there.
 */
function placesOf(
  address: Address,
  { kernel }: RegistryEntry,
): { address: Address; isAnnounced: boolean }[] {
  if (address.kind !== "unix" || !address.file) {
    return isLocal(address) ? [{ address, isAnnounced: true }] : [];
  }
  if (isFoundHere(address)) return [{ address, isAnnounced: true }];
  if (!isLocal(address) && !isSameBoot(kernel)) return [];
  const { path } = address;
  return [{ address: { kind: "unix", host: hostName(), path }, isAnnounced: false }];
}

/** Whether the process ids of this host are those of an entry. */
export function isProcessSeen({ host, kernel }: Pick<RegistryEntry, "host" | "kernel">): boolean {
  const own = ownKernel();
  if (!own || !kernel) return host === hostName();
  return isSameBoot(kernel) && kernel.processes === own.processes;
}

function isSameBoot(kernel: Kernel | undefined): boolean {
  return kernel !== undefined && kernel.boot === ownKernel()?.boot;
}

/** What a failure to connect shows. */
export function signOfError(error: unknown): Sign {
  if (!(error instanceof UnreachableError)) return "unclear";
  return error.why === "refused" || error.why === "no socket" ? error.why : "unclear";
}

async function connects(address: Address): Promise<Sign> {
  try {
    (await connectTo(address)).close();
    return "unclear";
  } catch (error) {
    return signOfError(error);
  }
}

/** Whether a process with this number exists on this host. An unknown number counts as running. */
async function isRunning(pid: number | undefined): Promise<boolean> {
  if (pid === undefined) return true;
  const { default: process } = await import("node:process");
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code !== "ESRCH";
  }
}
