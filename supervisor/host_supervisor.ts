/**
 * The supervisor of a host: runs the processes of its configuration, sees in the registry when they
 * are up, and puts a new configuration into effect.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { ActorRef, REGISTRY_ID, SERVER_ACTOR } from "../runtime/actor/references.ts";
import type { EnsembleServer } from "../runtime/ensemble/ensemble_server.ts";
import { pingActor } from "../runtime/ensemble/remote.ts";
import type { WorkBeforeStop } from "../runtime/ensemble/start_options.ts";
import { DisconnectedError, EnsembleError } from "../runtime/errors.ts";
import { isThere, writeWhole } from "../runtime/home/files.ts";
import type { Places } from "../runtime/home/paths.ts";
import { shutDownBy } from "../runtime/home/supervised_process.ts";
import type { ServerStatus } from "../runtime/observation/status_protocol.ts";
import { ownKernel } from "../runtime/own_process.ts";
import { shorten } from "../runtime/safe_text.ts";
import type { OwnEntry, RegistryEntry } from "../runtime/server/registry_protocol.ts";
import { registryClient } from "../runtime/server/registry_protocol.ts";
import type {
  Configuration,
  ConfigurationDifferences,
  ConfigurationReading,
  RegistryConfiguration,
  ServerConfiguration,
} from "./configuration/configuration.ts";
import { processesOn } from "./configuration/configuration.ts";
import {
  formatProblem,
  parseConfiguration,
  readConfiguration,
  wrongConfiguration,
} from "./configuration/configuration_reading.ts";
import { configurationDifferences } from "./configuration/differences.ts";
import type { ConfigurationOutcome } from "./host_configuration_protocol.ts";
import { configuredPlan } from "./processes/configured_plan.ts";
import type { Addition, ServerPlan } from "./processes/server_plan.ts";
import type { ServerReport } from "./processes/server_report.ts";
import { SupervisedProcesses } from "./processes/supervised_processes.ts";
import type { ServiceNotification } from "./service_notification.ts";

const logger = getLogger(["gxensemble", "supervisor"]);

/** How long the start waits for the registry that it has started, in ms. */
const REGISTRY_PATIENCE = 10_000;

/** How often it is looked whether a starting registry answers, in ms. */
const REGISTRY_LOOK = 100;

/** How often it is looked whether the registry has this server, in ms. */
const LOOK = 1_000;

/** The timeout of the evaluation of an expression, in ms; the check itself has its own. */
const EVALUATION_TIMEOUT = 600_000;

/** The time that the process has after its server has stopped, in ms. */
const END_SLACK = 5_000;

/** What a supervisor is started with. */
export interface HostSupervisorOptions {
  /** The places of the ensemble on this host. */
  readonly places: Places;
  /** The first label of the host's name, by which the configuration names it. */
  readonly host: string;
  /** The command line that starts this program. */
  readonly gxensemble: readonly string[];
  /** The variables that this program needs besides those of this process. */
  readonly environment: Readonly<Record<string, string>>;
  /** Tells systemd about it; undefined if systemd does not want to know. */
  readonly notification?: ServiceNotification | undefined;
}

/** What the supervisor does with its servers when it ends. */
export type Ending =
  /** They stop, in the reverse of the order in which they started. */
  | "stop"
  /** The same, without the registry. */
  | "stop all but the registry"
  /** They go on, and the process of the supervisor is replaced. */
  | "restart";

/** The supervisor of a host. */
export class HostSupervisor {
  readonly #options: HostSupervisorOptions;
  #configuration: Configuration;
  /** What operators added. */
  readonly #additions = new Map<string, Addition>();
  #processes: SupervisedProcesses | undefined;
  #server: EnsembleServer | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** The servers in the registry. */
  readonly #entries = new Map<string, RegistryEntry>();
  /** Whether the registry had this server when that was last looked at. */
  #wasRegistered = false;
  #isSeekingRegistry = false;
  /** Updates of the configuration, one after the other. */
  #updates: Promise<unknown> = Promise.resolve();
  #ending: Ending = "stop";
  #isEnding = false;

  /** A supervisor with a configuration. Nothing runs yet. */
  constructor(configuration: Configuration, options: HostSupervisorOptions) {
    this.#configuration = configuration;
    this.#options = options;
  }

