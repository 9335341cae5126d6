/**
 * `gxensemble control`: the supervisors of hosts, and their servers. The commands for configurations,
 * programs and files are in files of their own.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { checkServerId } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { SupervisedServer } from "../../supervisor/supervised_servers_protocol.ts";
import { completing, reading } from "../kit/declaration.ts";
import type { WorkContext } from "../kit/server_set.ts";
import { examples } from "../kit/help_text.ts";
import { forceOption, parseRole, readServerId } from "../kit/options.ts";
import { printError, printJson, printLine } from "../kit/output.ts";
import {
  addWaitOptions,
  controlCommand,
  type ControlOptions,
  drainOption,
  roleArgument,
  supervisedArgument,
  supervisedListArgument,
  wholeNumberOption,
} from "../supervisor/control_options.ts";
import {
  getEnsembleConfigCommand,
  getServerConfigCommand,
  updateEnsembleConfigCommand,
  updateServerConfigCommand,
} from "./control_configuration.ts";
import { listUploadsCommand, restoreUploadCommand, uploadCommand } from "./control_files.ts";
import {
  execProcessCommand,
  getProcessOutputCommand,
  killProcessCommand,
  listProcessesCommand,
  restartProcessCommand,
} from "./control_processes.ts";

/** How long an answer may take beyond the time that a server has, in ms. */
const PATIENCE = 10_000;

/** The largest number of workers, or of servers at the same time: all that a supervisor may have. */
const MOST_SERVERS = 1_000;

/** How long a server may finish its requests if the command does not wait, in ms. */
const DEFAULT_DRAIN = 60_000;

/** The number of servers that are stopped at the same time. */
const STOPPED_AT_ONCE = 64;

/** Controls the supervisors of hosts from anywhere in the ensemble. */
export function controlCommandTree(): CommandUnknownOpts {
  const control = new Command("control").enablePositionalOptions()
    .description("control the supervisors of hosts, and their servers")
    .addHelpText(
      "after",
      examples(
        ["see the servers of all hosts", "gxensemble control list-servers --all"],
        [
          "restart the servers of a role, one after the other",
          "gxensemble control restart-server --role web",
        ],
      ),
    );
  const commands = [
    listServersCommand(),
    startServerCommand(),
    startWorkersCommand(),
    stopServerCommand(),
    restartServerCommand(),
    getServerLogCommand(),
    getServerConfigCommand(),
    updateServerConfigCommand(),
    getEnsembleConfigCommand(),
    updateEnsembleConfigCommand(),
    listProcessesCommand(),
    execProcessCommand(),
    killProcessCommand(),
    restartProcessCommand(),
    getProcessOutputCommand(),
    uploadCommand(),
    listUploadsCommand(),
    restoreUploadCommand(),
    shutdownCommand(),
    restartCommand(),
  ];
  for (const command of commands) control.addCommand(command);
  return control;
}

/** Prints the servers of supervisors. */
function listServersCommand(): CommandUnknownOpts {
  return controlCommand("list-servers", "list the servers of a supervisor, with their states")
    .addHelpText(
      "after",
      examples(
        ["list the servers of one host", "gxensemble control list-servers --host web1"],
        [
          "count those that have failed, anywhere",
          `gxensemble control list-servers --all --json | grep -c '"state": "failed"'`,
        ],
      ),
    )
    .action(async (options) => {
      const { withControl } = await import("../supervisor/control_work.ts");
      await withControl(options, async (context) => {
        const { chosenIds, listAll } = await import("../supervisor/chosen_supervisors.ts");
        const { SUPERVISED_COLUMNS, supervisedRows, supervisedToJson } = await import(
          "../supervisor/supervised_listing.ts"
        );
        const ids = options.all ? undefined : await chosenIds(context, options);
        const isSet = ids?.length !== 1;
        const { lists, silent } = await listAll(context, ids);
        if (!isSet && silent[0]) throw silent[0].error;
        if (options.json) {
          printJson(
            lists.flatMap(({ supervisor, host, servers }) =>
              servers.map((server) => ({ supervisor, host, ...supervisedToJson(server) }))
            ),
          );
        } else {
          const { TablePrinter } = await import("../kit/table.ts");
          const columns = isSet
            ? [{ heading: "supervisor" }, ...SUPERVISED_COLUMNS]
            : SUPERVISED_COLUMNS;
          const rows = lists.flatMap((list) =>
            supervisedRows(list).map((row) => isSet ? [list.supervisor, ...row] : row)
          );
          new TablePrinter(columns).print(rows);
        }
        for (const { supervisor, error } of silent) {
          printError(`${supervisor}: ${error.message}`);
        }
        if (silent.length > 0) {
          throw new EnsembleError(
            `${silent.length} of ${lists.length + silent.length} supervisors did not answer`,
          );
        }
      });
    });
}

