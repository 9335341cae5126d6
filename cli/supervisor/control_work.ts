/**
 * The work of a command of `gxensemble control`: its console, its supervisors, its results.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";
import type { SupervisedServer } from "../../supervisor/supervised_servers_protocol.ts";
import { Administrator } from "../kit/administrator.ts";
import { withConsole } from "../kit/console.ts";
import { findSet, inEachServer, type WorkContext } from "../kit/server_set.ts";
import { chooseSupervisors, SUPERVISOR } from "./chosen_supervisors.ts";
import type { ControlOptions } from "./control_options.ts";
import { describeSupervised } from "./supervised_listing.ts";

/** Runs work with a console. In `control`, `--supervisor` is no way to servers. */
export async function withControl(
  options: ControlOptions,
  work: (context: WorkContext) => Promise<void>,
): Promise<void> {
  await withConsole({ ...options, supervisor: undefined }, async (actors, console) => {
    await work({ actors, administrator: new Administrator(console, options) });
  });
}

/** What a command does at each supervisor. */
export interface SupervisorWork<Result> {
  /** The capability that it takes. Default: `supervisor`. */
  readonly capability?: string;
  /** Whether the work shows its own progress. */
  readonly showsProgress?: boolean;
  /** Prepares the work, and returns the supervisor that comes after all others, if one does. */
  prepare?(context: WorkContext, ids: readonly string[]): Promise<string | undefined>;
  /** Does the work. */
  work(supervisor: string, context: WorkContext): Promise<Result>;
  /** Prints a result; of several, each line begins with the label. */
  print(result: Result, label: string): void;
  /** Converts a result for JSON output. */
  toJson(result: Result): unknown;
}

/** Does the same work at each of the supervisors that the options choose; see `inEachServer`. */
export async function onSupervisors<Result>(
  options: ControlOptions,
  { prepare, capability = SUPERVISOR, ...work }: SupervisorWork<Result>,
): Promise<void> {
  let last: string | undefined;
  await inEachServer(async (context) => {
    const set = await chooseSupervisors(context, options);
    if (prepare) last = await prepare(context, await findSet(context.actors, set));
    return set;
  }, {
    ...options,
    supervisor: undefined,
    capability,
    ...work,
    get last() {
      return last!;
    },
  });
}

/**
 * Requires that a server is up.
 *
 * @throws {EnsembleError} if it is not, with its state and what to do.
 */
export function requireUp(server: SupervisedServer): void {
  if (server.state === "up") return;
  throw new EnsembleError(
    `${describeSupervised(server)}; see gxensemble control get-server-log ${server.id}`,
  );
}

/**
 * Requires that a server has ended.
 *
 * @throws {EnsembleError} if it has not.
 */
export function requireStopped(server: SupervisedServer): void {
  if (server.pid === undefined) return;
  throw new EnsembleError(
    `${describeSupervised(server)}: it takes longer to end; wait with --wait`,
  );
}
