/**
 * `gxensemble status`.
 *
 * @module
 */
import { Argument, type CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { EnsembleError } from "../../runtime/errors.ts";
import { collecting, completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  addResultOptions,
  type ClientOptions,
  type OutputOptions,
  registryOption,
  supervisorOption,
  timeoutOption,
} from "../kit/options.ts";
import { printError, printJson, printLine } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import {
  allOption,
  chosenServers,
  concurrencyOption,
  isSet,
  parseNames,
  rolesOption,
  ServersCommand,
  type ServerSet,
} from "../kit/server_set_options.ts";

/** Shows what servers use, and what they do. */
export function statusCommand(): CommandUnknownOpts {
  return addResultOptions(
    new ServersCommand("status").description(
      "shows what servers use and do: all about one, or a line for each of several, the worst first",
    )
      .addOption(registryOption())
      .addOption(supervisorOption())
      .addOption(timeoutOption())
      .addOption(rolesOption())
      .addOption(allOption())
      .addOption(concurrencyOption()),
  )
    .addArgument(
      completing(
        "server list",
        new Argument("[server-id...]", "the server ids; by default, all servers and the registry")
          .argParser(collecting(parseNames)),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["see all servers, the worst first", "gxensemble status"],
        ["see all about one", "gxensemble status httpd1"],
        ["see the servers with a role", "gxensemble status --role httpd"],
        [
          "list the servers whose event loop has been late by a second",
          "gxensemble status --json | jq -r 'select(.result.eventLoopDelay.max > 1000).server'",
        ],
      ),
    )
    .action(async (names = [], { role, all, ...options }, command) => {
      const set = chosenServers(names, { role, all, command });
      if (set !== undefined && !isSet(set)) await showOne(set, options);
      else await showEach(set, options);
    });
}

/** The time after which the progress is shown, in ms. */
const PROGRESS_DELAY = 1_000;

interface StatusOptions extends ClientOptions, OutputOptions, PassphraseOptions {
  readonly concurrency?: number;
}

async function showOne(set: ServerSet, options: StatusOptions): Promise<void> {
  const { inEachServer } = await import("../kit/server_set.ts");
  const { observerClient } = await import("../../runtime/observation/observer_protocol.ts");
  const { formatStatus, statusToJson } = await import("../kit/status_format.ts");
  await inEachServer(set, {
    ...options,
    capability: "observer",
    work: (server, { actors }) => observerClient(actors, server).status(),
    print: (status) => formatStatus(status).forEach(printLine),
    toJson: statusToJson,
  });
}

/** Prints a line for each server, when all have answered; of those that have not, the reason. */
async function showEach(set: ServerSet | undefined, options: StatusOptions): Promise<void> {
  const { withConsole } = await import("../kit/console.ts");
  const { Administrator } = await import("../kit/administrator.ts");
  const { Observers } = await import("../kit/observers.ts");
  const { reportStale } = await import("../kit/servers.ts");
  const { findReporters, readReports, sortWorstFirst } = await import("../kit/server_reports.ts");
  const {
    describeSupervised,
    reportToRow,
    STATUS_COLUMNS,
    statusToJson,
    supervisedRow,
    supervisedServers,
  } = await import(
    "../kit/status_format.ts"
  );
  const { TablePrinter } = await import("../kit/table.ts");
  const { ProgressLine } = await import("../kit/progress.ts");
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    const observers = new Observers({ actors, administrator });
    const { concurrency } = options;
    const reporters = await findReporters(actors, {
      set,
      onPage: (page) => reportStale(actors, page),
    });
    using progress = new ProgressLine();
    const began = performance.now();
    let done = 0;
    const onReport = () => {
      done++;
      if (performance.now() - began < PROGRESS_DELAY) return;
      progress.show(`${done} of ${reporters.length} servers`);
    };
    const context = { actors, observers, concurrency, onReport };
    const reports = sortWorstFirst(await readReports(reporters, context));
    progress.clear();
    const failed = reports.filter(({ error }) => error);
    const supervised = supervisedServers(reports);
    for (const { id, error } of failed) {
      const known = supervised.get(id);
      const message = known ? `${error!.message}; ${describeSupervised(known)}` : error!.message;
      printError(message.startsWith(id) ? message : `${id}: ${message}`);
    }
    if (options.json) {
      for (const { id, status, error } of reports) {
        const outcome = status
          ? { result: statusToJson(status) }
          : { error: error!.message, code: error!.code };
        printJson({ server: id, ...outcome }, { oneLine: true });
      }
    } else {
      const listed = new Set(reports.map(({ id }) => id));
      const others = [...supervised.values()]
        .filter(({ server, state }) => set === undefined && !listed.has(server) && state !== "up");
      new TablePrinter(STATUS_COLUMNS).print([
        ...others.map(supervisedRow),
        ...reports.map((report) => {
          const known = report.error && supervised.get(report.id);
          return known ? supervisedRow(known) : reportToRow(report);
        }),
      ]);
    }
    if (failed.length === 0) return;
    throw new EnsembleError(`${failed.length} of ${reports.length} servers did not answer`);
  });
}