/** Starts a server. */
function startServerCommand(): CommandUnknownOpts {
  return addWaitOptions(
    controlCommand("start-server", "start a server of the configuration, or another one of a role"),
    "it is up",
  )
    .addArgument(
      completing(
        "supervised servers",
        new Argument(
          "<server-id-or-role>",
          "the server; or the role of one that the configuration does not have",
        ),
      ),
    )
    .addArgument(completing("nothing", new Argument("[server-id]", "the id of that one")))
    .addArgument(
      completing(
        "nothing",
        new Argument("[args...]", "its arguments, in place of those of its role"),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["start a server that was stopped", "gxensemble control start-server web-1"],
        [
          "start another one of a role, on one host",
          "gxensemble control start-server --host web2 web web-9 8089",
        ],
      ),
    )
    .action(async (first, second, args, options, command) => {
      const id = readServerId(second ?? first, command);
      const role = second === undefined ? undefined : first;
      const { wait } = options;
      const carryOut = await starter({ role, args, wait });
      const { withControl } = await import("../supervisor/control_work.ts");
      await withControl(options, async (context) => {
        const { chosenIds, selectServers } = await import("../supervisor/chosen_supervisors.ts");
        const { orderServers } = await import("../supervisor/server_orders.ts");
        const servers = role === undefined
          ? await selectServers(context, { ...options, ids: [id] })
          : (await chosenIds(context, options)).map((supervisor) => ({
            supervisor,
            server: notYet(id, role),
          }));
        await orderServers(context, servers, {
          ...options,
          batch: STOPPED_AT_ONCE,
          stopsAtFailure: false,
          carryOut: (owned) => carryOut(context, owned),
          print: (server) => printLine(`... started ${server.id}${processOf(server)}`),
        });
      });
    });
}

/** The times of a request, and that within which its answer has to come. */
function timesOf(
  { wait, drain }: { wait: number | false; drain: boolean },
): { wait?: number; drain?: number; timeout: number } {
  const draining = drain ? wait || DEFAULT_DRAIN : 0;
  return {
    ...drain && { drain: draining },
    ...wait !== false && { wait: wait + draining },
    timeout: (wait || 0) + draining + PATIENCE,
  };
}

/** Makes an order to start a server. */
async function starter(
  { role, args, wait }: {
    role: string | undefined;
    args: readonly string[];
    wait: number | false;
  },
) {
  const { operatorName } = await import("../kit/administrator.ts");
  const { requireUp } = await import("../supervisor/control_work.ts");
  const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
  return async (
    { actors }: Pick<WorkContext, "actors">,
    { supervisor, server: { id } }: { supervisor: string; server: { id: string } },
  ) => {
    const by = operatorName();
    const server = await supervisorClient(actors, supervisor).start({
      id,
      by,
      ...role !== undefined && { role },
      ...args.length > 0 && { args },
      ...wait !== false && { wait },
    }, { timeout: (wait || 0) + PATIENCE });
    if (wait !== false) requireUp(server);
    return server;
  };
}

/** A server that is not started yet. */
function notYet(id: string, role: string): SupervisedServer {
  return { id, role, state: "stopped", adopted: false, added: true, outdated: false, restarts: 0 };
}

function processOf({ pid }: SupervisedServer): string {
  return pid === undefined ? "" : ` (process ${pid})`;
}

