/**
 * Liveness: whether a registered server still runs, judged by its addresses and its process.
 *
 * @module
 */
import { type Address, hostName, isLocal } from "../wire/address.ts";
import { connectTo, UnreachableError } from "../wire/transport.ts";
import { within } from "../within.ts";
import type { RegistryEntry } from "./registry_entry.ts";

/** How long an address may take to answer, in ms. No answer proves nothing. */
const ANSWER_TIMEOUT = 1_000;

/** Whether a registered instance runs. An `unknown` one may still run. */
export type Presence = "running" | "gone" | "unknown";

/** What connecting to an address shows about the instance that announced it. */
export type Sign =
  /** The instance answers. */
  | "running"
  /** Nobody listens, or another instance does. */
  | "gone"
  /** There is no such socket: the server has ended, or the file was removed. */
  | "no socket"
  /** Something accepts and does not say who it is, or the host cannot be reached. */
  | "unclear";

/**
 * Looks whether a registered instance runs. It is gone when every address that can be tried from this host refuses
 * connections. A missing socket counts only when the process is gone from this host too, or the server has been
 * silent for long. Where no address can be tried, the process decides. Silence and time-outs prove nothing.
 *
 * @param options.isLongSilent whether the server has been silent for longer than the heartbeat allows.
 * @param options.examine looks at one address; by default it only connects, which does not show who answers.
 */
export async function lookFor(
  { addresses, pid, host }: RegistryEntry,
  options: {
    isLongSilent?: boolean;
    examine?: (address: Address) => Promise<Sign>;
  } = {},
): Promise<Presence> {
  const { isLongSilent = false, examine = connects } = options;
  const tried = addresses.filter(isLocal);
  const signs: Sign[] = [];
  const all = Promise.all(tried.map(async (address) => void signs.push(await examine(address))));
  const isDone = await within(ANSWER_TIMEOUT, all);
  if (signs.includes("running")) return "running";
  if (!isDone || signs.includes("unclear")) return "unknown";
  if (signs.length > 0 && (isLongSilent || !signs.includes("no socket"))) return "gone";
  return host === hostName() && !await isRunning(pid) ? "gone" : "unknown";
}

/** What a failure to connect shows. */
export function signOfError(error: unknown): Sign {
  if (!(error instanceof UnreachableError)) return "unclear";
  if (error.why === "refused") return "gone";
  return error.why === "no socket" ? "no socket" : "unclear";
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
