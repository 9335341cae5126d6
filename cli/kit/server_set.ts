/**
 * A command's work in a set of servers: at the same time, with results in order as they come.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { onEndingSignal } from "../../runtime/home/signals.ts";
import { inParallel } from "../../runtime/parallel.ts";
import type {
  RegistryEntry,
  RegistryPage,
  ServerState,
} from "../../runtime/server/registry_protocol.ts";
import { Administrator } from "./administrator.ts";
import { explainFailure, watchSilence, withConsole } from "./console.ts";
import { type ClientOptions, type OutputOptions, RUNNING_STATES } from "./options.ts";
import { OrderedResults } from "./ordered_results.ts";
import { printError, printJson, printNotice } from "./output.ts";
import { clearProgress, ProgressLine } from "./progress.ts";
import type { PassphraseOptions } from "./prompts.ts";
import { formatNames } from "./quantities.ts";
import {
  AT_ONCE,
  type GroupServers,
  isSet,
  type ParallelOptions,
  type ServerSet,
} from "./server_set_options.ts";
import { findServers, listReached, onlyReached, reportStale } from "./servers.ts";

/** The context of a command's work in a server. */
export interface WorkContext {
  /** The actors of its console. */
  readonly actors: ActorSystem;
  /** Elevates the command where needed. */
  readonly administrator: Administrator;
}

/** Chooses the servers of a command once it has a console. */
export type ServerChoice = (context: WorkContext) => Promise<ServerSet>;

/** A command's work in each of its servers. */
export interface ServerWork<Result>
  extends ClientOptions, OutputOptions, PassphraseOptions, ParallelOptions {
  /** Whether to print the JSON of a single server on one line. */
  readonly oneLine?: boolean;
  /** The server to work in after all others. */
  readonly last?: string;
  /** The capability that the work requires, if any. */
  readonly capability?: string;
  /** Whether to report servers that stop answering during the work. */
  readonly isLong?: boolean;
  /** Whether the work shows its own progress. */
  readonly showsProgress?: boolean;
  /** Does the work in one server. */
  work(server: string, context: WorkContext): Promise<Result>;
  /** Prints a result. In a set of servers, each line begins with the label. */
  print(result: Result, label: string): void;
  /** Converts a result for JSON output. */
  toJson(result: Result): unknown;
}

/**
 * Does the same work in servers, through one console, and prints the results. A failure in one does
 * not stop the others, unless `failFast` is set.
 *
 * The result of a single named server is printed as it is. For a set, each line begins with the
 * server's id; as JSON, each line is `{ server, result }` or `{ server, error, code }`. Results come
 * in the order of the ids, except that none is held back for longer than a second.
 *
 * @throws {EnsembleError} the error of a single server; for a set, the number of failures, after
 * all are done.
 */
export async function inEachServer<Result>(
  given: ServerSet | GroupServers | ServerChoice,
  options: ServerWork<Result>,
): Promise<void> {
  await withConsole(options, async (actors, console) => {
    const context: WorkContext = { actors, administrator: new Administrator(console, options) };
    const work = async (server: string) => {
      const { capability, isLong } = options;
      if (capability === undefined) return await options.work(server, context);
      return await context.administrator.elevating(server, capability, async () => {
        using _watch = isLong ? watchSilence(actors, server, printNotice) : undefined;
        return await options.work(server, context);
      });
    };
    const set = typeof given === "function" ? await given(context) : given;
    const servers = await findSet(actors, set);
    if (isSet(set)) return await new WorkInSet(servers, { ...options, work }, context).run();
    const result = await work(servers[0]!);
    if (options.json) printJson(options.toJson(result), options);
    else options.print(result, "");
  });
}

/** The states of servers in a set: an unreachable one is named, and left out. */
const SOUGHT: readonly ServerState[] = [...RUNNING_STATES, "unreachable"];

/**
 * Finds the ids of a set of servers: as they are named, or of all that run, sorted. Reports the
 * unreachable ones, which are left out.
 *
 * @throws {EnsembleError} if none of the set runs.
 */
export async function findSet(
  actors: ActorSystem,
  set: ServerSet | GroupServers,
): Promise<readonly string[]> {
  if (set !== "all" && "ids" in set) return set.ids;
  if (set !== "all" && "group" in set) return await findOfGroup(actors, set);
  const entries = await (set === "all" ? findEvery(actors) : findOfRoles(actors, set.roles));
  const idsOf = (some: readonly RegistryEntry[]) => some.map(({ id }) => id).sort();
  const lost = idsOf(entries.filter(({ state }) => state === "unreachable"));
  const running = idsOf(entries.filter(({ state }) => state !== "unreachable"));
  const are = `${formatNames(lost)} ${lost.length === 1 ? "is" : "are"} unreachable`;
  if (running.length === 0) {
    const which = set === "all" ? "server" : `server with the role ${set.roles.join(" or ")}`;
    throw new EnsembleError(`no ${which} runs${lost.length > 0 ? `: ${are}` : ""}`);
  }
  if (lost.length > 0) printNotice(`${are}, and left out`);
  return running;
}

async function findEvery(actors: ActorSystem): Promise<RegistryEntry[]> {
  const onPage = (page: RegistryPage) => reportStale(actors, page);
  return await listReached(actors, { states: SOUGHT, onPage });
}

/** Finds the servers that are in the sought states and have members of a group. */
async function findOfGroup(
  actors: ActorSystem,
  set: GroupServers,
): Promise<readonly string[]> {
  const onPage = (page: RegistryPage) => reportStale(actors, page);
  const entries = await listReached(actors, { ...set, onPage });
  if (entries.length === 0) {
    const { noMember } = await import("./suggestions.ts");
    throw await noMember(actors, set);
  }
  return entries.map(({ id }) => id);
}

