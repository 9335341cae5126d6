/**
 * Orders to supervisors about several of their servers, in batches.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";
import { onEndingSignal } from "../../runtime/home/signals.ts";
import { inParallel } from "../../runtime/parallel.ts";
import type { SupervisedServer } from "../../supervisor/supervised_servers_protocol.ts";
import { explainFailure } from "../kit/console.ts";
import { printError, printJson } from "../kit/output.ts";
import type { WorkContext } from "../kit/server_set.ts";
import { type OwnedServer, SUPERVISOR } from "./chosen_supervisors.ts";
import { supervisedToJson } from "./supervised_listing.ts";

/** What is done with servers. */
export interface ServerOrder {
  /** The number of servers at the same time. */
  readonly batch: number;
  /** Whether no further batch begins after a failure. */
  readonly stopsAtFailure: boolean;
  /** Whether the result is printed as JSON. */
  readonly json: boolean;
  /** Asks a supervisor for it. */
  carryOut(owned: OwnedServer): Promise<SupervisedServer>;
  /** Prints a result. */
  print(server: SupervisedServer): void;
}

/**
 * Gives an order for servers. A failure of one is printed at once. A signal such as Ctrl-C ends the
 * command, which says how far it has come.
 *
 * @throws {EnsembleError} the error of a single server; for several, which failed, and which were
 * left as they are.
 */
export async function orderServers(
  context: WorkContext,
  servers: readonly OwnedServer[],
  order: ServerOrder,
): Promise<void> {
  const done: string[] = [];
  const failed: string[] = [];
  const begun: string[] = [];
  using _interrupt = onEndingSignal(() => {
    const isSettled = (id: string) => done.includes(id) || failed.includes(id);
    const groups = {
      done,
      failed,
      "under way": begun.filter((id) => !isSettled(id)),
      "left as they are": servers.map(({ server }) => server.id).filter((id) =>
        !begun.includes(id)
      ),
    };
    const parts = Object.entries(groups)
      .flatMap(([what, ids]) => ids.length > 0 ? [`${what}: ${ids.join(", ")}`] : []);
    printError(`interrupted; ${parts.join("; ")}`);
  });
  for (let first = 0; first < servers.length; first += order.batch) {
    if (order.stopsAtFailure && failed.length > 0) break;
    const batch = servers.slice(first, first + order.batch);
    await inParallel(batch, {
      atOnce: order.batch,
      async work(owned) {
        begun.push(owned.server.id);
        try {
          const result = await context.administrator.elevating(
            owned.supervisor,
            SUPERVISOR,
            () => order.carryOut(owned),
          );
          printResult(result, servers.length, order);
          done.push(owned.server.id);
        } catch (error) {
          if (servers.length === 1 || !(error instanceof EnsembleError)) throw error;
          const { message } = await explainFailure(error, context.actors) as Error;
          failed.push(owned.server.id);
          printError(`${owned.server.id}: ${message}`);
        }
      },
    });
  }
  if (failed.length === 0) return;
  const left = servers.map(({ server }) => server.id)
    .filter((id) => !done.includes(id) && !failed.includes(id));
  throw new EnsembleError(
    `failed for ${failed.length} of ${servers.length} servers: ${failed.join(", ")}` +
      (left.length > 0 ? `; left as they are: ${left.join(", ")}` : ""),
  );
}

function printResult(server: SupervisedServer, all: number, { json, print }: ServerOrder): void {
  if (json) printJson(supervisedToJson(server), { oneLine: all > 1 });
  else print(server);
}
