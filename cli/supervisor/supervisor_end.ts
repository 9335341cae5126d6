/**
 * Shutting down and restarting supervisors.
 *
 * @module
 */
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { registryClient, type RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { supervisorClient } from "../../supervisor/supervisor_protocol.ts";
import { operatorName } from "../kit/administrator.ts";
import { askYesOrNo } from "../kit/prompts.ts";
import type { WorkContext } from "../kit/server_set.ts";
import { listAll } from "./chosen_supervisors.ts";

/** The interval in which the registry is asked, in ms. */
const INTERVAL = 200;

/**
 * Has the user confirm that everything on hosts ends.
 *
 * @throws {EnsembleError} if the user does not, or there is no terminal.
 */
export async function confirmShutdown(ids: readonly string[]): Promise<void> {
  const what = `${ids.join(", ")} and all ${ids.length === 1 ? "its" : "their"} servers`;
  if (!Deno.stdin.isTerminal()) {
    throw new EnsembleError(`this shuts down ${what}: confirm it with --force`);
  }
  if (!await askYesOrNo(`Shut down ${what}?`)) {
    throw new EnsembleError("canceled: nothing was shut down");
  }
}

/** The supervisor that runs the registry, which the others need until they have ended. */
export async function registryHost(
  context: WorkContext,
  ids: readonly string[],
): Promise<string | undefined> {
  if (ids.length === 1) return undefined;
  const { lists } = await listAll(context, ids);
  return lists.find(({ servers }) => servers.some(({ id }) => id === REGISTRY_ID))?.supervisor;
}

/**
 * Ends a supervisor with its servers, or restarts it, and waits for that.
 *
 * @throws {EnsembleError} if it takes too long.
 */
export async function endSupervisor(
  { actors }: WorkContext,
  { supervisor, order, wait }: {
    readonly supervisor: string;
    readonly order: "shutdown" | "restart";
    readonly wait: number | false;
  },
): Promise<string> {
  const before = await entryOf(actors, supervisor);
  const client = supervisorClient(actors, supervisor);
  const by = operatorName();
  await (order === "shutdown" ? client.shutDownHost({ by }) : client.restartSupervisor({ by }));
  if (wait === false) return supervisor;
  const until = performance.now() + wait;
  for (;;) {
    const entry = await entryOf(actors, supervisor);
    const isOther = entry !== undefined && entry !== "unknown" && isOtherInstance(before, entry);
    if (order === "shutdown" ? entry === undefined || isOther : isOther && entry.state === "up") {
      return supervisor;
    }
    // The registry has ended with the host that ran it.
    if (order === "shutdown" && entry === "unknown") return supervisor;
    if (performance.now() > until) {
      throw new EnsembleError(
        `${supervisor} takes longer than ${wait / 1000} s to ${
          order === "shutdown" ? "end" : "come back"
        }: see its log on its host`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
}

function isOtherInstance(
  before: RegistryEntry | "unknown" | undefined,
  after: RegistryEntry,
): boolean {
  if (before === undefined || before === "unknown") return true;
  return before.instance.toHex() !== after.instance.toHex();
}

/** The entry of a supervisor; `"unknown"` if the registry does not answer. */
async function entryOf(
  actors: WorkContext["actors"],
  id: string,
): Promise<RegistryEntry | "unknown" | undefined> {
  try {
    return (await registryClient(actors).lookup({ id })).entry;
  } catch (error) {
    if (error instanceof EnsembleError) return "unknown";
    throw error;
  }
}
