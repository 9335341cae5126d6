/**
 * The actor `supervisor`: what operators can ask a host's supervisor.
 *
 * @module
 */
import type { HandlerContext } from "../runtime/actor/handler_context.ts";
import { UNBOUNDED } from "../runtime/actor/mailbox.ts";
import type { HandlersOf } from "../runtime/actor/service.ts";
import type { EnsembleServer } from "../runtime/ensemble/ensemble_server.ts";
import { EnsembleError, TimeoutError } from "../runtime/errors.ts";
import { DRAINING_SIGNAL } from "../runtime/home/supervised_process.ts";
import { shorten } from "../runtime/safe_text.ts";
import { hostName } from "../runtime/wire/address.ts";
import { shownProcess } from "./configuration/shown_configuration.ts";
import { readConfiguration } from "./configuration/configuration_reading.ts";
import type { HostConfigurationHandlers } from "./host_configuration_protocol.ts";
import type { HostSupervisor } from "./host_supervisor.ts";
import type { ServerReport } from "./processes/server_report.ts";
import {
  MAX_OUTPUT_PART,
  MAX_REASON,
  type SupervisedServer,
  type SupervisedServerHandlers,
} from "./supervised_servers_protocol.ts";
import { serveSecretFiles } from "./secret_files.ts";
import { executionHandlers } from "./executions.ts";
import { HostPermissions } from "./host_permissions.ts";
import {
  SUPERVISOR_ACTOR,
  supervisorChecks,
  type SupervisorHandlers,
} from "./supervisor_protocol.ts";
import { serveTunnels } from "./tunnels.ts";
import { UploadStore } from "./upload_store.ts";
import { uploadHandlers } from "./uploads.ts";

/** The capability to start and stop servers, and to change the configuration. */
const SUPERVISOR = "supervisor";

/** Runs work for which the sender of a request needs the capability. */
type Guard = <Result>(
  context: HandlerContext,
  what: string,
  action: { readonly details?: Readonly<Record<string, unknown>>; work(): Result },
) => Result;

/** Starts the actor in the server of a supervisor. It is a part of the server, as `loader` is. */
export function serveSupervisor(server: EnsembleServer, supervisor: HostSupervisor): void {
  const guarded: Guard = ({ envelope }, what, { details = {}, work }) =>
    server.capabilities.attempt(envelope, { capability: SUPERVISOR, what, details, work });
  const { configuration, places } = supervisor;
  const { directory, limit } = configuration.supervisor.uploads;
  const store = new UploadStore(directory, { limit });
  const { programs } = store;
  const permissions = new HostPermissions(server, {
    isAllowed: (permission) => supervisor.configuration.supervisor[permission],
    file: configuration.path,
  });
  const handlers: HandlersOf<SupervisorHandlers> = {
    ...serverHandlers(supervisor, guarded),
    ...configurationHandlers(server, { supervisor, guarded }),
    ...executionHandlers(server, { permissions, directory: places.directory, programs }),
    ...uploadHandlers(server, { permissions, store }),
  };
  serveTunnels(server, { socket: (id) => places.socket(id) });
  serveSecretFiles(server, places);
  server.serve<SupervisorHandlers>(SUPERVISOR_ACTOR, handlers, {
    concurrent: true,
    drains: false,
    mailbox: UNBOUNDED,
    requests: supervisorChecks,
  });
}

function serverHandlers(
  supervisor: HostSupervisor,
  guarded: Guard,
): HandlersOf<SupervisedServerHandlers> {
  const shown = (report: ServerReport) => describeReport(report, supervisor.roleOf(report.id));
  const now = (id: string) => shown(supervisor.processes.report(id));
  const up = async (id: string, wait: number | undefined) => {
    await waited(wait, (signal) => supervisor.processes.whenUp(id, signal), {
      describe: () => `${id} is not up after`,
      report: () => supervisor.processes.report(id),
    });
    return now(id);
  };
  return {
    list: () => ({
      host: hostName(),
      now: Date.now(),
      servers: supervisor.processes.list.map(shown),
    }),

    start: ({ id, role, args, wait, by }, context) =>
      guarded(context, "start-server", {
        details: { server: id, ...role !== undefined && { role }, operator: by },
        async work() {
          if (role !== undefined) supervisor.add(id, { role, args });
          await supervisor.processes.start(id);
          return await up(id, wait);
        },
      }),

    startWorkers: ({ role, prefix, count, drain, wait, by }, context) =>
      guarded(context, "start-workers", {
        details: { role, prefix, count, operator: by },
        work: () => startWorkers(supervisor, { role, prefix, count, drain, wait, by }),
      }),

    stop: ({ id, drain, wait, by }, context) =>
      guarded(context, "stop-server", {
        details: { server: id, operator: by },
        async work() {
          const role = supervisor.roleOf(id);
          const server = await supervisor.processes.stop(id, { by, draining: draining(drain) });
          await waited(wait, (signal) => server.whenStopped(signal), {
            describe: () => `${id} has not stopped after`,
            report: () => server.report,
          });
          return describeReport(server.report, role);
        },
      }),

    restart: ({ id, drain, wait, by }, context) =>
      guarded(context, "restart-server", {
        details: { server: id, operator: by },
        async work() {
          await supervisor.processes.restart(id, { by, draining: draining(drain) });
          return await up(id, wait);
        },
      }),

    readOutput: ({ id, ...query }, context) =>
      guarded(context, "get-server-log", {
        details: { server: id },
        work: () =>
          supervisor.processes.readOutput(id, {
            ...query,
            limit: MAX_OUTPUT_PART,
            signal: context.signal,
          }),
      }),
  };
}