async function findOfRoles(
  actors: ActorSystem,
  roles: readonly string[],
): Promise<RegistryEntry[]> {
  const queries = roles.map((role) => ({ role, states: SOUGHT }));
  const { found, missing } = await findServers(actors, queries);
  if (missing[0]) throw missing[0];
  return await onlyReached(actors, found);
}

/** What came of the work in one server. */
type Outcome<Result> =
  | { readonly server: string; readonly result: Result }
  | { readonly server: string; readonly error: string; readonly code: string };

/** The code in JSON of a server in which the work was not started. */
const NOT_STARTED = "NOT_STARTED";

/** Work for longer than this shows its progress, and the interval in which it is drawn, in ms. */
const PROGRESS_DELAY = 1_000;

/** The same work, with its context. */
type WorkInOne<Result> = Omit<ServerWork<Result>, "work"> & {
  work(server: string): Promise<Result>;
};

/** One command's work in several servers. */
class WorkInSet<Result> {
  readonly #servers: readonly string[];
  readonly #options: WorkInOne<Result>;
  readonly #context: WorkContext;
  readonly #results: OrderedResults<Outcome<Result>>;
  readonly #progress = new ProgressLine();
  readonly #begun = new Set<string>();
  readonly #done = new Set<string>();
  readonly #failed: string[] = [];
  /** Whether progress is shown: the work has taken a while, and no prompt is open. */
  #isShown = false;

  constructor(
    servers: readonly string[],
    options: WorkInOne<Result>,
    context: WorkContext,
  ) {
    this.#servers = servers;
    this.#options = options;
    this.#context = context;
    this.#results = new OrderedResults(servers.length, (outcome) => this.#print(outcome));
  }

  /** Works in all servers, then throws if any failed. */
  async run(): Promise<void> {
    const { concurrency = AT_ONCE, last } = this.#options;
    using _results = this.#results;
    using _progress = this.#showProgress();
    using _interrupt = this.#onInterrupt();
    const numbered = this.#servers.map((server, index) => [server, index] as const);
    await inParallel(numbered.filter(([server]) => server !== last), {
      atOnce: concurrency,
      work: ([server, index]) => this.#workIn(server, index),
    });
    for (const [server, index] of numbered) {
      if (server === last) await this.#workIn(server, index);
    }
    this.#results.flush();
    if (this.#failed.length > 0) throw new EnsembleError(this.#describeFailures());
  }

  async #workIn(server: string, index: number): Promise<void> {
    if (this.#options.failFast && this.#failed.length > 0) {
      const error = `not started, since it failed in ${this.#failed[0]}`;
      return this.#results.add(index, { server, error, code: NOT_STARTED });
    }
    this.#begun.add(server);
    this.#results.add(index, await this.#outcomeIn(server));
    this.#done.add(server);
    this.#drawProgress();
  }

  async #outcomeIn(server: string): Promise<Outcome<Result>> {
    try {
      return { server, result: await this.#options.work(server) };
    } catch (error) {
      if (!(error instanceof EnsembleError)) throw error; // A bug of the command itself.
      const { message } = await explainFailure(error, this.#context.actors) as Error;
      this.#failed.push(server);
      printError(`${server}: ${message}`); // At once: a failure has to be seen.
      return { server, error: message, code: error.code };
    }
  }

  #print(outcome: Outcome<Result>): void {
    const { json, print, toJson } = this.#options;
    if (!json) {
      return "result" in outcome ? print(outcome.result, `${outcome.server}: `) : undefined;
    }
    const line = "result" in outcome ? { ...outcome, result: toJson(outcome.result) } : outcome;
    printJson(line, { oneLine: true });
  }

  #describeFailures(): string {
    const all = this.#servers.length;
    const those = new Set(this.#failed); // In the order in which they failed.
    const failed = this.#servers.filter((server) => those.has(server));
    const message = `failed in ${failed.length} of ${all} servers: ${formatNames(failed)}`;
    const left = this.#servers.filter((server) => !this.#begun.has(server));
    return left.length > 0
      ? `${message}; not started in ${left.length}: ${formatNames(left)}`
      : message;
  }

  /**
   * Shows how many servers are done, if the work takes longer than a moment. Draws that again at
   * intervals, since each result and notice clears it.
   */
  #showProgress(): Disposable {
    if (this.#options.showsProgress) return { [Symbol.dispose]() {} };
    const { administrator } = this.#context;
    const begin = () => {
      this.#isShown = true;
      this.#drawProgress();
    };
    let timer = setInterval(begin, PROGRESS_DELAY);
    administrator.runPrompt = async (prompt) => {
      clearInterval(timer);
      this.#isShown = false;
      clearProgress();
      try {
        return await prompt();
      } finally {
        timer = setInterval(begin, PROGRESS_DELAY);
      }
    };
    return {
      [Symbol.dispose]: () => {
        clearInterval(timer);
        this.#progress[Symbol.dispose]();
      },
    };
  }

  #drawProgress(): void {
    if (!this.#isShown) return;
    const failed = this.#failed.length > 0 ? `, ${this.#failed.length} failed` : "";
    this.#progress.show(`${this.#done.size} of ${this.#servers.length} servers${failed}`);
  }

  /** Before a signal such as Ctrl-C ends the command, prints what has come, and says what has not. */
  #onInterrupt(): Disposable {
    return onEndingSignal(() => {
      this.#results.flush();
      const open = [...this.#begun].filter((server) => !this.#done.has(server));
      printError(
        `interrupted: ${this.#done.size} of ${this.#servers.length} servers are done` +
          (open.length > 0 ? `; it may go on in ${formatNames(open)}` : ""),
      );
    });
  }
}
