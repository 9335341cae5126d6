/**
 * Liveness: whether a registered server runs, as far as its addresses tell.
 *
 * @module
 */
import { type Address, hostName, isLocal } from "../wire/address.ts";
import { connectTo, UnreachableError } from "../wire/transport.ts";
import { within } from "../within.ts";
import type { RegistryEntry } from "./registry_entry.ts";

/** How long an address may take to answer, in ms. One that does not answer says nothing of its server. */
const ANSWER_TIMEOUT = 1_000;

/** What is known of a registered instance. One of which nothing is known for sure may run all the same. */
export type Presence = "running" | "gone" | "unknown";

/** What an address says of the instance that announced it. */
export type Sign =
  /** It answers there. */
  | "running"
  /** Nobody listens there, or another server does. */
  | "gone"
  /** There is no such socket: either its server has ended, or somebody removed the socket. */
  | "no socket"
  /** Somebody is there, or it cannot be told. */
  | "unclear";

/**
 * Looks whether a registered instance runs. It is gone for sure when nobody listens at its addresses, those that can
 * be tried from here. Where a socket is missing, or no address can be tried, its process has to be gone from this
 * host as well, or for a missing socket the server be `isLongSilent`. Silence, a host that cannot be reached and a
 * time-out prove nothing.
 *
 * @param options.examine looks at an address; by default it connects there, which does not tell who answers.
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

/** What it says of a server that connecting to its address failed so. */
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

/** Whether a process of this host runs, whosoever it is. One whose number is not known may. */
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
