/**
 * `gxensemble run`.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
} from "npm:@commander-js/extra-typings@^15.1.0";
import type { EnsembleServer } from "../../runtime/ensemble/ensemble_server.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { formatDenial } from "../../runtime/home/denials.ts";
import { onHangup } from "../../runtime/home/signals.ts";
import { completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { requireHttpToken, serveHttp } from "../kit/http_options.ts";
import {
  addressTexts,
  addRunOptions,
  capabilitiesById,
  logOptions,
  moduleIdArgument,
  requireOrdinaryId,
  type RunOptions,
  serverIdArgument,
} from "../kit/options.ts";
import { dropPermissions } from "../kit/permissions.ts";
import type { UnitTree } from "../modules/unit_building.ts";

/** A module to run in a server, with the arguments of its `main`. */
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
          "run a server with the role httpd; main gets the port",
          'gxensemble run --roles "(httpd)" httpd1 examples/httpd/httpd_svc.ts 8080',
        ],
        [
          "listen for other hosts, with the registry on another host",
          "gxensemble run -l tcp://10.0.0.2:4001 --registry tcp://10.0.0.1:4000 web1 main.ts",
        ],
        [
          "give actors and main 30 seconds to stop",
          "gxensemble run --grace 30 jobs1 main.ts",
        ],
        [
          "stop main and loaded code from starting processes and writing files",
          "gxensemble run --deny run,ffi,write httpd1 examples/httpd/httpd_svc.ts 8080",
        ],
        [
          "let the actors in deployer load code into it and shut it down",
          "gxensemble run --authorize deployer=loader,shutdown web1 main.ts",
        ],
        [
          "serve metrics and health checks at port 9100 of this host",
          "gxensemble run --http 9100 web1 main.ts",
        ],
        [
          "refuse code from clients",
          "gxensemble run --no-loader vault1 main.ts",
        ],
      ),
    )
    .action(async (serverId, moduleId, args, options, command) => {
      requireHttpToken(options, command);
      // First, because it may restart the process.
      await dropPermissions(serverId, options);
      await run({ serverId, moduleId, args }, options);
    });
}

/**
 * Runs a server that calls the module's `main` with the arguments, until it is shut down. A module
 * without `main` runs as under `deno run`, and the server continues after its top level has ended.
 * So does one that uses `runProgram`, whose options say what else the server has.
 *
 * If the program itself starts a server with the same id, it gets this one.
 */
async function run({ serverId, moduleId, args }: Run, options: RunOptions): Promise<void> {
  const { provideRuntime } = await import("../../runtime/ensemble/ensemble_server.ts");
  const { lendServer } = await import("../../runtime/ensemble/process_servers.ts");
  const { readyAfter, runServer } = await import("../../runtime/ensemble/run_server.ts");
  const { callMain } = await import("../executables/run_program.ts");
  const { findEntryPoint } = await import("../modules/entry_point.ts");
  const { ModuleReader, openAnalyses } = await import("../modules/module_reader.ts");
  const { buildUnits } = await import("../modules/unit_building.ts");
  const { operatorName } = await import("../kit/administrator.ts");
  requireOrdinaryId(serverId);
  provideRuntime(() => import("../../mod.ts"));
  // SIGHUP must not end the process before there is something to reread.
  using _early = onHangup("reread", () => {});
  const cache = await openAnalyses(moduleId);
  const reader = await ModuleReader.open(moduleId, { cache });
  const tree = await buildUnits(reader);
  const { exportsMain, startsItself, usesRunProgram } = await findEntryPoint(reader);
  if (!exportsMain && !startsItself) {
    throw new EnsembleError(`${moduleId} does not export a function main`);
  }
  await runServer(serverId, async (server) => {
    const logger = await serverLogger();
    for (const { message } of tree.failures) {
      logger.warn("an import() will fail when it runs: {reason}", { reason: message });
    }
    // Into the server's own store, so that later loads share these modules.
    await Promise.all([server.units.add(tree.units.map(tree.mapped)), cache?.save()]);
    if (!exportsMain || usesRunProgram) {
      return await runItself(server, { tree, moduleId, args, exportsMain });
    }
    const { namespace } = await server.units.load({ ...tree.request, by: operatorName() });
    lendServer(server, "gxensemble run");
    const call = () =>
      callMain(namespace.main, {
        whose: `main of ${moduleId}`,
        args,
        ...startsItself && {
          hint:
            `(the module uses import.meta.main: to run it with its own command line, use deno run; gxensemble run passes the arguments to main unchanged)`,
        },
      });
    await readyAfter(server, call);
  }, {
    ...options,
    // The program is loaded first.
    holdReady: true,
    ...addressTexts(options),
    denied: options.deny.map(formatDenial),
    capabilities: capabilitiesById(options.authorize),
    log: logOptions(options),
    prepare: (server) => serveHttp(server, options),
  });
}

/**
 * Runs a module whose top level is the program; or else its `main`, if the top level did not run
 * that.
 */
async function runItself(
  server: EnsembleServer,
  { tree, moduleId, args, exportsMain }: {
    tree: UnitTree;
    moduleId: string;
    args: string[];
    exportsMain: boolean;
  },
): Promise<void> {
  const { isLent, lendServer } = await import("../../runtime/ensemble/process_servers.ts");
  const { readyAfter } = await import("../../runtime/ensemble/run_server.ts");
  const { callMain } = await import("../executables/run_program.ts");
  const { absolutePath } = await import("../modules/module_reader.ts");
  const { treesBelow } = await import("../modules/unit_building.ts");
  const { operatorName } = await import("../kit/administrator.ts");
  const file = absolutePath(moduleId);
  Object.defineProperty(Deno, "args", { value: args });
  globalThis.process.argv = [Deno.execPath(), file, ...args];
  const by = operatorName();
  // First make its imports current: a top level that waits until the server stops would never do
  // so.
  for (const { request } of treesBelow(tree)) await server.units.load({ ...request, by });
  lendServer(server, "gxensemble run");
  server.letReady();
  const { namespace } = await server.units.load({ ...tree.request, by }, { asMain: true });
  if (server.signal.aborted) return;
  if (exportsMain && isLent()) {
    const call = () => callMain(namespace.main, { whose: `main of ${moduleId}`, args });
    return await readyAfter(server, call);
  }
  await server.readyUnlessHeld();
  const logger = await serverLogger();
  logger.info("{module} has run; {id} continues until it is shut down", {
    module: moduleId,
    id: server.id,
  });
  await server.stopped;
}

async function serverLogger() {
  const { getLogger } = await import("npm:@logtape/logtape@^2.4.2");
  return getLogger(["gxensemble", "server"]);
}
