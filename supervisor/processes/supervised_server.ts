/**
 * One server under a supervisor.
 *
 * All that happens to it happens in one loop, one thing after the other. Orders, the end of its
 * process and the passing of time only change what the loop looks at, and wake it. So an order never
 * meets a half-done start or stop.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { ownKernel } from "../../runtime/own_process.ts";
import { unlessAborted, within } from "../../runtime/timeout.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import {
  type Child,
  type Draining,
  killLeftovers,
  StartedChild,
  stopChild,
  type StopWay,
} from "./child.ts";
import { checkHealth } from "./health_schedule.ts";
import type { OutputFile } from "./output_file.ts";
import type { ProcessTable } from "./process_table.ts";
import { decideRestart } from "./restart_decision.ts";
import type { HealthSchedule, ServerPlan } from "./server_plan.ts";
import {
  formatEnd,
  type ProcessEnd,
  type ServerReport,
  type ServerState,
} from "./server_report.ts";
import { claimPath, type RunIdentity, spawnChild } from "./spawning.ts";
import type { Rest, ServerRecord } from "./state_file.ts";

const logger = getLogger(["gxensemble", "supervisor"]);

/** How many times in a row more memory than allowed is seen before a server is restarted. */
const MEMORY_SAMPLES = 2;

/** Why a server does not run that is not enabled. */
export const NOT_ENABLED = "not enabled in the configuration";

/** What to do about a server that has failed. */
const FAILED_ADVICE = '; "gxensemble control get-server-log {server}" shows what it has written';

/** The levels at which states are logged, other than `info`. */
const LEVELS: { readonly [state in ServerState]?: "warn" | "error" } = {
  "unhealthy": "warn",
  "backing-off": "warn",
  "failed": "error",
};

/** How a process is stopped whose configuration is not known. */
const DEFAULT_STOP = { signal: "SIGTERM", killAfter: 15_000 } as const;

/** What a server needs of its supervisor. */
export interface ServerSurroundings {
  /** Which supervisor it is. */
  readonly identity: Pick<RunIdentity, "supervisor" | "directory">;
  /** The processes of this host. */
  readonly table: ProcessTable;
  /** Keeps what has changed. Returns whether it is on disk. */
  save(): Promise<boolean>;
  /** Why a server cannot be started yet; undefined if it can. Then it has a place among the starting. */
  beginStart(plan: ServerPlan): string | undefined;
  /** Gives the place up. */
  endStart(id: string): void;
  /** Whether servers that are started after this one have processes. */
  hasDependents(id: string): boolean;
  /** Tells what has changed. */
  changed(report: ServerReport): void;
  /** Forgets a server that is to run no more. */
  forget(server: SupervisedServer): void;
  /** Whether it can be seen now that servers become up. */
  canSeeUp(): boolean;
  /** Who has shut the server down through the ensemble; undefined if its process ended otherwise. */
  shutDownBy(
    id: string,
    run: Pick<Child, "pid" | "startedAt" | "marker">,
  ): Promise<string | undefined>;
  /** Checks the health of a server. Throws if it is not healthy. */
  checkHealth(id: string, signal: AbortSignal): Promise<void>;
}

/** Options of a {@linkcode SupervisedServer}. */
export interface SupervisedServerOptions {
  /** What to run; undefined for a process that is no longer in the configuration. */
  readonly plan: ServerPlan | undefined;
  /** What is kept of it. */
  readonly record: ServerRecord;
  /** Its process, if an earlier run of the supervisor started one. */
  readonly child: Child | undefined;
  /** How its process ended while no supervisor ran, if one did. */
  readonly unseenEnd: ProcessEnd | undefined;
  /** Its output. */
  readonly output: OutputFile;
  /** Its supervisor. */
  readonly surroundings: ServerSurroundings;
}