  /** What runs. */
  get configuration(): Configuration {
    return this.#configuration;
  }

  /** What becomes of its servers when it ends. */
  get ending(): Ending {
    return this.#ending;
  }

  /**
   * Decides what becomes of its servers when it ends. Once it ends, that stays as it is.
   *
   * @throws {EnsembleError} for a restart if its servers are being stopped, and the other way round.
   */
  endWith(ending: Ending): void {
    if (!this.#isEnding) {
      this.#ending = ending;
    } else if (ending === "restart" && this.#ending !== "restart") {
      throw new EnsembleError(`cannot restart ${this.#server!.id}: it is being shut down`);
    } else if (ending !== "restart" && this.#ending === "restart") {
      throw new EnsembleError(
        `cannot shut down ${this.#server!.id}: it is being restarted; try again when it is back`,
      );
    }
  }

  /** The first label of the host's name. */
  get host(): string {
    return this.#options.host;
  }

  /** The places of the ensemble on this host. */
  get places(): Places {
    return this.#options.places;
  }

  /**
   * Its processes.
   *
   * @throws {EnsembleError} before {@linkcode begin}.
   */
  get processes(): SupervisedProcesses {
    if (this.#processes) return this.#processes;
    throw new EnsembleError("the supervisor has not started");
  }

  /** What its server does before it stops. */
  get beforeStop(): WorkBeforeStop {
    return {
      time: () => this.#ending === "restart" ? 0 : this.#timeToStop(),
      work: () => this.#end(),
    };
  }

  /**
   * Adopts what still runs, and starts the other processes. A registry of its own is given some
   * time to answer, so that the server of the supervisor registers at once.
   *
   * @param server its server, which is starting.
   */
  async begin(server: EnsembleServer): Promise<void> {
    this.#server = server;
    const { places } = this.#options;
    const processes = this.#processes = await SupervisedProcesses.open({
      id: server.id,
      directory: places.server(server.id),
      outputDirectory: (id) => places.server(id),
      onChange: (report) => this.#changed(report),
      onForgotten: (id) => {
        this.#additions.delete(id);
        this.#tellStatus();
      },
      checkHealth: (id, signal) => this.#checkHealth(id, signal),
      isUpElsewhere: (id) => this.#isUpElsewhere(id),
      canSeeUp: () => this.#isRegistered,
      shutDownBy: (id, { marker }) => shutDownBy(places.server(id), marker),
    });
    for (const [id, addition] of processes.additions) this.#additions.set(id, addition);
    server.status.parts.add(() => ({ supervised: this.#supervised }));
    processes.configure(this.#plans(this.#configuration));
    this.#timer = setInterval(() => this.#look(), LOOK);
    if (!processes.has(REGISTRY_ID)) return;
    await processes.whenUp(REGISTRY_ID, AbortSignal.timeout(REGISTRY_PATIENCE)).catch(() => {});
  }

  /** Follows the registry until the server stops. */
  async follow(server: EnsembleServer): Promise<void> {
    const { signal } = server;
    for await (const { change, id, entry } of server.view.watch({}, { signal })) {
      if (entry && change !== "gone" && change !== "left") this.#entries.set(id, entry);
      else this.#entries.delete(id);
      if (this.#processes?.has(id)) this.#noticeUp(id);
      this.#processes?.lookAgain();
    }
  }

  /** What its server says about its processes, to operators and in metrics. */
  get #supervised(): ServerStatus["supervised"] {
    return this.processes.list.map(({ id, state, reason, restarts }) => ({
      server: id,
      state,
      ...reason !== undefined && { reason: shorten(reason) },
      restarts,
    }));
  }

  /** Whether the registry has a lease of this server, so that its servers can register, too. */
  get #isRegistered(): boolean {
    return this.#server?.registeredState !== undefined;
  }

  #isUpElsewhere(id: string): boolean {
    if (id === REGISTRY_ID) return this.#isRegistered;
    return this.#entries.get(id)?.state === "up";
  }

  /** Tells the processes that a server is up, if the registry says so. */
  #noticeUp(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry || entry.pid === undefined || !isHere(entry)) return;
    if (entry.state !== "up" && entry.state !== "draining") return;
    void this.processes.becameUp(id, entry.pid);
  }