function configurationHandlers(
  server: EnsembleServer,
  { supervisor, guarded }: { readonly supervisor: HostSupervisor; readonly guarded: Guard },
): HandlersOf<HostConfigurationHandlers> {
  return {
    serverConfiguration: ({ id }, context) =>
      guarded(context, "get-server-config", {
        details: { server: id },
        work: () => JSON.stringify(shownProcess(supervisor.processConfiguration(id)), undefined, 2),
      }),

    configuration: (_request, context) =>
      guarded(context, "get-ensemble-config", {
        async work() {
          const { path } = supervisor.configuration;
          const { text, hash } = await readConfiguration(path, { host: supervisor.host });
          return { path, text, hash };
        },
      }),

    updateConfiguration: (update, context) =>
      guarded(context, "update-ensemble-config", {
        details: { dryRun: update.dryRun, operator: update.by },
        work: () => supervisor.update(update),
      }),

    reload: ({ by }, context) =>
      guarded(context, "reload", {
        details: { operator: by },
        work: () => supervisor.reload(by),
      }),

    shutDownHost: ({ keepRegistry = false, by }, { envelope }) =>
      server.capabilities.attempt(envelope, {
        capability: server.capabilities.allows(envelope, "shutdown") ? "shutdown" : SUPERVISOR,
        what: "shutdown",
        details: { keepRegistry, operator: by },
        work() {
          supervisor.endWith(keepRegistry ? "stop all but the registry" : "stop");
          return { time: server.beginStop(by) };
        },
      }),

    restartSupervisor: ({ by }, context) =>
      guarded(context, "restart", {
        details: { operator: by },
        work() {
          supervisor.endWith("restart");
          void server.stop();
        },
      }),
  };
}

function draining(timeout: number | undefined) {
  return timeout === undefined ? undefined : { signal: DRAINING_SIGNAL, timeout } as const;
}

/** Starts and stops workers, so that as many run as were asked for. */
async function startWorkers(
  supervisor: HostSupervisor,
  { role, prefix, count, drain, wait, by }: {
    readonly role: string;
    readonly prefix: string;
    readonly count: number;
    readonly drain: number | undefined;
    readonly wait: number | undefined;
    readonly by: string;
  },
): Promise<{ started: string[]; stopped: string[] }> {
  const { processes } = supervisor;
  const numberOf = (id: string) =>
    id.startsWith(`${prefix}-`) && /^(?:0|[1-9]\d*)$/.test(id.slice(prefix.length + 1))
      ? Number(id.slice(prefix.length + 1))
      : undefined;
  const surplus = processes.list
    .filter(({ id }) => (numberOf(id) ?? -1) >= count && supervisor.roleOf(id) === role)
    .filter(({ state, added }) => added || state !== "stopped")
    .sort((a, b) => numberOf(b.id)! - numberOf(a.id)!);
  const wanted = Array.from({ length: count }, (_, number) => `${prefix}-${number}`);
  const other = wanted.find((id) => processes.has(id) && supervisor.roleOf(id) !== role);
  if (other !== undefined) {
    throw new EnsembleError(`${other} is no worker of the role ${role}: choose another prefix`);
  }
  const started: string[] = [];
  for (const id of wanted) {
    if (!processes.has(id)) supervisor.add(id, { role });
    // One that stops may have been stopped by another operator.
    else if (!["stopping", "stopped", "failed"].includes(processes.report(id).state)) continue;
    started.push(id);
  }
  // All orders at once: a worker that has stopped meanwhile would be forgotten.
  const orders = surplus.map(({ id }) => processes.stop(id, { by, draining: draining(drain) }));
  await Promise.all(started.map((id) => processes.start(id)));
  const stopping = await Promise.all(orders);
  const stopped = surplus.map(({ id }) => id);
  const ready = (signal: AbortSignal) =>
    Promise.all([
      ...started.map((id) => processes.whenUp(id, signal)),
      ...stopping.map((server) => server.whenStopped(signal)),
    ]);
  await waited(wait, ready, { describe: () => `the workers are not all up after` });
  return { started, stopped };
}

/**
 * Waits for what a request is about, if it says so.
 *
 * @throws {TimeoutError} if it takes longer.
 */
async function waited(
  wait: number | undefined,
  until: (signal: AbortSignal) => Promise<unknown>,
  { describe, report }: { describe(): string; report?(): ServerReport },
): Promise<void> {
  if (wait === undefined) return;
  const signal = AbortSignal.timeout(wait);
  try {
    await until(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    const { state, reason } = report?.() ?? {};
    const why = state === undefined ? "" : `: it is ${state}${reason ? ` (${reason})` : ""}`;
    throw new TimeoutError(`${describe()} ${wait / 1000} s${why}`);
  }
}

/** What operators see of a server. */
function describeReport(
  { reason, lastExit, upSince: _, ...report }: ServerReport,
  role: string | undefined,
): SupervisedServer {
  const short = (text: string | undefined) => text && shorten(text, MAX_REASON);
  return {
    ...report,
    role,
    reason: short(reason),
    lastExit: lastExit && { ...lastExit, reason: short(lastExit.reason) },
  };
}