/** One server under a supervisor. */
export class SupervisedServer {
  /** Its id. */
  readonly id: string;
  /** Its output. */
  readonly output: OutputFile;
  /** Whether it is forgotten once it has stopped. */
  isRetired = false;
  /** Whether it has stopped with the supervisor, or its process is left alone. */
  isFinished = false;
  readonly #around: ServerSurroundings;
  #plan: ServerPlan | undefined;
  #record: ServerRecord;
  readonly #found: Pick<SupervisedServerOptions, "child" | "unseenEnd">;
  #child: Child | undefined;
  /** Since when this run of the supervisor has had the process, as `performance.now` has it. */
  #seenSince = 0;
  #end: ProcessEnd | undefined;
  #state: ServerState = "stopped";
  #reason: string | undefined;
  #rss: number | undefined;
  #samplesOver = 0;
  /** The time of its next start, in ms since 1970. */
  #startsAt = 0;
  /** Whether it is up. */
  #isUp = false;
  /** Why its process has to end, by the supervisor's own judgement. */
  #fault: string | undefined;
  /** Why the last health check failed, while it is not yet a fault. */
  #illness: string | undefined;
  /** Why an operator has it restarted. */
  #restart: string | undefined;
  /** How its process is drained when an order stops it. */
  #draining: Draining | undefined;
  #enough = new AbortController();
  /** Whether its process has been asked to stop through the ensemble. */
  #isAsked = false;
  #closing: "stop" | "leave" | undefined;
  readonly #hurry = new AbortController();
  #healthChecks = new AbortController();
  #finished = Promise.resolve();
  #woken = Promise.withResolvers<void>();

  /** A server that nothing is done about before {@linkcode begin}. */
  constructor(
    id: string,
    { plan, record, child, unseenEnd, output, surroundings }: SupervisedServerOptions,
  ) {
    this.id = id;
    this.output = output;
    this.#plan = plan;
    this.#record = record;
    this.#around = surroundings;
    this.#found = { child, unseenEnd };
  }

  /** Begins to keep it as it should be. */
  begin(): void {
    this.#finished = this.#begin();
  }

