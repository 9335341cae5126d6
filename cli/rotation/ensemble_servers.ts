/**
 * All servers of an ensemble, each of which a rotation has to reach: those that are registered, and
 * every registry.
 *
 * @module
 */
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { controlClient, listServers } from "../../runtime/ensemble/remote.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { inParallel } from "../../runtime/parallel.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { sameInstance } from "../../runtime/server/credentials.ts";
import { registryClient, type RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import type { SecretsInUse } from "../../runtime/server/server_secrets.ts";
import { formatAddressUrl } from "../../runtime/wire/address.ts";
import { explainFailure, startConsole } from "../kit/console.ts";
import { AT_ONCE } from "../kit/server_set_options.ts";

/** What a server said of its secrets, or why it said nothing. */
export interface ServerAnswer {
  /** Its id; of one of several registries, with its address. */
  readonly name: string;
  /** Its entry. */
  readonly entry: RegistryEntry;
  /** The secrets that it uses. */
  readonly secrets?: SecretsInUse;
  /** Why they are not known. */
  readonly error?: string;
}

/** Does work in a server that may take the capability `admin`. */
export type Elevating = <Result>(
  server: { readonly console: ActorServer; readonly id: string },
  work: () => Promise<Result>,
) => Promise<Result>;

/**
 * Asks all servers which secrets they use.
 *
 * @param options.reread whether they read their files again first.
 */
export async function askAllServers(
  console: ActorServer,
  options: {
    readonly reread: boolean;
    readonly elevating: Elevating;
    readonly timeout: number | undefined;
  },
): Promise<ServerAnswer[]> {
  const [listed, registries] = await Promise.all([
    listServers(console.actors),
    registryClient(console.actors).registries(),
  ]);
  const servers = listed.filter(({ id }) => id !== REGISTRY_ID);
  const all = [...registries, ...servers.sort((a, b) => a.id < b.id ? -1 : 1)];
  const answers: ServerAnswer[] = [];
  await inParallel([...all.entries()], {
    atOnce: AT_ONCE,
    work: async ([at, entry]) => {
      const name = nameOf(entry, registries.length);
      try {
        answers[at] = { name, entry, secrets: await ask(console, { entry, ...options }) };
      } catch (error) {
        if (!(error instanceof EnsembleError)) throw error;
        const { message } = await explainFailure(error, console.actors) as Error;
        answers[at] = { name, entry, error: message };
      }
    },
  });
  return answers;
}

function nameOf({ id, addresses }: RegistryEntry, registries: number): string {
  if (id !== REGISTRY_ID || registries < 2) return id;
  return `${id} at ${addresses.map(formatAddressUrl).join(", ")}`;
}

async function ask(
  console: ActorServer,
  { entry, reread, elevating, timeout }: {
    readonly entry: RegistryEntry;
    readonly reread: boolean;
    readonly elevating: Elevating;
    readonly timeout: number | undefined;
  },
): Promise<SecretsInUse> {
  const { id } = entry;
  if (entry.state === "unreachable") throw new EnsembleError("it is unreachable");
  const used = console.session(REGISTRY_ID)?.instance;
  const isOther = id === REGISTRY_ID && used && !sameInstance(used, entry.instance);
  // All registries have the same id, so another console is connected with this one.
  await using own = isOther
    ? await startConsole({ registry: entry.addresses, timeout })
    : undefined;
  const asker = own ?? console;
  if (own) await own.connect(REGISTRY_ID);
  return await elevating({ console: asker, id }, async () => {
    const control = controlClient(asker.actors, id);
    return await (reread ? control.rereadSecrets() : control.secrets());
  });
}
