/**
 * Roll-outs: loading a module into servers one after the other, with a check after each, and going
 * back everywhere when one fails.
 *
 * @module
 */
import type { LoadOutcome } from "../../runtime/code/unit_store.ts";
import type { Health } from "../../runtime/ensemble/loader_protocol.ts";
import { DisconnectedError, EnsembleError, TimeoutError } from "../../runtime/errors.ts";
import { sameInstance } from "../../runtime/server/credentials.ts";
import type { RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { operatorName } from "../kit/administrator.ts";
import { printError, printJson, printLine, printNotice } from "../kit/output.ts";
import type { ServerSet } from "../kit/server_set_options.ts";
import { goBackIn, printWentBack, type WentBack } from "./going_back.ts";
import { Interrupted, Interruption } from "./interruption.ts";
import { type Loader, LoaderSet, type LoaderSetOptions, type SetEntry } from "./loader_set.ts";
import { noticesOfFailures, shipUnits } from "./loading.ts";
import { type BuildingOptions, ProgramBuilds } from "./program_builds.ts";
import { RollOutLock } from "./roll_out_lock.ts";
import type { UnitTree } from "./unit_building.ts";

/** Options of {@linkcode rollOut}. */
export interface RollOutOptions extends LoaderSetOptions, BuildingOptions {
  /** The number of servers that load at the same time. */
  readonly batch: number;
  /** An expression that is truthy in a server that is well. Default: the exported `healthy()`. */
  readonly health?: string | undefined;
  /** How long a server may take to be well after the load, in ms. */
  readonly wait: number;
  /** Whether to go back in all servers when one fails. */
  readonly rollback: boolean;
  /** Whether servers load the module again when they start. */
  readonly keep: boolean;
  /** Whether to run the module again where it has been loaded before. */
  readonly rerun: boolean;
  /** Whether to print errors only. */
  readonly quiet: boolean;
}

/**
 * Loads a module into a set of servers: asks all of them first, sends them what they lack, and then
 * loads into one after the other.
 *
 * @param file a path or `file:` URL.
 * @throws {EnsembleError} if it was not loaded into all servers.
 */
export async function rollOut(
  set: ServerSet,
  file: string,
  options: RollOutOptions,
): Promise<void> {
  await LoaderSet.use(set, options, async (loaders) => {
    const entries = await loaders.find();
    await using lock = await RollOutLock.take(loaders, entries);
    const builds = new ProgramBuilds(file, options);
    await new RollOut({ loaders, lock, builds, options }).run(entries);
  });
}

/** How far a server has got. */
type Stage =
  /** It has not been asked to load. */
  | "waiting"
  /** It may have loaded. */
  | "begun"
  | "done"
  /** It was gone before its turn. */
  | "gone"
  | "failed";

/** A server of a roll-out. */
interface Target {
  readonly id: string;
  readonly entry: SetEntry;
  stage: Stage;
  /** Whether an earlier instance of it has loaded the version, which this one may have kept. */
  readonly hasLoaded: boolean;
  tree?: UnitTree;
  /** Whether all modules of the program were current before. */
  isCurrent?: boolean;
  outcomes?: LoadOutcome[];
  health?: Health["health"];
  error?: EnsembleError;
  back?: WentBack | undefined;
}

/** How long a server may take to answer what runs no code of the module, in ms. */
const PATIENCE = 30_000;

/** How often servers that have joined meanwhile are looked for. */
const MOST_ROUNDS = 10;

/** The shortest and the longest time between two health checks, in ms. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 1_000;

class RollOut {
  readonly #loaders: LoaderSet;
  readonly #lock: RollOutLock;
  readonly #builds: ProgramBuilds;
  readonly #options: RollOutOptions;
  readonly #id = crypto.randomUUID();
  readonly #by = operatorName();
  readonly #targets = new Map<string, Target>();
  /** Whether the notices about the program have been printed. */
  #isNoticed = false;
  /** Why servers that have joined meanwhile could not be looked for. */
  #notFound: EnsembleError | undefined;
  /** Whether it has ended early: what is under way must not change servers any more. */
  #isOver = false;

  constructor(
    { loaders, lock, builds, options }: {
      loaders: LoaderSet;
      lock: RollOutLock;
      builds: ProgramBuilds;
      options: RollOutOptions;
    },
  ) {
    this.#loaders = loaders;
    this.#lock = lock;
    this.#builds = builds;
    this.#options = options;
  }

  /** Rolls out to servers, and to those that join them meanwhile. */
  async run(entries: readonly SetEntry[]): Promise<void> {
    using interruption = new Interruption();
    const unreachable = await this.#loaders.unreachable();
    if (unreachable.length > 0) {
      this.#notice(`... left out, since they cannot be reached: ${unreachable.join(", ")}`);
    }
    try {
      await this.#rollOutTo(entries, interruption);
      for (let round = 0; round < MOST_ROUNDS; round++) {
        const joined = await this.#findJoined();
        if (joined.length === 0) break;
        const names = joined.map(({ id }) => id).join(", ");
        this.#notice(`... joined or restarted meanwhile: ${names}`);
        await this.#lock.extend(joined);
        await this.#rollOutTo(joined, interruption);
      }
    } catch (error) {
      this.#isOver = true;
      interruption.finish();
      await this.#end(error);
    }
    this.#printJson();
    this.#summarize();
  }

  get #timeout(): number {
    return this.#options.timeout ?? PATIENCE;
  }

  /** The servers that have got so far. */
  #at(...stages: Stage[]): Target[] {
    return [...this.#targets.values()].filter(({ stage }) => stages.includes(stage));
  }

  async #rollOutTo(entries: readonly SetEntry[], interruption: Interruption): Promise<void> {
    for (const entry of entries) {
      const { id } = entry;
      const before = this.#targets.get(id);
      const hasLoaded = before?.hasLoaded || before?.outcomes !== undefined;
      this.#targets.set(id, { id, entry, stage: "waiting", hasLoaded });
    }
    const during = <Result>(step: Promise<Result>) =>
      interruption.during(this.#whileLocked(step), () => {
        const has = this.#at("begun", "done").filter((target) => !target.isCurrent).length;
        return `${has} of ${this.#targets.size} servers have the new version`;
      });
    await during(this.#askAll());
    const waiting = this.#at("waiting");
    if (this.#isDone(waiting)) return;
    for (let first = 0; first < waiting.length; first += this.#options.batch) {
      const batch = waiting.slice(first, first + this.#options.batch);
      const installed = await during(Promise.all(batch.map((target) => this.#install(target))));
      if (installed.includes(false)) throw new EnsembleError("a server failed");
    }
  }

  /** Waits for a step, unless the lock is lost. */
  async #whileLocked<Result>(step: Promise<Result>): Promise<Result> {
    const { lost } = this.#lock;
    const { promise, reject } = Promise.withResolvers<never>();
    const fail = () => reject(lost.reason);
    if (lost.aborted) fail();
    lost.addEventListener("abort", fail);
    try {
      return await Promise.race([step, promise]);
    } finally {
      lost.removeEventListener("abort", fail);
    }
  }

  /** Asks all servers that wait whether they would load, and sends them what they lack. */
  async #askAll(): Promise<void> {
    const waiting = this.#at("waiting");
    const ids = waiting.map(({ id }) => id);
    const outcomes = await this.#loaders.each(
      ids,
      (loader, id) => this.#prepare(loader, this.#targets.get(id)!),
    );
    const refusing = waiting.filter(({ id }) => outcomes.get(id)!.error);
    for (const target of refusing) this.#fail(target, outcomes.get(target.id)!.error!);
    if (refusing.length > 0) {
      throw new EnsembleError(`${refusing.length} of ${ids.length} servers cannot load it`);
    }
    if (this.#isNoticed) return;
    this.#isNoticed = true;
    for (const notice of noticesOfFailures(waiting[0]!.tree!)) this.#notice(`... ${notice}`);
  }

  /** Asks a server whether it would load, and sends it what it lacks. */
  async #prepare(loader: Loader, target: Target): Promise<void> {
    const timeout = this.#timeout;
    const tree = target.tree ?? await this.#builds.for(loader, timeout);
    const { units, request } = tree;
    const { entry, modules, libraries } = request;
    const hashes = units.map(({ hash }) => hash);
    const bytes = units.reduce((sum, { text }) => sum + text.length, 0);
    const prepared = { entry, modules, libraries, hashes, bytes };
    const { missing, isCurrent } = await loader.prepare(prepared, { timeout });
    await shipUnits(loader, tree, { missing, timeout });
    target.tree = tree;
    target.isCurrent = isCurrent;
  }

  /** Loads into a server, and checks it. Returns whether to go on. */
  async #install(target: Target): Promise<boolean> {
    try {
      await this.#prepareAgain(target);
      await this.#loaders.in(target.id, (loader) => this.#load(loader, target));
      target.stage = "done";
      this.#print(target);
      return true;
    } catch (error) {
      if (!(error instanceof EnsembleError)) throw error;
      if (this.#isOver) return false;
      if (target.stage === "waiting" && await this.#isGone(target, error)) {
        target.stage = "gone";
        target.error = error;
        printError(`${this.#loaders.label(target.id)}left out, since it is gone: ${error.message}`);
        return true;
      }
      this.#fail(target, await this.#loaders.explain(error));
      return false;
    }
  }

  /** Prepares a server again, which may have been restarted since. */
  async #prepareAgain(target: Target): Promise<void> {
    const prepare = () => this.#loaders.in(target.id, (loader) => this.#prepare(loader, target));
    try {
      await prepare();
    } catch (error) {
      if (!(error instanceof DisconnectedError)) throw error;
      await prepare();
    }
  }

  async #load(loader: Loader, target: Target): Promise<void> {
    const { rerun, keep, timeout = Infinity } = this.#options;
    const { request } = target.tree!;
    const load = { ...request, by: this.#by, id: this.#id };
    this.#requireOpen();
    if (!target.isCurrent || rerun) {
      target.stage = "begun";
      const outcomes = await loader.load(
        { ...load, rerunRestored: true, ...rerun && { rerun } },
        { timeout },
      );
      target.outcomes = outcomes;
    }
    target.health = await this.#check(loader, moduleOf(target));
    this.#requireOpen();
    if (keep) await loader.keep(load, { timeout: this.#timeout });
  }

  /** Waits until a server is well. */
  async #check(loader: Loader, module: string): Promise<Health["health"]> {
    const { health: expression, wait } = this.#options;
    const until = performance.now() + wait;
    for (let pause = FIRST_PAUSE;; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      const timeout = Math.max(until - performance.now(), LONGEST_PAUSE);
      const { health, reason } = await loader.health({ module, expression }, { timeout });
      if (health !== "ill") return health;
      this.#requireOpen();
      if (performance.now() + pause > until) {
        throw new EnsembleError(`not well within ${wait / 1000} s: ${reason}`);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  #requireOpen(): void {
    if (this.#isOver) throw new EnsembleError("the roll-out has ended");
  }

  /** Whether a server that could not be reached has ended, or cannot be reached by the registry. */
  async #isGone({ id, entry }: Target, error: EnsembleError): Promise<boolean> {
    if (!(error instanceof DisconnectedError) || !entry.instance) return false;
    let now: RegistryEntry | undefined;
    try {
      now = await this.#loaders.lookup(id);
    } catch (error) {
      if (isNoAnswer(error)) return false;
      throw error;
    }
    return !now || now.state === "unreachable" || !sameInstance(now.instance, entry.instance);
  }

  /** As `#joined`, but none while the registry does not answer: that is no failure of a server. */
  async #findJoined(): Promise<SetEntry[]> {
    try {
      return await this.#joined();
    } catch (error) {
      if (!isNoAnswer(error)) throw error;
      this.#notFound = error;
      return [];
    }
  }

  /** The servers of the set that are new since it was found. */
  async #joined(): Promise<SetEntry[]> {
    if (this.#at("done").length === 0) return [];
    return (await this.#loaders.find()).filter(({ id, instance }) => {
      const known = this.#targets.get(id);
      if (!known || !instance) return !known;
      return !known.entry.instance || !sameInstance(known.entry.instance, instance);
    });
  }

  #fail(target: Target, error: EnsembleError): void {
    target.stage = target.stage === "begun" ? "begun" : "failed";
    target.error = error;
    printError(`${this.#loaders.label(target.id)}${error.message}`);
  }

  /** Ends a roll-out that did not succeed. */
  async #end(error: unknown): Promise<never> {
    if (!(error instanceof EnsembleError || error instanceof Interrupted)) throw error;
    const begun = [...this.#targets.values()].filter((target) =>
      target.stage === "begun" || target.outcomes || target.hasLoaded && target.tree
    );
    const isLost = this.#lock.lost.aborted;
    const goesBack = error instanceof Interrupted
      ? error.decision === "go back"
      : this.#options.rollback && !isLost;
    const failed = [...this.#targets.values()].filter(({ error }) => error);
    const why = isLost
      ? (this.#lock.lost.reason as Error).message
      : error instanceof Interrupted
      ? "interrupted"
      : failed.length > 0
      ? `failed in ${failed.map(({ id }) => id).join(", ")}`
      : error.message;
    if (begun.length === 0) {
      this.#printJson();
      throw new EnsembleError(`${why}; nothing was changed`);
    }
    if (!goesBack) {
      this.#printJson();
      throw new EnsembleError(
        `${why}; ${begun.length} of ${this.#targets.size} servers have the new version: ` +
          "to go on, load it again; to go back, use load --rollback",
      );
    }
    this.#notice(`... going back in ${begun.length} of ${this.#targets.size} servers`);
    const left = await this.#goBack(begun);
    this.#printJson();
    const result = begun.every(({ back, error }) => error && !back) && left.length === 0
      ? "nothing was changed"
      : left.length === 0
      ? `${begun.length === 1 ? "it is" : `all ${begun.length} are`} back`
      : `not back: ${left.join(", ")}`;
    const others = this.#at("done").filter((target) => !begun.includes(target)).length;
    const kept = others > 0 ? `; ${others} had it before, and still do` : "";
    throw new EnsembleError(`${why}; ${result}${kept}`);
  }

  /** Goes back in servers. Returns the ids of those that are not back. */
  async #goBack(begun: readonly Target[]): Promise<string[]> {
    const { timeout, quiet, json } = this.#options;
    const outcomes = await this.#loaders.each(begun.map(({ id }) => id), (loader, id) => {
      const module = moduleOf(this.#targets.get(id)!);
      return goBackIn(loader, { id: this.#id, module, timeout });
    });
    return begun.flatMap((target) => {
      const { id } = target;
      const label = this.#loaders.label(id);
      const { result, error } = outcomes.get(id)!;
      target.back = result;
      if (error) {
        printError(`${label}did not go back: ${error.message}`);
        target.error ??= error;
        return [id];
      }
      if (!result) {
        if (!quiet && !json) printLine(`${label}unchanged`);
        return [];
      }
      if (!quiet && !json || !result.isBack) printWentBack(result, label);
      return result.isBack ? [] : [id];
    });
  }

  /** Whether all servers have the module already, and nothing is to be checked or kept there. */
  #isDone(waiting: readonly Target[]): boolean {
    const { rerun, keep, health } = this.#options;
    if (rerun || waiting.length === 0 || !waiting.every(({ isCurrent }) => isCurrent)) return false;
    const { request } = waiting[0]!.tree!;
    const count = waiting.length === 1 ? waiting[0]!.id : `all ${waiting.length} servers`;
    this.#notice(
      `... nothing to load: ${count} run${waiting.length === 1 ? "s" : ""} ` +
        `${moduleOf(waiting[0]!)} ${request.entry} already`,
    );
    return !keep && health === undefined && waiting.every((target) => {
      target.stage = "done";
      return true;
    });
  }

  #notice(text: string): void {
    if (!this.#options.quiet) printNotice(text);
  }

  #print(target: Target): void {
    const { quiet, json, keep } = this.#options;
    if (quiet || json) return;
    const parts = [
      `${verbOf(target)} ${moduleOf(target)} ${target.tree!.request.entry}`,
      ...target.health === "well" ? ["well"] : [],
      ...keep ? ["kept"] : [],
    ];
    printLine(this.#loaders.label(target.id) + parts.join(", "));
  }

  #printJson(): void {
    const { quiet, json, keep } = this.#options;
    if (!json || quiet) return;
    for (const target of [...this.#targets.values()].sort((a, b) => a.id < b.id ? -1 : 1)) {
      const { id: server, stage, error, back, health, outcomes = [] } = target;
      const modules = back?.modules ?? outcomes;
      if (error || stage !== "done") {
        const { message, code } = error ?? { message: "it was not its turn", code: "NOT_STARTED" };
        printJson({ server, error: message, code, modules }, { oneLine: true });
      } else {
        const state = back ? "back" : target.isCurrent ? "already" : "loaded";
        const result = { state, hash: target.tree!.request.entry, health, kept: keep, modules };
        printJson({ server, result }, { oneLine: true });
      }
    }
  }

  /** Says how many servers have the version, if that are not all, or it is not known. */
  #summarize(): void {
    const gone = this.#at("gone");
    if (gone.length === 0 && !this.#notFound) return;
    const parts = [`${this.#at("done").length} of ${this.#targets.size} servers have it`];
    if (gone.length > 0) parts.push(`gone meanwhile: ${gone.map(({ id }) => id).join(", ")}`);
    if (this.#notFound) {
      parts.push(
        "servers that joined or restarted meanwhile may not, since they could not be looked for: " +
          this.#notFound.message,
      );
    }
    throw new EnsembleError(parts.join("; "));
  }
}

/** Whether an error says that the registry did not answer. */
function isNoAnswer(error: unknown): error is EnsembleError {
  return error instanceof DisconnectedError || error instanceof TimeoutError;
}

/** The module id of the entry of a target's program. */
function moduleOf({ tree }: Target): string {
  const { entry, modules } = tree!.request;
  return modules.find(({ hash }) => hash === entry)!.module;
}

function verbOf({ outcomes, tree }: Target): string {
  const outcome = outcomes?.find(({ hash }) => hash === tree!.request.entry);
  if (!outcome) return "already has";
  if (outcome.rerun) return outcome.restored ? "made current again and ran" : "ran again";
  if (outcome.restored) return "made current again";
  return outcome.loaded ? "loaded" : "loaded modules below";
}
