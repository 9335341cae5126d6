/**
 * Liveness: whether a registered server still runs, judged by its addresses and its process.
 *
 * @module
 */
import { type Address, hostName, isLocal } from "../wire/address.ts";
import { connectTo, isFoundHere, UnreachableError } from "../wire/transport.ts";
import { within } from "../actor/time.ts";
import { type Kernel, ownKernel } from "./kernel.ts";
import type { RegistryEntry } from "./registry_protocol.ts";

/** How long an address may take to answer, in ms. No answer proves nothing. */
const ANSWER_TIMEOUT = 1_000;

/** Whether a registered instance runs. An `unknown` one may still run. */
export type Presence = "running" | "gone" | "unknown";

/** What connecting to an address shows about the instance that announced it. */
export type Sign =
  /** The instance answers. */
  | "running"
  /** Another instance answers. */
  | "gone"
  /** Nobody listens. */
  | "refused"
  /** There is no such socket: the server has ended, or the file was removed. */
  | "no socket"
  /** Something accepts and does not say who it is, or the host cannot be reached. */
  | "unclear";

/**
 * Looks whether a registered instance runs. It is gone when every address that can be tried from this host refuses
 * connections. A missing socket counts only when the process is gone from this host too, or the server has been
 * silent for long; so does another socket in its place that refuses. Where no address can be tried, the process
 * decides. Silence and time-outs prove nothing.
 *
 * @param options.isLongSilent whether the server has been silent for longer than the heartbeat allows.
 * @param options.examine looks at one address; by default it only connects, which does not show who answers.
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
  const isDone = await within(ANSWER_TIMEOUT, all);
  if (signs.includes("running")) return "running";
  if (!isDone || signs.includes("unclear")) return "unknown";
  if (signs.length > 0 && (isLongSilent || !signs.includes("no socket"))) return "gone";
  return isProcessSeen(entry) && !await isRunning(entry.pid) ? "gone" : "unknown";
}

/**
 * Where to look for what an entry announced. Where its socket is missing, whatever has its path now is looked at:
 * another instance of the server may answer there.
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

/** Whether the process numbers of this host are those of an entry. */
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
