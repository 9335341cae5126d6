/**
 * The supervisors that a command of `gxensemble control` is for.
 *
 * @module
 */
import { listServers } from "../../runtime/ensemble/remote.ts";
import { DisconnectedError, EnsembleError } from "../../runtime/errors.ts";
import { didYouMean, nearest } from "../../runtime/near_names.ts";
import { inParallel } from "../../runtime/parallel.ts";
import type { RegistryEntry, ServerState } from "../../runtime/server/registry_protocol.ts";
import { hostName } from "../../runtime/wire/address.ts";
import { hostLabel } from "../../supervisor/configuration/configuration.ts";
import type {
  SupervisedServer,
  SupervisedServers,
} from "../../supervisor/supervised_servers_protocol.ts";
import {
  SUPERVISOR_ROLE,
  supervisorClient,
  supervisorId,
} from "../../supervisor/supervisor_protocol.ts";
import { RUNNING_STATES } from "../kit/options.ts";
import { printNotice } from "../kit/output.ts";
import { findSet, type WorkContext } from "../kit/server_set.ts";
import { AT_ONCE, type ServerSet } from "../kit/server_set_options.ts";
import type { SupervisorOptions } from "./control_options.ts";

/** The capability that everything but programs and files takes. */
export const SUPERVISOR = "supervisor";

/** A server, and its supervisor. */
export interface OwnedServer {
  /** The id of the supervisor. */
  readonly supervisor: string;
  /** The server. */
  readonly server: SupervisedServer;
}

/** The servers of one supervisor. */
export interface ListedServers extends SupervisedServers {
  /** The id of the supervisor. */
  readonly supervisor: string;
}

/**
 * Chooses supervisors: those that the options name, or the only one that runs.
 *
 * @throws {EnsembleError} if the options name none and several run, or one of a host that has none.
 */
export async function chooseSupervisors(
  { actors }: Pick<WorkContext, "actors">,
  { host, supervisor, all }: SupervisorOptions,
): Promise<ServerSet> {
  if (supervisor) return { ids: supervisor };
  if (all) return { roles: [SUPERVISOR_ROLE] };
  const entries = await supervisorEntries({ actors }, RUNNING_STATES);
  if (host) return { ids: host.map((name) => supervisorOf(name, entries)) };
  const [first, second] = entries;
  if (first && !second) return { ids: [first.id] };
  throw new EnsembleError(
    first
      ? `several supervisors run: ${
        entries.map(({ id }) => id).join(", ")
      }; choose one with --host or --supervisor, or all with --all`
      : "no supervisor runs: start one on each host with gxensemble supervisor",
  );
}

/** The ids of the supervisors that the options choose. */
export async function chosenIds(
  context: Pick<WorkContext, "actors">,
  options: SupervisorOptions,
): Promise<readonly string[]> {
  return await findSet(context.actors, await chooseSupervisors(context, options));
}

/** Which servers of supervisors are meant: with these ids, or with a role of the configuration. */
export interface ServerSelection extends SupervisorOptions {
  /** Their ids. */
  readonly ids?: readonly string[] | undefined;
  /** Their role. */
  readonly role?: string | undefined;
}

/**
 * Finds servers on the supervisors that the options name, or on any.
 *
 * @throws {EnsembleError} if one of the ids is on none of them, or none has the role; or several
 * have one, and they are not all meant.
 */
export async function selectServers(
  context: WorkContext,
  { ids, role, ...options }: ServerSelection,
): Promise<OwnedServer[]> {
  const isChosen = options.supervisor !== undefined || options.host !== undefined;
  const chosen = isChosen ? await chosenIds(context, options) : undefined;
  const { lists, silent } = await listAll(context, chosen);
  if (isChosen && silent[0]) throw silent[0].error;
  for (const { supervisor, error } of silent) {
    printNotice(`${supervisor} is left out: ${error.message}`);
  }
  const found = lists.flatMap(({ supervisor, servers }) =>
    servers.filter((server) => ids ? ids.includes(server.id) : server.role === role)
      .map((server) => ({ supervisor, server }))
  );
  const missing = ids?.find((id) => !found.some(({ server }) => server.id === id));
  if (missing !== undefined) throw unknownServer(missing, lists);
  if (found.length === 0) {
    const roles = lists.flatMap(({ servers }) => servers.flatMap(({ role }) => role ?? []));
    throw new EnsembleError(
      `no supervisor has a server with the role ${role}${didYouMean(nearest(`${role}`, roles))}`,
    );
  }
  if (isChosen || options.all) return found;
  const several = ids
    ? ids.find((id) => found.filter(({ server }) => server.id === id).length > 1)
    : undefined;
  const owners = [
    ...new Set(
      found.filter(({ server }) => !ids || server.id === several).map(({ supervisor }) =>
        supervisor
      ),
    ),
  ];
  if (owners.length < 2) return found;
  throw new EnsembleError(
    `several supervisors have ${several ?? `servers with the role ${role}`}: ${
      owners.join(", ")
    }; choose one with --host or --supervisor, or all with --all`,
  );
}

