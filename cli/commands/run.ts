/**
 * `gxensemble run`.
 *
 * @module
 */
import { REGISTRY_ID } from "../../runtime/actor/server_id.ts";
import { explainParts } from "../../runtime/error_report.ts";
import { describeThrown } from "../../runtime/thrown.ts";
import { callWithEnsembleServer } from "../../runtime/ensemble/call_with_server.ts";
import { onHangup } from "../../runtime/ensemble/hangup.ts";
import { buildProgram, loadRequest } from "../modules/program.ts";
import { operatorName } from "../operator.ts";
import type { ServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { logOptions, type ServerOptions } from "../../registry/options.ts";

/** Where what programs call is, and not what they are. */
const RUNTIME_DIRECTORY = new URL("../../runtime/", import.meta.url).href;

/** Options of {@linkcode run}. */
export interface RunOptions extends ServerOptions {
  /** Where the registry is; none when not given. */
  registry: Address[];
  /** What the server does in the ensemble. */
  roles: string[];
  /** How long the server may take to stop, in ms. */
  grace: number;
  /** Whether it takes code from others. */
  loader: boolean;
}

/** Runs a server that executes the module's `main` with the arguments, until it is shut down. */
export async function run(
  serverId: ServerId,
  moduleId: string,
  mainArguments: string[],
  options: RunOptions,
): Promise<void> {
  if (serverId === REGISTRY_ID) {
    throw new EnsembleError(
      "the id registry is that of the registry: run it with gxensemble registry",
    );
  }
  // There is nothing to read again yet, which is no reason to end.
  using _early = onHangup("reread", () => {});
  const program = await buildProgram(moduleId);
  await callWithEnsembleServer(serverId, async (server) => {
    // Into the server's own store: what is loaded later shares these very modules.
    await server.ship(program.units);
    const { namespace } = await server.load(loadRequest(program, operatorName()));
    if (typeof namespace.main !== "function") {
      throw new EnsembleError(`${moduleId} exports no function main to run`);
    }
    try {
      await namespace.main(...mainArguments);
    } catch (thrown) {
      throw new EnsembleError(`main of ${moduleId} failed: ${describeFailure(thrown)}`, {
        cause: thrown,
      });
    }
  }, { ...options, log: logOptions(options) });
}

/** What was thrown, the place in the author's files where it was, and why. */
function describeFailure(thrown: unknown): string {
  const stack = thrown instanceof Error ? thrown.stack ?? "" : "";
  const [place] = (stack.match(/\bfile:\S+:\d+:\d+/g) ?? [])
    .filter((place) => !place.startsWith(RUNTIME_DIRECTORY));
  const reason = place ? `${describeThrown(thrown)}, at ${place}` : describeThrown(thrown);
  return [reason, ...explainParts(thrown)].join("\n");
}
