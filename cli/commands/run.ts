/**
 * `gxensemble run`.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { logOptions, requireOrdinaryId, type RunOptions } from "../kit/options.ts";
import type { ServerId } from "../../runtime/actor/references.ts";
import { callWithEnsembleServer } from "../../runtime/ensemble/call_with_server.ts";
import {
  type EnsembleServer,
  lendServer,
  provideRuntime,
} from "../../runtime/ensemble/ensemble_server.ts";
import { onHangup } from "../../runtime/home/signals.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { formatDenial } from "../kit/permissions.ts";
import { callMain } from "../executables/server_command.ts";
import { findEntryPoint } from "../modules/entry_point.ts";
import { ModuleReader } from "../modules/module_reader.ts";
import { buildUnits, treesBelow, type UnitTree } from "../modules/unit_building.ts";
import { operatorName } from "../kit/administrator.ts";

const logger = getLogger(["gxensemble", "server"]);

/**
 * Runs a server that executes the module's `main` with the arguments, until it is shut down. A module that exports no
 * `main` is run as `deno run` runs it, and the server goes on when its top level has come to its end.
 *
 * Where the program starts a server itself, by the same id, it gets the one that is there.
 */
export async function run(
  serverId: ServerId,
  moduleId: string,
  mainArguments: string[],
  options: RunOptions,
): Promise<void> {
  requireOrdinaryId(serverId);
  provideRuntime(() => import("../../mod.ts"));
  // There is nothing to read again yet, which is no reason to end.
  using _early = onHangup("reread", () => {});
  const reader = await ModuleReader.open(moduleId);
  const tree = await buildUnits(reader);
  const { exportsMain, startsItself } = await findEntryPoint(reader);
  if (!exportsMain && !startsItself) {
    throw new EnsembleError(`${moduleId} exports no function main to run`);
  }
  await callWithEnsembleServer(serverId, async (server) => {
    for (const { message } of tree.failures) {
      logger.warn("an import() will fail when it runs: {reason}", { reason: message });
    }
    // Into the server's own store: what is loaded later shares these very modules.
    await server.units.add(tree.units);
    if (!exportsMain) return await runItself(server, { moduleId, tree, args: mainArguments });
    const { namespace } = await server.units.load({ ...tree.request, by: operatorName() });
    lendServer("gxensemble run");
    await callMain(namespace.main, {
      whose: `main of ${moduleId}`,
      args: mainArguments,
      ...startsItself && {
        hint:
          `(the module asks for import.meta.main: as a program with its own command line, it is run by ` +
          `deno run; gxensemble run calls its main with the arguments as they are)`,
      },
    });
  }, { ...options, denied: options.deny.map(formatDenial), log: logOptions(options) });
}

/** Runs a program that is its top level. */
async function runItself(
  server: EnsembleServer,
  { moduleId, tree, args }: { moduleId: string; tree: UnitTree; args: string[] },
): Promise<void> {
  const file = moduleId.startsWith("file:") ? fileURLToPath(moduleId) : resolve(moduleId);
  Object.defineProperty(Deno, "args", { value: args });
  globalThis.process.argv = [Deno.execPath(), file, ...args];
  const by = operatorName();
  // A top level that waits until the server stops never makes current what it imports.
  for (const { request } of treesBelow(tree)) await server.units.load({ ...request, by });
  lendServer("gxensemble run");
  await server.units.load({ ...tree.request, by }, { asMain: true });
  if (server.signal.aborted) return;
  logger.info("{module} has run, and {id} goes on until it is shut down", {
    module: moduleId,
    id: server.id,
  });
  await server.stopped;
}
