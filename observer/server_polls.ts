/**
 * Asks each server at intervals for what the page shows of all servers: figures, connections, the
 * versions of modules, and warnings of its log.
 *
 * @module
 */
import type { ActorSystem } from "../runtime/actor/actor_system.ts";
import { controlClient } from "../runtime/ensemble/remote.ts";
import { EnsembleError } from "../runtime/errors.ts";
import type { LoggedRecord, LogPosition } from "../runtime/observation/log_protocol.ts";
import { observerClient } from "../runtime/observation/observer_protocol.ts";
import type { ModuleVersion, ServerStatus } from "../runtime/observation/status_protocol.ts";
import { type EnsembleHistory, POINT_INTERVAL } from "./ensemble_history.ts";
import type { ObservedEnsemble } from "./observed_ensemble.ts";
import { observedModule, observedRecord, observedStatus, shown } from "./observed_values.ts";
import type { ObservedServer } from "./page/page_protocol.ts";

/** How a server is reached. */
export interface ServerAccess {
  /** The actors of the observer's console. */
  readonly actors: ActorSystem;
  /**
   * Makes sure that the console may observe a server, on the connection that it has to it.
   *
   * @throws {EnsembleError} if the server cannot be reached, or refuses.
   */
  elevate(server: string): Promise<void>;
}

/** The shortest time between two polls of a server, and how much it grows with each server, in ms. */
const SHORTEST_INTERVAL = 2_000;
const INTERVAL_PER_SERVER = 25;

/** How long a server may take to answer, in ms. */
const ANSWER_TIMEOUT = 4_000;

/** The longest time until a server that does not answer is asked again, in ms. */
const LONGEST_PAUSE = 30_000;

/** How long a server that refuses is not asked, in ms. It logs each refusal. */
const REFUSED_PAUSE = 300_000;

/** The maximum numbers of servers that are asked at once, and of those that did not answer before. */
const AT_ONCE = 16;
const SILENT_AT_ONCE = 8;

/** The interval in which it is decided which servers to ask, in ms. */
const TICK = 100;

/** The maximum number of modules of a server that the page gets. */
const MAX_MODULES = 200;

/** The maximum number of modules that the time line names for one load. */
const MAX_NOTED = 20;

/** The maximum number of logs of which is known what was read. */
const MAX_LOGS = 2_000;

/** The maximum number of log records in one answer. */
const MAX_RECORDS = 100;

/** What is known of the polling of one instance of a server. */
interface Polled {
  readonly id: string;
  readonly instance: string;
  /** When it is asked next, by `performance.now()`. */
  due: number;
  isBusy: boolean;
  /** How often in a row it has not answered. */
  failures: number;
  /** Its loads, as they were when it was asked for its modules. */
  loads?: ServerStatus["loads"] | undefined;
  modules: readonly ModuleVersion[] | undefined;
  /** When it was last asked for its history. */
  historyAsked: number;
  /** When the last point of its history ended, by its clock. */
  lastPoint?: number | undefined;
  /** Its numbers of warnings and errors when its log was read. */
  logged: number;
  position?: LogPosition | undefined;
}

/** The interval in which each of a number of servers is asked, in ms. */
export function pollInterval(servers: number): number {
  return Math.max(SHORTEST_INTERVAL, servers * INTERVAL_PER_SERVER);
}

/** Asks the servers of an ensemble, while it is switched on. */
export class ServerPolls implements Disposable {
  readonly #ensemble: ObservedEnsemble;
  readonly #history: EnsembleHistory;
  readonly #access: ServerAccess;
  readonly #polled = new Map<string, Polled>();
  /** The last record that was read of each log, which all servers of a process share. */
  readonly #logs = new Map<string, number>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Creates it, switched off. */
  constructor(
    access: ServerAccess,
    { ensemble, history }: { ensemble: ObservedEnsemble; history: EnsembleHistory },
  ) {
    this.#access = access;
    this.#ensemble = ensemble;
    this.#history = history;
  }