/** Says that no supervisor has a server, with those that have similar names. */
function unknownServer(id: string, lists: readonly ListedServers[]): EnsembleError {
  const ids = lists.flatMap(({ servers }) => servers.map((server) => server.id));
  const asked = lists.map(({ supervisor }) => supervisor).join(", ");
  return new EnsembleError(
    `no supervisor has a server ${id}${didYouMean(nearest(id, ids))} (asked: ${asked || "none"})`,
  );
}

/** What supervisors list, and those that do not answer. */
export interface Listing {
  /** The servers of those that answer. */
  readonly lists: readonly ListedServers[];
  /** Those that do not, and why. */
  readonly silent: readonly { readonly supervisor: string; readonly error: EnsembleError }[];
}

/**
 * Lists the servers of supervisors; of all, if none are given. It fails for none of them: those that
 * do not answer are listed apart. One that is `unreachable` in the registry is not asked.
 */
export async function listAll(
  { actors }: Pick<WorkContext, "actors">,
  given?: readonly string[],
): Promise<Listing> {
  const entries = given?.map((id) => ({ id, state: "up" })) ??
    await supervisorEntries({ actors }, [...RUNNING_STATES, "unreachable"]);
  const lists: ListedServers[] = [];
  const silent: { supervisor: string; error: EnsembleError }[] = [];
  await inParallel(entries, {
    atOnce: AT_ONCE,
    async work({ id: supervisor, state }) {
      try {
        if (state === "unreachable") {
          throw new EnsembleError("it is unreachable: its lease in the registry has run out");
        }
        lists.push({ supervisor, ...await supervisorClient(actors, supervisor).list() });
      } catch (error) {
        if (!(error instanceof EnsembleError)) throw error;
        silent.push({ supervisor, error });
      }
    },
  });
  const bySupervisor = (a: { supervisor: string }, b: { supervisor: string }) =>
    a.supervisor < b.supervisor ? -1 : 1;
  return { lists: lists.toSorted(bySupervisor), silent: silent.toSorted(bySupervisor) };
}

/** What is known of a supervisor. */
type SupervisorEntry = Pick<RegistryEntry, "id" | "state" | "host">;

/**
 * Finds the supervisors in the registry. If that cannot be reached, the one of this host is the only
 * one, since it may be what starts the registry again.
 */
async function supervisorEntries(
  { actors }: Pick<WorkContext, "actors">,
  states: readonly ServerState[],
): Promise<SupervisorEntry[]> {
  try {
    const entries = await listServers(actors, { role: SUPERVISOR_ROLE, states });
    return entries.toSorted((a, b) => a.id < b.id ? -1 : 1);
  } catch (error) {
    if (!(error instanceof DisconnectedError)) throw error;
    const host = hostLabel(hostName());
    const id = supervisorId(host);
    const isThere = await supervisorClient(actors, id).list().then(() => true, () => false);
    if (!isThere) throw error;
    printNotice(`${error.message}; only ${id} of this host is asked`);
    return [{ id, state: "up", host }];
  }
}

function supervisorOf(host: string, entries: readonly SupervisorEntry[]): string {
  const labels = entries.map((entry) => hostLabel(entry.host ?? ""));
  const at = labels.indexOf(host);
  if (at >= 0) return entries[at]!.id;
  const known = labels.filter((label) => label !== "");
  throw new EnsembleError(
    `no supervisor runs on the host ${host}${didYouMean(nearest(host, known))}` +
      (known.length > 0 ? ` (there are: ${known.join(", ")})` : ""),
  );
}