/** Sets the number of workers. */
function startWorkersCommand(): CommandUnknownOpts {
  return addWaitOptions(
    controlCommand("start-workers", "set the number of running workers of a role"),
    "they are up",
  )
    .addOption(drainOption())
    .addArgument(roleArgument())
    .addArgument(
      completing(
        "nothing",
        new Argument("<prefix>", "what their ids begin with: worker for worker-0, worker-1")
          .argParser(reading(checkServerId)),
      ),
    )
    .addArgument(
      completing(
        "nothing",
        new Argument("<count>", "their number; those with the highest numbers are stopped")
          .argParser(wholeNumberOption({ least: 0, most: MOST_SERVERS, what: "a number" })),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["have eight workers", "gxensemble control start-workers crawler crawler 8"],
        [
          "go back to two, which lets the others finish",
          "gxensemble control start-workers --drain crawler crawler 2",
        ],
      ),
    )
    .action(async (role, prefix, count, { drain, ...options }) => {
      const { operatorName } = await import("../kit/administrator.ts");
      const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
      const { timeout, ...times } = timesOf({ wait: options.wait, drain });
      const { onSupervisors } = await import("../supervisor/control_work.ts");
      await onSupervisors(options, {
        work: (supervisor, { actors }) =>
          supervisorClient(actors, supervisor).startWorkers({
            role,
            prefix,
            count,
            by: operatorName(),
            ...times,
          }, { timeout }),
        print({ started, stopped }, label) {
          if (started.length > 0) printLine(`${label}... started ${started.join(", ")}`);
          if (stopped.length > 0) printLine(`${label}... stopped ${stopped.join(", ")}`);
          if (started.length + stopped.length === 0) {
            printLine(`${label}... nothing to do: ${prefix} has ${count} workers`);
          }
        },
        toJson: (result) => result,
      });
    });
}

/** Stops servers. */
function stopServerCommand(): CommandUnknownOpts {
  return addWaitOptions(
    controlCommand("stop-server", "stop a server, which then stays stopped until it is started"),
    "it has ended",
  )
    .addOption(roleOption())
    .addOption(drainOption())
    .addArgument(supervisedListArgument())
    .addHelpText(
      "after",
      examples(
        ["stop a server", "gxensemble control stop-server web-1"],
        [
          "let the servers of a role finish their requests, and stop them",
          "gxensemble control stop-server --role web --drain",
        ],
      ),
    )
    .action(async (ids, { drain, ...options }, command) => {
      requireServers(ids, { ...options, command });
      const { operatorName } = await import("../kit/administrator.ts");
      const { withControl } = await import("../supervisor/control_work.ts");
      const { wait } = options;
      await withControl(options, async (context) => {
        const { selectServers } = await import("../supervisor/chosen_supervisors.ts");
        const { orderServers } = await import("../supervisor/server_orders.ts");
        const { requireStopped } = await import("../supervisor/control_work.ts");
        const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
        const servers = await selectServers(context, { ...options, ids });
        await orderServers(context, servers, {
          ...options,
          batch: STOPPED_AT_ONCE,
          stopsAtFailure: false,
          async carryOut({ supervisor, server: { id } }) {
            const { timeout, ...times } = timesOf({ wait, drain });
            const request = { id, by: operatorName(), ...times };
            const stopped = await supervisorClient(context.actors, supervisor)
              .stop(request, { timeout });
            if (wait !== false) requireStopped(stopped);
            return stopped;
          },
          print: ({ id, state }) =>
            printLine(`... ${state === "stopping" ? state : "stopped"} ${id}`),
        });
      });
    });
}

/** Restarts servers. */
function restartServerCommand(): CommandUnknownOpts {
  return addWaitOptions(
    controlCommand("restart-server", "restart a server; or several, one after the other"),
    "it is up again",
  )
    .addOption(roleOption())
    .addOption(drainOption())
    .addOption(
      completing(
        "nothing",
        new Option("--batch <number>", "the number of servers that are restarted at the same time")
          .default<number>(1, "1").argParser<number>(
            wholeNumberOption({ least: 1, most: MOST_SERVERS, what: "a number" }),
          ),
      ),
    )
    .addArgument(supervisedListArgument())
    .addHelpText(
      "after",
      examples(
        ["restart a server", "gxensemble control restart-server web-1"],
        [
          "restart all of a role, two at a time, each after it has finished its requests",
          "gxensemble control restart-server --role web --all --batch 2 --drain",
        ],
      ),
    )
    .action(async (ids, { drain, batch, ...options }, command) => {
      requireServers(ids, { ...options, command });
      const { operatorName } = await import("../kit/administrator.ts");
      const { requireUp, withControl } = await import("../supervisor/control_work.ts");
      const { wait } = options;
      await withControl(options, async (context) => {
        const { selectServers } = await import("../supervisor/chosen_supervisors.ts");
        const { orderServers } = await import("../supervisor/server_orders.ts");
        const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
        const selected = await selectServers(context, { ...options, ids });
        // What an operator has stopped stays stopped, unless it is named.
        const servers = ids
          ? selected
          : selected.filter(({ server }) => server.state !== "stopped");
        await orderServers(context, servers, {
          ...options,
          batch,
          stopsAtFailure: true,
          async carryOut({ supervisor, server: { id } }) {
            const { timeout, ...times } = timesOf({ wait, drain });
            const request = { id, by: operatorName(), ...times };
            const restarted = await supervisorClient(context.actors, supervisor)
              .restart(request, { timeout });
            if (wait !== false) requireUp(restarted);
            return restarted;
          },
          print: (server) =>
            printLine(
              `... ${wait === false ? "restarting" : "restarted"} ${server.id}${processOf(server)}`,
            ),
        });
      });
    });
}