  /** Switches it on or off. Without a reader, no server is asked for anything. */
  set isOn(isOn: boolean) {
    if (isOn === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = isOn ? setInterval(() => this.#tick(), TICK) : undefined;
  }

  /** Switches it off. */
  [Symbol.dispose](): void {
    this.isOn = false;
  }

  #tick(): void {
    const servers = this.#ensemble.servers().filter(isAsked);
    const interval = pollInterval(servers.length);
    this.#ensemble.setInterval(interval);
    this.#update(servers, interval);
    const now = performance.now();
    const busy = [...this.#polled.values()].filter(({ isBusy }) => isBusy);
    let free = AT_ONCE - busy.filter(({ failures }) => failures === 0).length;
    let freeForSilent = SILENT_AT_ONCE - busy.filter(({ failures }) => failures > 0).length;
    const due = [...this.#polled.values()]
      .filter((each) => !each.isBusy && each.due <= now)
      .sort((a, b) => a.due - b.due);
    for (const each of due) {
      if (each.failures > 0 ? --freeForSilent < 0 : --free < 0) continue;
      this.#poll(each, interval);
    }
  }

  /** Takes over the servers that there are. New ones are spread over the interval. */
  #update(servers: readonly ObservedServer[], interval: number): void {
    const ids = new Set(servers.map(({ id }) => id));
    for (const id of this.#polled.keys()) if (!ids.has(id)) this.#polled.delete(id);
    this.#history.keepOnly(ids);
    const added = servers.filter(({ id, instance }) => this.#polled.get(id)?.instance !== instance);
    const now = performance.now();
    for (const [index, { id, instance }] of added.entries()) {
      this.#polled.set(id, {
        id,
        instance,
        due: now + Math.min(index * INTERVAL_PER_SERVER, interval),
        isBusy: false,
        failures: 0,
        modules: undefined,
        historyAsked: -Infinity,
        logged: 0,
      });
    }
  }

  async #poll(polled: Polled, interval: number): Promise<void> {
    polled.isBusy = true;
    try {
      await this.#ask(polled);
      polled.failures = 0;
      polled.due = performance.now() + interval;
    } catch (error) {
      if (!(error instanceof EnsembleError)) throw error;
      polled.failures++;
      const isRefused = error.code === "NOT_AUTHORIZED";
      const pause = isRefused
        ? REFUSED_PAUSE
        : Math.min(LONGEST_PAUSE, interval * 2 ** Math.min(polled.failures - 1, 5));
      polled.due = performance.now() + pause;
      this.#ensemble.setError(polled, shown(error.message));
    } finally {
      polled.isBusy = false;
    }
  }

  async #ask(polled: Polled): Promise<void> {
    const { id } = polled;
    await this.#access.elevate(id);
    const { actors } = this.#access;
    const options = { timeout: ANSWER_TIMEOUT };
    const status = await observerClient(actors, id).status({}, options);
    const at = Date.now();
    this.#ensemble.setStatus(polled, {
      status: observedStatus(status, at),
      deno: shown(status.deno),
    });
    // The difference between both clocks, and half of the way of the answer.
    const ahead = at - status.now;
    this.#ensemble.setConnections(id, await controlClient(actors, id).listConnections({}, options));
    await this.#askHistory(polled, { ahead, process: `${status.pid} ${status.host}` });
    await this.#askModules(polled, { status, ahead });
    await this.#askLog(polled, status);
  }

  async #askHistory(
    polled: Polled,
    { ahead, process }: { ahead: number; process: string },
  ): Promise<void> {
    const now = performance.now();
    if (now - polled.historyAsked < POINT_INTERVAL) return;
    polled.historyAsked = now;
    const since = polled.lastPoint;
    const points = await observerClient(this.#access.actors, polled.id).history(
      since === undefined ? {} : { since },
      { timeout: ANSWER_TIMEOUT },
    );
    polled.lastPoint = points.at(-1)?.at ?? since;
    const { id, instance } = polled;
    const own = points.map((point) => ({ ...point, at: point.at + ahead }));
    this.#history.add({ id, instance, process }, own);
  }

  /** Asks for the modules if a load has changed them, and notes what has changed. */
  async #askModules(
    polled: Polled,
    { status, ahead }: { status: ServerStatus; ahead: number },
  ): Promise<void> {
    const { loads } = status;
    if (JSON.stringify(polled.loads) === JSON.stringify(loads)) return;
    const isFirst = polled.modules === undefined;
    // A load that the server went back from does not count any more.
    const isBack = polled.loads !== undefined && loads.count < polled.loads.count;
    const answer = await observerClient(this.#access.actors, polled.id)
      .modules({}, { timeout: ANSWER_TIMEOUT });
    const before = new Map(polled.modules?.map((each) => [each.module, each]));
    polled.loads = loads;
    polled.modules = answer;
    const modules = answer.slice(0, MAX_MODULES).map(observedModule)
      .sort((a, b) => a.module < b.module ? -1 : 1);
    if (modules.length > 0 || !isFirst) this.#ensemble.setModules(polled, modules);
    const note = (change: "loaded" | "went back", { module, hash, at, by }: ModuleVersion) =>
      this.#ensemble.note({
        at: change === "loaded" ? Math.min(at + ahead, Date.now()) : Date.now(),
        server: polled.id,
        change,
        details: shown(`${module} ${hash.slice(0, 10)} by ${by}`),
      });
    if (isFirst) {
      for (const load of loads.last.toReversed()) note("loaded", load);
      return;
    }
    const changed = answer.filter(({ module, hash }) => before.get(module)?.hash !== hash);
    const present = new Set(answer.map(({ module }) => module));
    const removed = [...before.values()].filter(({ module }) => !present.has(module));
    for (const version of changed.slice(0, MAX_NOTED)) {
      note(isBack ? "went back" : "loaded", version);
    }
    for (const version of removed.slice(0, MAX_NOTED)) note("went back", version);
  }

  /** Reads the warnings of the log if there are new ones. */
  async #askLog(polled: Polled, { log }: ServerStatus): Promise<void> {
    if (!log) return;
    const logged = log.warnings + log.errors;
    if (logged === polled.logged) return;
    const { records, position } = await observerClient(this.#access.actors, polled.id).readLog({
      level: "warning",
      limit: MAX_RECORDS,
      ...polled.position && { after: polled.position },
    }, { timeout: ANSWER_TIMEOUT });
    // Otherwise there are more, which are read next time.
    if (records.length < MAX_RECORDS) polled.logged = logged;
    polled.position = position;
    const fresh = this.#unseen(position.log, records);
    this.#ensemble.addLogs(fresh.map((record) => observedRecord(polled.id, record)));
  }

  /** The records that no other server of the same process has given. */
  #unseen(log: string, records: readonly LoggedRecord[]): readonly LoggedRecord[] {
    const last = this.#logs.get(log) ?? 0;
    const fresh = records.filter(({ sequence }) => sequence > last);
    this.#logs.delete(log);
    this.#logs.set(log, fresh.at(-1)?.sequence ?? last);
    if (this.#logs.size > MAX_LOGS) {
      const [oldest] = this.#logs.keys();
      this.#logs.delete(oldest!);
    }
    return fresh;
  }
}

/** Whether a server is asked: the registry knows another registry only by its entry. */
function isAsked({ id, isRegistry }: ObservedServer): boolean {
  return !isRegistry || !id.includes(" ");
}