  #changed({ id, state }: ServerReport): void {
    this.#tellStatus();
    if (state !== "starting") return;
    if (id === REGISTRY_ID) void this.#seekRegistry();
    else this.#noticeUp(id);
  }

  #tellStatus(): void {
    this.#options.notification?.status(describeServers(this.#processes?.list ?? []));
  }

  /** Looks until the registry of this host answers, or is not starting any more. */
  async #seekRegistry(): Promise<void> {
    if (this.#isSeekingRegistry) return;
    this.#isSeekingRegistry = true;
    try {
      while (this.processes.report(REGISTRY_ID).state === "starting") {
        const server = this.#server!;
        if (server.signal.aborted) return;
        try {
          const { entry } = await registryClient(server).lookup({ id: REGISTRY_ID });
          if (entry?.pid !== undefined && isHere(entry)) {
            await this.processes.becameUp(REGISTRY_ID, entry.pid);
          }
        } catch {
          // It does not answer yet.
        }
        await new Promise((resolve) => setTimeout(resolve, REGISTRY_LOOK));
      }
    } finally {
      this.#isSeekingRegistry = false;
    }
  }

  /** Looks whether the registry is there, and at the servers that may be up by now. */
  #look(): void {
    const isRegistered = this.#isRegistered;
    if (isRegistered !== this.#wasRegistered) this.processes.lookAgain();
    this.#wasRegistered = isRegistered;
    for (const { id, state } of this.processes.list) {
      if (state !== "starting") continue;
      if (id === REGISTRY_ID) void this.#seekRegistry();
      else this.#noticeUp(id);
    }
  }

  async #checkHealth(id: string, signal: AbortSignal): Promise<void> {
    const server = this.#server!;
    const expression = this.#process(id)?.health?.expression;
    const asked = expression === undefined
      ? pingActor(server, new ActorRef(id, SERVER_ACTOR), { timeout: EVALUATION_TIMEOUT })
      : server.remote(id).evaluate(expression, { json: true, timeout: EVALUATION_TIMEOUT });
    const aborted = new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true })
    );
    let value: unknown;
    try {
      value = await Promise.race([asked, aborted]);
    } catch (error) {
      if (this.#isRegistered || await isThere(this.places.socket(id))) throw error;
      // Without the registry, it cannot be found. That says nothing about the server.
      if (!(error instanceof DisconnectedError)) throw error;
      return;
    }
    if (expression !== undefined && value !== "true") {
      throw new EnsembleError(`${expression} is ${value ?? "undefined"}, not true`);
    }
  }

  /** The configuration of a process of this host; undefined if it has none. */
  #process(id: string): ServerConfiguration | RegistryConfiguration | undefined {
    const configured = processesOn(this.#configuration, this.host).find((each) => each.id === id);
    const addition = this.#additions.get(id);
    return configured ?? (addition && addedServer(this.#configuration, { id, addition }));
  }

  /**
   * The configuration of a process of this host.
   *
   * @throws {EnsembleError} if there is none.
   */
  processConfiguration(id: string): ServerConfiguration | RegistryConfiguration {
    const process = this.#process(id);
    if (process) return process;
    throw new EnsembleError(`${this.#server!.id} has no server ${id}`, { code: "UNKNOWN_SERVER" });
  }

  /** The role of a process in the configuration; undefined for the registry. */
  roleOf(id: string): string | undefined {
    const process = this.#process(id);
    return process && "role" in process ? process.role : undefined;
  }

  #plans(configuration: Configuration): ServerPlan[] {
    const configured = processesOn(configuration, this.host);
    const added = [...this.#additions].flatMap(([id, addition]) => {
      if (configured.some((process) => process.id === id)) return [];
      const server = addedServer(configuration, { id, addition });
      if (server) return [{ server, addition }];
      logger.warn("{server} is stopped: the configuration has no role {role} any more", {
        server: id,
        role: addition.role,
      });
      return [];
    });
    return [
      ...configured.map((process) => this.#plan(process)),
      ...added.map(({ server, addition }) => this.#plan(server, addition)),
    ];
  }

  #plan(process: ServerConfiguration | RegistryConfiguration, addition?: Addition): ServerPlan {
    const { gxensemble, environment } = this.#options;
    const isPlain = "program" in process && process.program.kind === "plain";
    return configuredPlan(this.#granting(process), {
      gxensemble,
      environment,
      after: isPlain ? [] : [REGISTRY_ID],
      addition,
    });
  }

  /** Has a server grant the supervisor what its health check needs. */
  #granting<Process extends ServerConfiguration | RegistryConfiguration>(
    process: Process,
  ): Process {
    if (!("capabilities" in process) || process.health?.expression === undefined) return process;
    const { id } = this.#server!;
    const granted = [...new Set([...process.capabilities[id] ?? [], "loader"])];
    return { ...process, capabilities: { ...process.capabilities, [id]: granted } };
  }

  /**
   * Adds a server that the configuration does not have, and starts it.
   *
   * @throws {EnsembleError} if the configuration has the id, or has no such role; or it is the id of
   * the supervisor.
   */
  add(id: string, addition: Addition): void {
    if (id === this.#server!.id) {
      throw new EnsembleError(`${id} is the id of this supervisor: choose another for the server`);
    }
    const configured = processesOn(this.#configuration, this.host).some((each) => each.id === id);
    if (configured) {
      throw new EnsembleError(
        `the configuration has ${id} with its own role and arguments: start it without them`,
      );
    }
    if (!addedServer(this.#configuration, { id, addition })) {
      const roles = Object.entries(this.#configuration.roles)
        .flatMap(([name, { program }]) => program ? [name] : []);
      throw new EnsembleError(
        `the configuration has no role ${addition.role} with a module or an executable; it has ` +
          (roles.length === 0 ? "none" : roles.join(", ")),
      );
    }
    this.#additions.set(id, addition);
    this.processes.configure(this.#plans(this.#configuration));
  }

  /** Reads the configuration file again and puts it into effect. */
  async reload(by: string): Promise<ConfigurationOutcome> {
    return await this.#oneByOne(async () => {
      const { path } = this.#configuration;
      let reading: ConfigurationReading;
      try {
        reading = await readConfiguration(path, { host: this.host });
      } catch (error) {
        logger.error("the configuration stays as it was: {reason}", {
          reason: (error as Error).message,
        });
        throw error;
      }
      if (!reading.configuration) {
        logger.error("the configuration stays as it was: {reason}", {
          reason: wrongConfiguration(path, reading.problems).message,
        });
      }
      return this.#apply(reading, { by, written: reading.configuration !== undefined });
    });
  }

  /**
   * Reads the configuration file again, and has the servers that go on read their own files again.
   * An error is logged.
   */
  async reread(by: string): Promise<void> {
    const { notification } = this.#options;
    notification?.reloading();
    await this.reload(by).catch(() => {});
    await this.processes.reread();
    notification?.ready();
  }

  /**
   * Replaces the text of the configuration file, and puts it into effect.
   *
   * @throws {EnsembleError} if the file has been changed meanwhile, or cannot be written.
   */
  async update(
    { text, expectedHash, dryRun, by }: {
      readonly text: string;
      readonly expectedHash: string;
      readonly dryRun: boolean;
      readonly by: string;
    },
  ): Promise<ConfigurationOutcome> {
    return await this.#oneByOne(async () => {
      const { path } = this.#configuration;
      const { hash } = await readConfiguration(path, { host: this.host });
      if (hash !== expectedHash) {
        throw new EnsembleError(
          `${path} has changed since it was read: read it again, and make the change in that`,
        );
      }
      const reading = await parseConfiguration(text, { path, host: this.host });
      if (dryRun || !reading.configuration) {
        return this.#outcome(reading, false);
      }
      const { mode } = await Deno.stat(path);
      await writeWhole(path, text, { mode: (mode ?? 0o600) & 0o777, replace: true });
      return this.#apply(reading, { by, written: true });
    });
  }

  #apply(
    reading: ConfigurationReading,
    { by, written }: { readonly by: string; readonly written: boolean },
  ): ConfigurationOutcome {
    const outcome = this.#outcome(reading, written);
    const { configuration } = reading;
    if (!configuration) return outcome;
    for (const problem of reading.problems) {
      logger.warn("{problem}", { problem: formatProblem(configuration.path, problem) });
    }
    const { started, stopped, restarted, changed, supervisor } = outcome.differences!;
    this.#configuration = configuration;
    this.processes.configure(this.#plans(configuration));
    for (const { id } of restarted) {
      if (this.processes.report(id).pid !== undefined) void this.processes.restart(id, { by });
    }
    logger.info("the configuration is in effect: {effects}", {
      effects: describe({ started, stopped, restarted, changed }),
    });
    if (supervisor.length > 0) {
      logger.warn("of the supervisor itself, these take effect when it is restarted: {fields}", {
        fields: supervisor.join(", "),
      });
    }
    return outcome;
  }

  #outcome(reading: ConfigurationReading, written: boolean): ConfigurationOutcome {
    const { configuration, problems, hash } = reading;
    return {
      problems: [...problems],
      ...configuration && {
        differences: configurationDifferences(this.#configuration, {
          configuration,
          host: this.host,
        }),
      },
      written,
      hash,
    };
  }

  #oneByOne<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#updates.then(work);
    this.#updates = done.catch(() => {});
    return done;
  }

  /** The longest time that its servers take to stop, one after the other, in ms. */
  #timeToStop(): number {
    const running = this.processes.list.filter(({ pid }) => pid !== undefined);
    return running.reduce((time, { id }) => time + (this.#process(id)?.stop.killAfter ?? 0), 0);
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    clearInterval(this.#timer);
    if (!this.#processes) return;
    const { notification } = this.#options;
    if (this.#ending === "restart") {
      notification?.reloading();
      return await this.#processes.leave();
    }
    notification?.stopping({ timeout: this.#timeToStop() + this.#server!.grace + END_SLACK });
    logger.info("stopping the servers");
    await this.#processes.stopAll(
      this.#ending === "stop"
        ? { last: { id: REGISTRY_ID, before: () => this.#server!.leaveRegistry() } }
        : { except: [REGISTRY_ID] },
    );
  }
}

/** Says in one line how many servers are up, and what the others are. */
function describeServers(reports: readonly ServerReport[]): string {
  const others = reports.filter(({ state }) => state !== "up").map(({ id, state }) =>
    `${id} is ${state}`
  );
  const count = `${reports.length - others.length} of ${reports.length} servers are up`;
  return [count, ...others].join(", ");
}

/**
 * Reads a configuration that can be used.
 *
 * @throws {EnsembleError} if it cannot be read, or is wrong: all errors, with their places.
 */
export async function readUsable(
  path: string,
  host: string,
): Promise<{ readonly configuration: Configuration; readonly warnings: string[] }> {
  const { configuration, problems } = await readConfiguration(path, { host });
  if (!configuration) throw wrongConfiguration(path, problems);
  return { configuration, warnings: problems.map((problem) => formatProblem(path, problem)) };
}

/** A server that an operator added; undefined if the role says nothing that can be run. */
function addedServer(
  { roles }: Configuration,
  { id, addition: { role: name, args } }: { readonly id: string; readonly addition: Addition },
): ServerConfiguration | undefined {
  const role = Object.hasOwn(roles, name) ? roles[name] : undefined;
  if (!role?.program) return undefined;
  const { program } = role;
  return { ...role, id, program, hosts: undefined, enabled: true, ...args && { args } };
}

/** Whether a server runs on this host, with the same process ids. */
function isHere({ kernel }: Pick<OwnEntry, "kernel">): boolean {
  const own = ownKernel();
  // Without a kernel, as on macOS, the process id has to do.
  return !own || !kernel || own.boot === kernel.boot && own.processes === kernel.processes;
}

/** Names what a change of the configuration does. */
function describe(
  { started, stopped, restarted, changed }: Omit<ConfigurationDifferences, "supervisor">,
): string {
  const named = (changes: ConfigurationDifferences["changed"]) =>
    changes.map(({ id, fields }) => `${id} (${fields.join(", ")})`);
  const parts = Object.entries({
    start: started,
    stop: stopped,
    restart: named(restarted),
    "without restart": named(changed),
  }).flatMap(([what, ids]) => ids.length > 0 ? [`${what} ${ids.join(", ")}`] : []);
  return parts.length > 0 ? parts.join("; ") : "nothing changes";
}