const roleOption = () =>
  completing(
    "role",
    new Option("--role <role>", "all servers with this role of the configuration")
      .argParser<string | undefined>(reading(parseRole)),
  );

function requireServers(
  ids: readonly string[] | undefined,
  { role, command }: { role?: string | undefined; command: CommandUnknownOpts },
): void {
  if (ids === undefined && role === undefined) command.error("no server given: name it, or --role");
  if (ids !== undefined && role !== undefined) {
    command.error("--role takes the place of the server ids");
  }
}

/** Prints what a server has written. */
function getServerLogCommand(): CommandUnknownOpts {
  return controlCommand(
    "get-server-log",
    "print what a server has written to standard output and standard error, up or down",
  )
    .addOption(new Option("-f, --follow", "goes on with what it writes").default(false))
    .addOption(
      completing(
        "nothing",
        new Option("-n, --lines <number>", "the number of last lines").default<number>(100, "100")
          .argParser<number>(
            wholeNumberOption({ least: 0, most: 10_000, what: "a number of lines" }),
          ),
      ),
    )
    .addArgument(supervisedArgument())
    .addHelpText(
      "after",
      examples(
        ["see why a server does not start", "gxensemble control get-server-log web-1"],
        ["follow it", "gxensemble control get-server-log -f -n 0 web-1"],
      ),
    )
    .action(async (id, options, command) => {
      if (options.json) command.error("--json is not for the output of a server");
      const { printServerOutput } = await import("../supervisor/server_output.ts");
      await printServerOutput(id, options);
    });
}

/** Stops the servers of hosts, and their supervisors. */
function shutdownCommand(): CommandUnknownOpts {
  return addWaitOptions(
    controlCommand("shutdown", "stop the servers of a supervisor, and the supervisor itself"),
    "it has ended",
  )
    .addOption(forceOption("do not ask for confirmation"))
    .addHelpText(
      "after",
      examples(["stop everything on one host", "gxensemble control shutdown --host web1"]),
    )
    .action(async (options) => await endSupervisors(options, "shutdown"));
}

/** Replaces the processes of supervisors. */
function restartCommand(): CommandUnknownOpts {
  return addWaitOptions(
    controlCommand("restart", "replace the process of a supervisor; its servers go on"),
    "the new one is up",
  )
    .addHelpText(
      "after",
      examples([
        "have all supervisors run the version of gxensemble that is installed",
        "gxensemble control restart --all",
      ]),
    )
    .action(async (options) => await endSupervisors({ ...options, force: true }, "restart"));
}

async function endSupervisors(
  options: ControlOptions & { force: boolean; wait: number | false },
  order: "shutdown" | "restart",
): Promise<void> {
  const { endSupervisor, confirmShutdown, registryHost } = await import(
    "../supervisor/supervisor_end.ts"
  );
  const { onSupervisors } = await import("../supervisor/control_work.ts");
  await onSupervisors(options, {
    prepare: async (context, ids) => {
      if (!options.force) await confirmShutdown(ids);
      return order === "shutdown" ? await registryHost(context, ids) : undefined;
    },
    work: (supervisor, context) =>
      endSupervisor(context, { supervisor, order, wait: options.wait }),
    print: (supervisor) =>
      printLine(`... ${order === "shutdown" ? "shut down" : "restarted"} ${supervisor}`),
    toJson: (supervisor) => ({ supervisor }),
  });
}
