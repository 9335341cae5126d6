/**
 * `gxensemble run`.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  Argument,
  Command,
  type CommandUnknownOpts,
} from "npm:@commander-js/extra-typings@^15.1.0";
import type { EnsembleServer } from "../../runtime/ensemble/ensemble_server.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { onHangup } from "../../runtime/home/signals.ts";
import { completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  addRunOptions,
  logOptions,
  moduleIdArgument,
  requireOrdinaryId,
  type RunOptions,
  serverIdArgument,
} from "../kit/options.ts";
import { dropPermissions, formatDenial } from "../kit/permissions.ts";
import type { UnitTree } from "../modules/unit_building.ts";

/** What is run: a module, with the arguments of its `main`, in a server of an id. */
interface Run {
  readonly serverId: string;
  readonly moduleId: string;
  readonly args: string[];
}

/** Runs a server that executes a module. */
export function runCommand(): CommandUnknownOpts {
  return addRunOptions(new Command("run")).description("run a server in the ensemble")
    .addArgument(completing("nothing", serverIdArgument())) // A new one.
    .addArgument(moduleIdArgument())
    .addArgument(
      completing(
        "files",
        new Argument("[main-args...]", "arguments for the module's main procedure"),
      ),
    )
    .addHelpText(
      "after",
      examples(
        [
          "a server with the role httpd; its module's main gets the port",
          'gxensemble run --roles "(httpd)" httpd1 examples/httpd/httpd_svc.ts 8080',
        ],
        [
          "one that servers on other hosts reach, by a registry on another host",
          "gxensemble run -l tcp://10.0.0.2:4001 --registry tcp://10.0.0.1:4000 web1 main.ts",
        ],
        [
          "one whose actors and main may take half a minute to finish when it is stopped",
          "gxensemble run --grace 30 jobs1 main.ts",
        ],
        [
          "one whose main, and code that is loaded later, start no processes and write no files",
          "gxensemble run --deny run,ffi,write httpd1 examples/httpd/httpd_svc.ts 8080",
        ],
        [
          "one that takes no code from others",
          "gxensemble run --no-loader vault1 main.ts",
        ],
      ),
    )
    .action(async (serverId, moduleId, args, options) => {
      // First of all: the process may start anew.
      await dropPermissions(serverId, options);
      await run({ serverId, moduleId, args }, options);
    });
}

/**
 * Runs a server that executes the module's `main` with the arguments, until it is shut down. A module that exports no
 * `main` is run as `deno run` runs it, and the server goes on when its top level has come to its end.
 *
 * Where the program starts a server itself, by the same id, it gets the one that is there.
 */
async function run({ serverId, moduleId, args }: Run, options: RunOptions): Promise<void> {
  const { provideRuntime } = await import("../../runtime/ensemble/ensemble_server.ts");
  const { lendServer } = await import("../../runtime/ensemble/process_servers.ts");
  const { runServer } = await import("../../runtime/ensemble/run_server.ts");
  const { callMain } = await import("../executables/run_program.ts");
  const { findEntryPoint } = await import("../modules/entry_point.ts");
  const { ModuleReader } = await import("../modules/module_reader.ts");
  const { buildUnits } = await import("../modules/unit_building.ts");
  const { operatorName } = await import("../kit/administrator.ts");
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
  await runServer(serverId, async (server) => {
    const logger = await serverLogger();
    for (const { message } of tree.failures) {
      logger.warn("an import() will fail when it runs: {reason}", { reason: message });
    }
    // Into the server's own store: what is loaded later shares these very modules.
    await server.units.add(tree.units);
    if (!exportsMain) return await runItself(server, { tree, moduleId, args });
    const { namespace } = await server.units.load({ ...tree.request, by: operatorName() });
    lendServer(server, "gxensemble run");
    await callMain(namespace.main, {
      whose: `main of ${moduleId}`,
      args,
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
  { tree, moduleId, args }: { tree: UnitTree; moduleId: string; args: string[] },
): Promise<void> {
  const { lendServer } = await import("../../runtime/ensemble/process_servers.ts");
  const { treesBelow } = await import("../modules/unit_building.ts");
  const { operatorName } = await import("../kit/administrator.ts");
  const file = moduleId.startsWith("file:") ? fileURLToPath(moduleId) : resolve(moduleId);
  Object.defineProperty(Deno, "args", { value: args });
  globalThis.process.argv = [Deno.execPath(), file, ...args];
  const by = operatorName();
  // A top level that waits until the server stops never makes current what it imports.
  for (const { request } of treesBelow(tree)) await server.units.load({ ...request, by });
  lendServer(server, "gxensemble run");
  await server.units.load({ ...tree.request, by }, { asMain: true });
  if (server.signal.aborted) return;
  const logger = await serverLogger();
  logger.info("{module} has run, and {id} goes on until it is shut down", {
    module: moduleId,
    id: server.id,
  });
  await server.stopped;
}

async function serverLogger() {
  const { getLogger } = await import("npm:@logtape/logtape@^2.4.2");
  return getLogger(["gxensemble", "server"]);
}