  /** Resolves when it has stopped with the supervisor, or its process is left alone. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /** What is kept of it for the next run of the supervisor. */
  get record(): ServerRecord {
    const { addition } = this.#plan ?? this.#record;
    return { ...this.#record, addition };
  }

  /** What it runs; undefined if it is no longer in the configuration. */
  get plan(): ServerPlan | undefined {
    return this.#plan;
  }

  /** Its process, while it has one. */
  get child(): Child | undefined {
    return this.#child;
  }

  /** Whether servers that start after it can be started. */
  get isUp(): boolean {
    return this.#child !== undefined && this.#isUp;
  }

  /** What the supervisor knows about it. */
  get report(): ServerReport {
    const child = this.#child;
    const { restarts, lastExit, process } = this.#record;
    return {
      id: this.id,
      state: this.#state,
      reason: this.#reason,
      adopted: child?.adopted ?? false,
      added: this.record.addition !== undefined,
      outdated: child !== undefined && child.hash !== this.#plan?.hash,
      ...child && { pid: child.pid, startedAt: child.startedAt, rss: this.#rss },
      ...child && this.#isUp && { upSince: process?.upSince },
      ...this.#state === "backing-off" && { startsAt: this.#startsAt },
      restarts: restarts.total,
      lastExit,
    };
  }

  /** Replaces what it runs, from its next start on. */
  configure(plan: ServerPlan): void {
    const { rest } = this.#record;
    const isTriedAnew = rest?.cause === "removed" ||
      rest?.cause === "ended" && rest.hash !== plan.hash ||
      rest?.cause === "disabled" && plan.enabled;
    const isDisabled = !rest && this.#plan?.enabled && !plan.enabled;
    const isCheckedAnew = this.#isUp && !isEqual(this.#plan?.health, plan.health);
    this.isRetired = false;
    this.#plan = plan;
    if (isCheckedAnew) this.#beginHealthChecks();
    if (isTriedAnew) this.start();
    if (isDisabled) this.#change({ rest: this.#rest("stopped", NOT_ENABLED, "disabled") });
    this.#wake();
  }

  /** Orders it to run. Its restarts are counted anew. */
  start(): void {
    if (this.#child && !this.#record.rest) return;
    const { restarts } = this.#record;
    this.#change({ rest: undefined, restarts: { ...restarts, inRow: 0, recent: [] } });
    this.#startsAt = 0;
    this.#wake();
  }

  /**
   * Orders it to stop, and to stay stopped; one that an operator added is forgotten then. Without
   * draining, one that drains stops at once.
   */
  stop(reason: string, draining?: Draining): void {
    this.#drain(draining);
    this.#change({ rest: this.#rest("stopped", reason, "ordered") });
    this.#wake();
  }

  /** Orders its process to be replaced by another, or it to run if it has none. */
  restart(reason: string, draining?: Draining): void {
    this.#drain(draining);
    // A process that is being started may not have seen what the restart is for.
    this.#restart = reason;
    this.start();
    this.#wake();
  }

  /** Orders it to stop, since the configuration no longer has it. It is not started again. */
  retire(): void {
    this.isRetired = true;
    if (!this.#record.rest) {
      this.#change({
        rest: this.#rest("stopped", "no longer in the configuration", "removed"),
      });
    }
    this.#wake();
  }

  /** Takes notice that its process is up. */
  becameUp(): void {
    if (!this.#child || this.#isUp) return;
    this.#isUp = true;
    const { process } = this.#record;
    if (process) this.#change({ process: { ...process, upSince: process.upSince ?? Date.now() } });
    this.#around.endStart(this.id);
    this.#beginHealthChecks();
    this.#wake();
  }

  /** Takes notice that its process was asked to stop through the ensemble. */
  wasShutDown(by: string): void {
    this.#isAsked = this.#child !== undefined;
    this.stop(`shut down by ${by}`);
  }

  /** Takes notice of the memory of its processes, in bytes. */
  usesMemory(rss: number): void {
    this.#rss = rss;
    const limit = this.#plan?.memoryLimit;
    this.#samplesOver = limit !== undefined && rss > limit ? this.#samplesOver + 1 : 0;
    if (this.#samplesOver < MEMORY_SAMPLES || !this.#child) return;
    this.#fault ??= `memory limit passed: ${formatMemory(rss)} used, ${
      formatMemory(limit!)
    } allowed`;
    this.#wake();
  }

  /** Looks again whether the servers that it waits for are up. */
  lookAgain(): void {
    this.#wake();
  }

  /**
   * Ends the loop: after its process has stopped, which is started again with the next run of the
   * supervisor, or at once, with the process left alone.
   */
  close(how: "stop" | "leave"): void {
    if (this.#closing !== "leave") this.#closing = how;
    if (how === "leave" && this.#child instanceof StartedChild) this.#child.unref();
    this.#wake();
  }

  /** Leaves its process to others: however it ends, the next run of the supervisor starts it. */
  disown(): void {
    this.#change({ process: undefined });
    this.close("leave");
  }

  /** Kills what is being stopped, and what is stopped later. */
  hurry(): void {
    this.#hurry.abort();
  }

  /** Waits until it is up with all orders carried out. */
  async whenUp(signal?: AbortSignal): Promise<void> {
    await this.#until(() => {
      const { rest } = this.#record;
      if (rest) throw new EnsembleError(`${this.id} is not up: ${rest.state}: ${rest.reason}`);
      if (this.#closing) throw new EnsembleError(`${this.id} is not up: the supervisor ends`);
      return this.#state === "up" && this.#restart === undefined && this.#fault === undefined;
    }, signal);
  }

  /** Waits until it has no process. */
  async whenStopped(signal?: AbortSignal): Promise<void> {
    await this.#until(() => {
      if (!this.#record.rest && !this.#closing) {
        throw new EnsembleError(`${this.id} was started again meanwhile`);
      }
      return this.#state === "stopped" || this.#state === "failed";
    }, signal);
  }

  #drain(draining: Draining | undefined): void {
    this.#draining = draining;
    if (!draining) this.#enough.abort();
  }

  async #until(isReached: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    while (true) {
      const woken = this.#woken.promise;
      if (isReached()) return;
      await unlessAborted(signal, woken);
    }
  }

  async #begin(): Promise<void> {
    const { child, unseenEnd } = this.#found;
    try {
      if (child) this.#adopt(child);
      else if (unseenEnd) await this.#hasEnded(unseenEnd);
      await this.#run();
    } catch (error) {
      // A defect. The other servers go on.
      logger.fatal("{server} is no longer supervised: {reason}", {
        server: this.id,
        reason: (error as Error).message,
        error,
      });
    } finally {
      this.isFinished = true;
    }
  }

  #adopt(child: Child): void {
    const { process } = this.#record;
    this.#change({
      process: {
        ...process?.marker === child.marker ? process : { stop: DEFAULT_STOP },
        marker: child.marker,
        pid: child.pid,
        startTime: child.startTime,
        kernel: ownKernel(),
        startedAt: child.startedAt,
        hash: child.hash,
      },
    });
    this.#take(child);
    logger.info("{server} is adopted: process {pid}", { server: this.id, pid: child.pid });
    // It must not be stopped for being seen late.
    if (this.#record.process?.upSince !== undefined || this.#plan?.announcesUp === false) {
      this.becameUp();
    }
  }

  async #run(): Promise<void> {
    while (this.#closing !== "leave") {
      const woken = this.#woken.promise;
      if (this.#child) {
        await this.#watch(woken);
      } else if (this.#closing) {
        // Those that it was started after look whether it has finished.
        this.isFinished = true;
        return this.#enter("stopped", "the supervisor ends");
      } else if (this.#record.rest) {
        const { state, reason, cause } = this.#record.rest;
        this.#enter(state, reason);
        // What an operator has added, an operator takes away.
        if (this.isRetired || cause === "ordered" && this.record.addition !== undefined) {
          this.#around.forget(this);
          return;
        }
        await woken;
      } else if (Date.now() < this.#startsAt) {
        this.#enter("backing-off", formatEnd(this.#record.lastExit!));
        // The clock may be set back meanwhile.
        if (!await within(this.#startsAt - Date.now(), woken)) this.#startsAt = 0;
      } else {
        const obstacle = this.#plan ? this.#around.beginStart(this.#plan) : "its configuration";
        if (obstacle === undefined) {
          await this.#start(this.#plan!);
        } else {
          this.#enter("waiting", `for ${obstacle}`);
          await woken;
        }
      }
    }
    if (this.#child instanceof StartedChild) this.#child.unref();
  }

  async #start(plan: ServerPlan): Promise<void> {
    this.#enter("starting", undefined);
    this.#restart = undefined;
    const identity = { ...this.#around.identity, server: this.id, marker: crypto.randomUUID() };
    const { marker } = identity;
    const { hash, stop, workingDirectory, user } = plan;
    try {
      const launch = await this.#unlessOrdered(Promise.resolve(plan.launch()));
      if (launch) {
        const kernel = ownKernel();
        this.#change({ process: { marker, kernel, startedAt: Date.now(), hash, stop } });
        await this.#around.save();
      }
      if (!launch || this.#isOrderedAway) {
        this.#change({ process: undefined });
        this.#around.endStart(this.id);
        return;
      }
      const child = await spawnChild(launch, {
        ...{ identity, hash, workingDirectory, user, table: this.#around.table },
        output: this.output.prepare(),
      });
      const { pid, startTime, startedAt } = child;
      const process = { marker, pid, startTime, kernel: ownKernel(), startedAt, hash, stop };
      this.#record = { ...this.#record, process };
      this.#around.save().then((isSaved) => isSaved && removeClaim(identity));
      this.#take(child);
      if (!plan.announcesUp) this.becameUp();
    } catch (error) {
      await this.#hasEnded({ at: Date.now(), reason: (error as Error).message });
    }
  }

  /** Whether an order keeps it from being started. */
  get #isOrderedAway(): boolean {
    return this.#record.rest !== undefined || this.#closing !== undefined;
  }

  /** Waits for a promise, or until an order comes that keeps it from being started. */
  async #unlessOrdered<Value>(promise: Promise<Value>): Promise<Value | undefined> {
    const settled = promise.then(() => true, () => true);
    while (!this.#isOrderedAway) {
      const woken = this.#woken.promise.then(() => false);
      if (await Promise.race([settled, woken])) return await promise;
    }
  }

  #take(child: Child): void {
    this.#child = child;
    this.#seenSince = performance.now();
    this.#end = undefined;
    this.#isUp = false;
    this.#isAsked = false;
    this.#fault = undefined;
    this.#illness = undefined;
    this.#rss = undefined;
    this.#samplesOver = 0;
    child.ended.then((end) => {
      this.#end = end;
      this.#wake();
    });
  }

  /** Looks at a process once: waits until something changes, or stops it. */
  async #watch(woken: Promise<void>): Promise<void> {
    const child = this.#child!;
    const plan = this.#plan;
    if (this.#end) return await this.#hasEnded(this.#end);
    const ordered = this.#record.rest?.reason ?? this.#restart;
    const isClosing = this.#closing === "stop" && !this.#around.hasDependents(this.id);
    const why = ordered ?? this.#fault ?? (isClosing ? "the supervisor ends" : undefined);
    if (why !== undefined) return await this.#stopFor(why, { child, isOrdered: !!ordered });
    if (this.#isUp || !plan) {
      if (this.#illness === undefined) this.#enter("up", undefined);
      else this.#enter("unhealthy", this.#illness);
      return await woken;
    }
    this.#enter("starting", undefined);
    const { timeout } = plan.start;
    // One that was adopted has the time anew, since it was not seen meanwhile.
    const isInTime = await within(this.#seenSince + timeout - performance.now(), woken);
    if (isInTime || this.#isUp || this.#end) return;
    if (this.#around.canSeeUp()) this.#fault = `not up within ${timeout / 1000} s`;
    else await within(timeout, woken);
  }

  async #stopFor(
    why: string,
    { child, isOrdered }: { readonly child: Child; readonly isOrdered: boolean },
  ): Promise<void> {
    const { signal, killAfter } = this.#plan?.stop ?? this.#record.process?.stop ?? DEFAULT_STOP;
    const fault = this.#fault;
    this.#restart = undefined;
    this.#healthChecks.abort();
    this.#enter("stopping", why);
    this.#enough = new AbortController();
    const way: StopWay = {
      draining: isOrdered && !this.#isAsked ? this.#draining : undefined,
      enough: this.#enough.signal,
      signal: this.#isAsked ? undefined : signal,
      killAfter,
      hurry: this.#hurry.signal,
    };
    const end = await stopChild(child, way, this.#around.table);
    const reason = isOrdered ? undefined : fault;
    await this.#hasEnded(reason === undefined ? end : { ...end, reason }, {
      isOrdered: isOrdered || reason === undefined,
    });
  }

  /** Decides what comes after the end of a process, or after a failed start. */
  async #hasEnded(
    end: ProcessEnd,
    { isOrdered = false }: { readonly isOrdered?: boolean } = {},
  ): Promise<void> {
    const { process } = this.#record;
    this.#healthChecks.abort();
    this.#around.endStart(this.id);
    const pid = process?.pid;
    if (pid !== undefined) await killLeftovers(pid, this.#around.table);
    const by = isOrdered || this.#record.rest || !process || pid === undefined
      ? undefined
      : await this.#around.shutDownBy(this.id, { ...process, pid });
    // From here on without giving way, since an order may come at any time.
    const upFor = process?.upSince === undefined ? 0 : end.at - process.upSince;
    if (process) removeClaim({ ...this.#around.identity, marker: process.marker });
    this.#child = undefined;
    this.#end = undefined;
    this.#isUp = false;
    this.#fault = undefined;
    this.#illness = undefined;
    this.#change({ process: undefined, lastExit: end });
    if (by !== undefined && !this.#record.rest) this.stop(`shut down by ${by}`);
    if (!isOrdered && !this.#record.rest && !this.#closing && this.#restart === undefined) {
      this.#decide(end, upFor);
    }
    this.#wake();
  }

  #decide(end: ProcessEnd, upFor: number): void {
    if (!this.#plan) return;
    const { restarts: history } = this.#record;
    const { restart, finalCodes } = this.#plan;
    const decision = decideRestart(restart, { end, upFor, history, finalCodes });
    if (decision.next === "restart") {
      this.#startsAt = decision.at;
      this.#change({ restarts: decision.history });
    } else {
      const { next, reason } = decision;
      this.#change({ rest: this.#rest(next, reason, "ended") });
    }
  }

  #beginHealthChecks(): void {
    this.#healthChecks.abort();
    this.#illness = undefined;
    const schedule = this.#plan?.health;
    if (!schedule) return;
    const { signal } = this.#healthChecks = new AbortController();
    checkHealth(schedule, {
      signal,
      check: (ending) => this.#around.checkHealth(this.id, ending),
      onResult: (failures, message) => {
        this.#illness = failures === 0
          ? undefined
          : `${failures} health ${failures === 1 ? "check" : "checks"} failed: ${message}`;
        if (failures >= schedule.failures) this.#fault ??= this.#illness;
        this.#wake();
      },
    });
  }

  #rest(state: Rest["state"], reason: string, cause: Rest["cause"]): Rest {
    return { state, reason, cause, hash: this.#plan?.hash ?? "" };
  }

  #change(change: Partial<ServerRecord>): void {
    this.#record = { ...this.#record, ...change };
    this.#around.save();
  }

  #enter(state: ServerState, reason: string | undefined): void {
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    const advice = state === "failed" ? FAILED_ADVICE : "";
    const message = reason === undefined ? "{server} is {state}" : "{server} is {state}: {reason}";
    const { pid } = this.#child ?? {};
    logger[LEVELS[state] ?? "info"](`${message}${advice}`, {
      ...{ server: this.id, state },
      ...reason !== undefined && { reason },
      ...pid !== undefined && { pid },
    });
    this.#around.changed(this.report);
    this.#wake();
  }

  #wake(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }
}

function removeClaim(run: Pick<RunIdentity, "directory" | "marker">): void {
  try {
    Deno.removeSync(claimPath(run));
  } catch {
    // It was never written, or was removed before.
  }
}

function isEqual(one: HealthSchedule | undefined, other: HealthSchedule | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function formatMemory(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)} MiB`;
}
