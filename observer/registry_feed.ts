/**
 * Keeps the servers that the observer shows as the registry has them, and notes what changes.
 *
 * @module
 */
import type { ActorSystem } from "../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../runtime/actor/references.ts";
import { EnsembleError } from "../runtime/errors.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import { registryClient, type RegistryEntry } from "../runtime/server/registry_protocol.ts";
import type { WatchedChange } from "../runtime/server/registry_view.ts";
import type { ObservedEnsemble } from "./observed_ensemble.ts";
import { observedEntry, shown } from "./observed_values.ts";

/** The interval in which the registries are asked for, in ms. */
const REGISTRIES_INTERVAL = 5_000;

/** Follows the registry until it is aborted. */
export async function followRegistry(
  console: Pick<ActorServer, "actors" | "view" | "session">,
  { ensemble, signal }: { ensemble: ObservedEnsemble; signal: AbortSignal },
): Promise<void> {
  const changes = console.view.watch({}, {
    signal,
    onAway: (reason) => ensemble.setRegistryError(shown(reason)),
    onBack: () => ensemble.setRegistryError(undefined),
  });
  const registries = followRegistries(console, { ensemble, signal });
  for await (const change of changes) apply(ensemble, change);
  await registries;
}

function apply(ensemble: ObservedEnsemble, { change, id, entry }: WatchedChange): void {
  if (entry) ensemble.setEntry(observedEntry(entry));
  else ensemble.setGone(id);
  if (change === "present") return;
  const roles = entry?.roles.map((role) => shown(role)).join(", ") ?? "";
  ensemble.note({ at: Date.now(), server: id, change, ...roles !== "" && { details: roles } });
}

/** The registries are in no list of servers, so they are asked for. */
async function followRegistries(
  console: Pick<ActorServer, "actors" | "session">,
  { ensemble, signal }: { ensemble: ObservedEnsemble; signal: AbortSignal },
): Promise<void> {
  let shownIds = new Set<string>();
  while (!signal.aborted) {
    const entries = await askRegistries(console.actors);
    if (entries && !signal.aborted) {
      const ids = new Set<string>();
      const connected = console.session(REGISTRY_ID)?.instance.toHex();
      const own = entries.find(({ instance }) => new Uint8Array(instance).toHex() === connected) ??
        entries[0];
      for (const entry of entries) {
        // All of them have the same id. Only the one that this console is connected to has it here.
        const observed = observedEntry(entry, { isRegistry: true });
        const id = entry === own ? REGISTRY_ID : `${REGISTRY_ID} ${observed.instance.slice(0, 8)}`;
        ids.add(id);
        const before = ensemble.server(id);
        const isSame = before?.instance === observed.instance && before.state === observed.state;
        if (!isSame) ensemble.setEntry({ ...observed, id });
      }
      for (const id of shownIds) if (!ids.has(id)) ensemble.setGone(id);
      shownIds = ids;
    }
    await pause(REGISTRIES_INTERVAL, signal);
  }
}

async function askRegistries(actors: ActorSystem): Promise<RegistryEntry[] | undefined> {
  try {
    return await registryClient(actors).registries();
  } catch (error) {
    // While the registry is away, those that were known are shown.
    if (error instanceof EnsembleError) return undefined;
    throw error;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const end = () => resolve();
  signal.addEventListener("abort", end, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}
