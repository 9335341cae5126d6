/**
 * The processes of a supervisor: starts them in order, keeps them running, and takes them over from
 * an earlier run of the supervisor.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { takeFileLock } from "../../runtime/home/files.ts";
import { ownKernel } from "../../runtime/own_process.ts";
import { within } from "../../runtime/timeout.ts";
import { type Adoption, findChildren, oldClaims } from "./adoption.ts";
import { AdoptedChild, type Child, type Draining, lookAfter } from "./child.ts";
import { OutputFile, type OutputPart, type OutputQuery } from "./output_file.ts";
import { type ProcessEntry, type ProcessTable, processTable } from "./process_table.ts";
import type { Addition, ServerPlan } from "./server_plan.ts";
import type { ProcessEnd, ServerReport } from "./server_report.ts";
import { startOrder } from "./start_order.ts";
import { NEW_RECORD, type ServerRecord, StateFile } from "./state_file.ts";
import { NOT_ENABLED, type ServerSurroundings, SupervisedServer } from "./supervised_server.ts";

const logger = getLogger(["gxensemble", "supervisor"]);

/** The file of the state, and that of the lock, in the directory of the supervisor. */
const STATE = "processes.json";
const LOCK = "processes.lock";

/** How many servers start at the same time, and how long one counts at most, in ms. */
const STARTS = 8;
const START_TURN = 10_000;

/** How often processes are looked at, in ms. */
const LOOK = 1_000;

/** Every how many looks the output and the memory are looked at. */
const OUTPUT_LOOKS = 2;
const MEMORY_LOOKS = 2;

/** How long to try to take the lock, and the pause between two attempts, in ms. */
const PATIENCE = 2_000;
const RETRY = 20;

/** How long to wait for servers that are being started or stopped when they are left, in ms. */
const LEAVING = 2_000;

/** Options of {@linkcode SupervisedProcesses.open}. */
export interface SupervisedProcessesOptions {
  /** The id of the supervisor. */
  readonly id: string;
  /** The directory of its state, an absolute path. It is created. */
  readonly directory: string;
  /** The directory for the output of a server, an absolute path. It is created. */
  readonly outputDirectory: (id: string) => string;
  /** Told what has changed about a server. */
  readonly onChange?: ((report: ServerReport) => void) | undefined;
  /**
   * Told that a server which operators added, and then stopped, is forgotten. It is to be left out of
   * what {@linkcode SupervisedProcesses.configure} gets.
   */
  readonly onForgotten?: ((id: string) => void) | undefined;
  /** Checks the health of a server, for plans with `health`. Throws if it is not healthy. */
  readonly checkHealth?: ((id: string, signal: AbortSignal) => Promise<void>) | undefined;
  /**
   * Whether a server is up that this supervisor does not run, for plans that start after it. Call
   * {@linkcode SupervisedProcesses.lookAgain} when that has changed. Default: it is.
   */
  readonly isUpElsewhere?: ((id: string) => boolean) | undefined;
  /**
   * Whether it can be seen now that servers become up. While it cannot, no start takes too long.
   * Default: it can.
   */
  readonly canSeeUp?: (() => boolean) | undefined;
  /**
   * Asked after the end of a process: who has shut it down through the ensemble; undefined if it
   * ended otherwise. Default: it ended otherwise.
   */
  readonly shutDownBy?: ServerSurroundings["shutDownBy"] | undefined;
  /** How often processes are looked at, in ms. Default: every second. */
  readonly lookEvery?: number | undefined;
  /** The processes of this host. Default: as the system shows them. */
  readonly table?: ProcessTable | undefined;
}

/** An order of an operator that ends a process. */
export interface Order {
  /** Who gives it: `user@host`. */
  readonly by: string;
  /** Lets the server finish its work first. Default: it is stopped at once. */
  readonly draining?: Draining | undefined;
}

/** A server that was ordered to stop. */
export type StoppingServer = Pick<SupervisedServer, "report" | "whenStopped">;

/** How all servers are stopped. */
export interface StopAllOptions {
  /** Kills all that is left when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** The ids of servers that are left to others, who stop them later. */
  readonly except?: readonly string[] | undefined;
  /** A server that stops after all others, and what is done before that. */
  readonly last?: { readonly id: string; before(): Promise<void> } | undefined;
}

/** The processes of a supervisor. */
export class SupervisedProcesses {
  readonly #options: SupervisedProcessesOptions;
  readonly #table: ProcessTable;
  readonly #file: StateFile;
  readonly #lock: Disposable;
  /** Processes of an earlier run whose servers are not configured yet. */
  readonly #adopted: Map<string, Child>;
  /** How processes ended while no supervisor ran, by server. */
  readonly #ended: ReadonlyMap<string, ProcessEnd>;
  /** What an earlier run has kept of servers that are not configured yet. */
  readonly #records: Map<string, ServerRecord>;
  /** The claims of processes that an earlier run may not have recorded. */
  #claims: readonly string[];
  readonly #servers = new Map<string, SupervisedServer>();
  #order: readonly string[] = [];
  /** The servers that are starting, with the timers that end their turns. */
  readonly #starting = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #surroundings: ServerSurroundings;
  #isClosing = false;
  #hasClosed = false;
  #looks = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(
    options: SupervisedProcessesOptions,
    { table, file, lock, adoption, records, claims }: {
      readonly table: ProcessTable;
      readonly file: StateFile;
      readonly lock: Disposable;
      readonly adoption: Adoption;
      readonly records: ReadonlyMap<string, ServerRecord>;
      readonly claims: readonly string[];
    },
  ) {
    this.#options = options;
    this.#table = table;
    this.#file = file;
    this.#lock = lock;
    this.#adopted = new Map(adoption.running);
    this.#ended = adoption.ended;
    this.#records = new Map(records);
    this.#claims = claims;
    const { id: supervisor, directory } = options;
    this.#surroundings = {
      ...{ identity: { supervisor, directory }, table },
      save: () => this.#save(),
      beginStart: (plan) => this.#beginStart(plan),
      endStart: (id) => this.#endStart(id),
      hasDependents: (id) => this.#hasDependents(id),
      changed: (report) => this.#changed(report),
      forget: ({ id, isRetired, record }) => {
        this.#servers.delete(id);
        this.#save();
        if (!isRetired || record.rest?.cause === "ordered") options.onForgotten?.(id);
      },
      canSeeUp: options.canSeeUp ?? (() => true),
      shutDownBy: options.shutDownBy ?? (() => Promise.resolve(undefined)),
      checkHealth: options.checkHealth ?? (() => Promise.resolve()),
    };
    this.#lookLater();
  }

  /**
   * Reads the state of an earlier run, and finds its processes. They are left as they are until
   * {@linkcode configure}.
   *
   * @throws {EnsembleError} if another process supervises with this directory, or it cannot be
   * written.
   */
  static async open(options: SupervisedProcessesOptions): Promise<SupervisedProcesses> {
    const { id: supervisor, directory, table = processTable() } = options;
    try {
      await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new EnsembleError(`cannot make ${directory}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    const lock = await patiently(() => takeFileLock(`${directory}/${LOCK}`));
    if (!lock) {
      throw new EnsembleError(`another supervisor runs with ${directory}`, { code: "ID_TAKEN" });
    }
    const file = new StateFile(`${directory}/${STATE}`);
    const state = await file.read();
    const adoption = await findChildren({
      ...{ supervisor, directory, table },
      records: state?.servers,
    });
    await file.removeDrafts();
    const records = new Map(state?.servers);
    const isAnew = state !== undefined && state.kernel !== formatKernel();
    if (isAnew) { for (const [id, record] of records) records.set(id, afterBoot(record)); }
    const { running } = adoption;
    const ended = isAnew ? new Map<string, ProcessEnd>() : adoption.ended;
    return new SupervisedProcesses(options, {
      ...{ table, file, lock, records },
      adoption: { running, ended },
      claims: oldClaims(directory),
    });
  }

  /** The servers that operators added, as far as an earlier run has kept them. */
  get additions(): ReadonlyMap<string, Addition> {
    const all = [
      ...this.#records,
      ...[...this.#servers].map(([id, { record }]) => [id, record] as const),
    ];
    return new Map(all.flatMap(([id, { addition }]) => addition ? [[id, addition] as const] : []));
  }

  /** The servers, in the order in which they start. */
  get list(): ServerReport[] {
    const ids = new Set([...this.#order, ...this.#servers.keys()]);
    return [...ids].flatMap((id) => this.#servers.get(id)?.report ?? []);
  }

  /** Whether there is a server with an id. */
  has(id: string): boolean {
    return this.#servers.has(id);
  }

  /**
   * What is known about a server.
   *
   * @throws {EnsembleError} if there is none, as do the others that name a server.
   */
  report(id: string): ServerReport {
    return this.#server(id).report;
  }

  /**
   * Replaces what there is to run. New servers are started, unless they are not enabled or an
   * operator stopped them; those that are missing are stopped, and then forgotten. Those that run
   * go on as they are: {@linkcode restart} makes them what they should be.
   */
  configure(plans: readonly ServerPlan[]): void {
    this.#order = startOrder(plans);
    const byId = new Map(plans.map((plan) => [plan.id, plan]));
    for (const id of this.#order) this.#configure(byId.get(id)!);
    for (const [id, server] of this.#servers) if (!byId.has(id)) server.retire();
    for (const [id, record] of this.#records) {
      this.#records.delete(id);
      if (this.#adopted.has(id)) this.#add(id, { plan: undefined, record }).retire();
    }
    for (const id of this.#adopted.keys()) {
      this.#add(id, { plan: undefined, record: NEW_RECORD }).retire();
    }
    this.#save().then((isSaved) => isSaved && this.#removeClaims());
    this.lookAgain();
  }

  /**
   * Orders a server to run, if it does not. Its restarts are counted anew. Resolves when the order is
   * on disk, so that the next run of the supervisor knows it, as do the others.
   */
  start(id: string): Promise<void> {
    this.#server(id).start();
    return this.#saved();
  }

  /**
   * Orders a server to stop, and to stay stopped, also after a boot of the host. One that operators
   * added is forgotten as soon as it has stopped.
   *
   * @returns the server, which may be forgotten by then.
   */
  async stop(id: string, { by, draining }: Order): Promise<StoppingServer> {
    const server = this.#server(id);
    server.stop(`stopped by ${by}`, draining);
    await this.#saved();
    return server;
  }

  /** Orders a server to be stopped, if it runs, and to be started as it is configured now. */
  restart(id: string, { by, draining }: Order): Promise<void> {
    this.#server(id).restart(`restarted by ${by}`, draining);
    return this.#saved();
  }

  /**
   * Has the servers of the ensemble that are up read their certificates and their cookie again, and
   * reopen their log files. To one that is still starting, the signal could be the end.
   */
  async reread(): Promise<void> {
    for (const server of this.#servers.values()) {
      if (server.isUp && server.plan?.announcesUp) await server.child?.signal("SIGHUP");
    }
  }

  /**
   * Waits until a server is up, with all orders carried out.
   *
   * @throws {EnsembleError} if it fails, or an operator stops it; and the signal's reason.
   */
  async whenUp(id: string, signal?: AbortSignal): Promise<void> {
    await this.#server(id).whenUp(signal);
  }

  /**
   * Waits until a server that was ordered to stop has no process.
   *
   * @throws {EnsembleError} if an operator starts it; and the signal's reason.
   */
  async whenStopped(id: string, signal?: AbortSignal): Promise<void> {
    await this.#server(id).whenStopped(signal);
  }

  /**
   * Takes notice that a process is up as a server. Returns whether it is the process of that server,
   * or was started by it.
   */
  async becameUp(id: string, pid: number): Promise<boolean> {
    const server = this.#servers.get(id);
    const isOwn = server !== undefined && await this.#isOf(server, pid);
    if (isOwn) server.becameUp();
    return isOwn;
  }

  /**
   * Takes notice that an operator shuts a server down through the ensemble. It stays stopped, and
   * is killed if it does not end in time. Returns whether the process is that of the server.
   */
  async wasShutDown(
    id: string,
    { pid, by }: { readonly pid: number; readonly by: string },
  ): Promise<boolean> {
    const server = this.#servers.get(id);
    const isOwn = server !== undefined && await this.#isOf(server, pid);
    if (!isOwn) return false;
    server.wasShutDown(by);
    await this.#saved();
    return true;
  }

  /** Looks again whether the servers that others wait for are up. */
  lookAgain(): void {
    for (const server of this.#servers.values()) server.lookAgain();
  }

  /** Reads what a server has written to standard output and standard error. */
  async readOutput(id: string, query: OutputQuery = {}): Promise<OutputPart> {
    // One that follows the output goes on when the server has been forgotten.
    const output = query.after && !this.has(id)
      ? new OutputFile(this.#options.outputDirectory(id))
      : this.#server(id).output;
    return await output.read(query);
  }

  /**
   * Stops all servers, in the reverse of the order in which they start. The next run of the
   * supervisor starts them again. When the signal is aborted, all that is left is killed.
   *
   * @param options.except the ids of servers that are left to others, who stop them later.
   * @param options.last a server that stops after all others, and what is done before that.
   */
  async stopAll({ signal, ...options }: StopAllOptions = {}): Promise<void> {
    const hurry = () => this.#servers.forEach((server) => server.hurry());
    signal?.addEventListener("abort", hurry);
    if (signal?.aborted) hurry();
    await this.#close("stop", options);
    signal?.removeEventListener("abort", hurry);
  }

  /** Ends without stopping the servers. The next run of the supervisor takes them over. */
  async leave(): Promise<void> {
    await this.#close("leave");
  }

  async #close(
    how: "stop" | "leave",
    { except = [], last }: Omit<StopAllOptions, "signal"> = {},
  ): Promise<void> {
    if (this.#hasClosed) return;
    this.#isClosing = true;
    const servers = [...this.#servers.values()];
    for (const server of servers) {
      if (except.includes(server.id)) server.disown();
      else if (server.id !== last?.id) server.close(how);
    }
    const held = last && this.#servers.get(last.id);
    if (held) {
      await Promise.all(servers.map((server) => server === held || server.finished));
      await last.before();
      held.close(how);
    }
    const finished = Promise.all(servers.map((server) => server.finished));
    // One that is being stopped is left to the next run, too.
    if (how === "leave") await within(LEAVING, finished);
    else await finished;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const id of this.#starting.keys()) this.#endStart(id);
    await this.#save();
    if (this.#hasClosed) return;
    this.#hasClosed = true;
    this.#lock[Symbol.dispose]();
  }

  /** Removes the claims of earlier runs. By now, their processes are recorded. */
  #removeClaims(): void {
    for (const path of this.#claims) {
      try {
        Deno.removeSync(path);
      } catch {
        // It was removed when its process ended.
      }
    }
    this.#claims = [];
  }

  #configure(plan: ServerPlan): void {
    const { id, enabled, hash } = plan;
    const server = this.#servers.get(id);
    if (server) return server.configure(plan);
    const record = this.#records.get(id);
    this.#records.delete(id);
    const rest = { state: "stopped", reason: NOT_ENABLED, cause: "disabled", hash } as const;
    this.#add(id, { plan, record: record ?? { ...NEW_RECORD, ...!enabled && { rest } } });
  }

  #add(
    id: string,
    { plan, record }: { readonly plan: ServerPlan | undefined; readonly record: ServerRecord },
  ): SupervisedServer {
    const child = this.#adopted.get(id);
    this.#adopted.delete(id);
    const server = new SupervisedServer(id, {
      ...{ plan, record, child },
      unseenEnd: this.#ended.get(id),
      output: new OutputFile(this.#options.outputDirectory(id)),
      surroundings: this.#surroundings,
    });
    this.#servers.set(id, server);
    server.begin();
    return server;
  }

  #server(id: string): SupervisedServer {
    const server = this.#servers.get(id);
    if (server) return server;
    throw new EnsembleError(
      `${this.#options.id} has no server ${id}: "gxensemble control list-servers" shows those it has`,
      { code: "UNKNOWN_SERVER" },
    );
  }

  async #isOf(server: SupervisedServer, pid: number): Promise<boolean> {
    const { child } = server;
    if (!child || child.pid === pid) return child !== undefined;
    const session = (await this.#table.find([pid])).get(pid)?.session;
    return session === child.pid && server.child === child;
  }

  /** Why a server cannot be started yet. */
  #beginStart({ id, after }: ServerPlan): string | undefined {
    const missing = after.filter((each) => !this.#isUp(each));
    if (missing.length > 0) return missing.map((each) => this.#described(each)).join(", ");
    if (this.#starting.size >= STARTS) return "its turn";
    this.#starting.set(id, setTimeout(() => this.#endStart(id), START_TURN));
  }

  #endStart(id: string): void {
    const timer = this.#starting.get(id);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#starting.delete(id);
    this.#wakeWaiting();
  }

  #isUp(id: string): boolean {
    return this.#servers.get(id)?.isUp ?? this.#options.isUpElsewhere?.(id) ?? true;
  }

  #described(id: string): string {
    const state = this.#servers.get(id)?.report.state;
    if (state !== undefined) return `${id}, which is ${state}`;
    return id === REGISTRY_ID ? "the registry, which does not answer" : `${id} on another host`;
  }

  #hasDependents(id: string): boolean {
    const own = this.#order.indexOf(id);
    return [...this.#servers.values()].some((server) =>
      !server.isFinished && server.plan?.after.includes(id) &&
      this.#order.indexOf(server.id) > own
    );
  }

  #changed(report: ServerReport): void {
    try {
      this.#options.onChange?.(report);
    } catch (error) {
      logger.error("a change of {server} could not be told: {reason}", {
        server: report.id,
        reason: (error as Error).message,
      });
    }
    this.#wakeWaiting();
  }

  #wakeWaiting(): void {
    for (const server of this.#servers.values()) {
      if (this.#isClosing || server.report.state === "waiting") server.lookAgain();
    }
  }

  async #saved(): Promise<void> {
    await this.#save();
  }

  #save(): Promise<boolean> {
    if (this.#hasClosed) return Promise.resolve(false);
    return this.#file.write(() => ({
      kernel: formatKernel(),
      servers: new Map([
        ...this.#records,
        ...[...this.#servers].map(([id, { record }]) => [id, record] as const),
      ]),
    }));
  }

  #lookLater(): void {
    this.#timer = setTimeout(async () => {
      try {
        await this.#look();
      } catch (error) {
        logger.error("the processes cannot be seen: {reason}", {
          reason: (error as Error).message,
        });
      }
      if (this.#timer !== undefined) this.#lookLater();
    }, this.#options.lookEvery ?? LOOK);
  }

  async #look(): Promise<void> {
    const servers = [...this.#servers.values()];
    const children = servers.flatMap(({ child }) => child ?? []);
    await lookAfter(children.filter((child) => child instanceof AdoptedChild), this.#table);
    const looks = this.#looks++;
    if (looks % OUTPUT_LOOKS === 0) {
      for (const { output, plan } of servers) if (plan) await output.rotate(plan.output);
    }
    if (looks % MEMORY_LOOKS === 0 && children.length > 0) {
      const used = memoryOfSessions(await this.#table.all());
      for (const server of servers) {
        const rss = server.child && used.get(server.child.pid);
        if (rss !== undefined) server.usesMemory(rss);
      }
    }
  }
}

/** Tries to take a lock. A process that a killed run was starting holds it for another moment. */
async function patiently(
  take: () => Promise<Disposable | undefined>,
): Promise<Disposable | undefined> {
  const until = performance.now() + PATIENCE;
  while (true) {
    const lock = await take();
    if (lock || performance.now() >= until) return lock;
    await new Promise((resolve) => setTimeout(resolve, RETRY));
  }
}

/** What is left of a record after the host was booted: no process, and a new try. */
function afterBoot(record: ServerRecord): ServerRecord {
  const { process, rest, restarts, ...others } = record;
  return {
    ...others,
    ...process && { lastExit: { at: Date.now(), reason: "the host was booted" } },
    ...rest && rest.cause !== "ended" && { rest },
    restarts: { ...restarts, inRow: 0, recent: [] },
  };
}

/** The resident memory of the processes of each session, in bytes. */
function memoryOfSessions(processes: readonly ProcessEntry[]): Map<number, number> {
  const used = new Map<number, number>();
  for (const { session, rss } of processes) used.set(session, (used.get(session) ?? 0) + rss);
  return used;
}

/** Identifies the boot of the host, and the container. */
function formatKernel(): string | undefined {
  const kernel = ownKernel();
  return kernel && `${kernel.boot} ${kernel.processes}`;
}
