/**
 * A whole ensemble in one terminal, which follows the changes of its files.
 *
 * @module
 */
import { relative } from "node:path";
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { onHangup, onSignal } from "../../runtime/home/signals.ts";
import { hasReader } from "../../runtime/home/standard_stream.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { registryClient } from "../../runtime/server/registry_protocol.ts";
import { withConsole } from "../kit/console.ts";
import { ownCommand } from "../kit/own_command.ts";
import { usesColors } from "../kit/output.ts";
import { codeFrame, positionIn } from "./code_frame.ts";
import { DevelopmentProcess, type ExitStatus } from "./development_process.ts";
import { DevelopmentServer, type Surroundings } from "./development_server.ts";
import { DevelopmentState } from "./development_state.ts";
import { EnsembleOutput } from "./ensemble_output.ts";
import { FileWatch, fingerprint } from "./file_watch.ts";
import { formatChangedFiles, formatElapsed, formatIds } from "./formats.ts";
import type { PlannedServer } from "./planned_server.ts";
import { ProcessKeeper } from "./process_keeper.ts";
import { ownsTerminal, TerminalKeys } from "./terminal_keys.ts";
import { changedFiles, isSameProgram, WatchedProgram } from "./watched_program.ts";

/** How the registry is stopped. */
const REGISTRY_STOP = { signal: "SIGTERM", killAfter: 5_000 } as const;

/** The delay between questions to a registry that starts, in ms. */
const REGISTRY_DELAY = 20;

/** The servers that are started, stopped or loaded into at the same time. */
const CONCURRENCY = 8;

/** How long a server may be starting, in ms, until others are started that do not need it. */
const SLOW_START = 2_000;

/** What to run, and how. */
export interface DevelopmentOptions {
  /** The directory of the state. */
  readonly directory: string;
  /** Finds the servers to run. It is called again when one of {@linkcode DevelopmentPlan.files} changes. */
  readonly plan: () => Promise<DevelopmentPlan>;
  /** Whether a change restarts servers, also where a load would do. */
  readonly restart: boolean;
  /** The options of the registry. */
  readonly registryOptions: readonly string[];
}

/** The servers to run, and where they are described. */
export interface DevelopmentPlan {
  readonly servers: readonly PlannedServer[];
  /** The files that say so. */
  readonly files: readonly string[];
  /** Why there are no servers to run, until the files change; absent if nothing is wrong. */
  readonly error?: string;
}

/**
 * Runs the registry and servers, and follows the changes of their files, until it is stopped.
 *
 * @returns the exit code.
 * @throws {EnsembleError} if the state cannot be used, or the registry does not start.
 */
export async function develop(options: DevelopmentOptions): Promise<number> {
  const plan = await options.plan();
  using state = await DevelopmentState.open(options.directory);
  await using keeper = new ProcessKeeper(state.sockets);
  const output = new EnsembleOutput();
  const command = await ownCommand();
  const env: Record<string, string> = usesColors() ? { FORCE_COLOR: "1" } : {};
  const surroundings = { command, env, keeper, output };
  return await withConsole({ log: "error", registry: [] }, async (actors, console) => {
    const development = new Development(options, { plan, state, surroundings, actors });
    return await development.run(console);
  });
}

/** The running ensemble. */
class Development {
  readonly #options: DevelopmentOptions;
  readonly #state: DevelopmentState;
  readonly #surroundings: Surroundings;
  readonly #output: EnsembleOutput;
  readonly #actors: ActorSystem;
  readonly #watch: FileWatch;
  readonly #programs = new Map<string, WatchedProgram>();
  readonly #servers = new Map<string, DevelopmentServer>();
  readonly #failures = new Map<string, string>();
  readonly #executables = new Map<string, string>();
  readonly #end = Promise.withResolvers<number>();
  #plan: DevelopmentPlan;
  #planMarks = "";
  /** What is wrong with the newest plan, so that the one before applies. */
  #planError: string | undefined;
  /** The files of the newest plan, if it is wrong: it may be right when one of them changes. */
  #wrongFiles: readonly string[] = [];
  /** The servers to start as soon as those are up that they need. */
  readonly #wanted = new Set<DevelopmentServer>();
  #startTimer: ReturnType<typeof setTimeout> | undefined;
  #registry: DevelopmentProcess | undefined;
  #isEnding = false;
  /** The work under way: one change after the other. */
  #work: Promise<void> = Promise.resolve();
  /** Whether a change waits that the next work will see. */
  #isNoted = false;

  constructor(
    options: DevelopmentOptions,
    { plan, state, surroundings, actors }: {
      plan: DevelopmentPlan;
      state: DevelopmentState;
      surroundings: Surroundings;
      actors: ActorSystem;
    },
  ) {
    this.#options = options;
    this.#plan = plan;
    this.#state = state;
    this.#surroundings = surroundings;
    this.#output = surroundings.output;
    this.#actors = actors;
    this.#watch = new FileWatch(
      () => this.#noteChange(),
      ({ message }) =>
        this.#output.complain(
          `cannot watch files: ${message}; restart servers with r, or raise the system's limit ` +
            "(fs.inotify.max_user_watches on Linux)",
        ),
    );
  }

  async run(console: ActorServer): Promise<number> {
    using listeners = new DisposableStack();
    this.#listen(listeners);
    listeners.use(this.#watch);
    try {
      this.#output.add([REGISTRY_ID, ...this.#plan.servers.map(({ id }) => id)]);
      await Promise.race([this.#startRegistry(), this.#end.promise]);
      const over = new AbortController();
      listeners.defer(() => over.abort());
      if (!this.#isEnding) {
        void this.#followRegistry(console, over.signal);
        this.#introduce();
        this.#queue(() => this.#takePlan(this.#plan));
        listeners.use(new TerminalKeys((key) => this.#onKey(key)));
      }
      return await this.#end.promise;
    } finally {
      await this.#stopAll();
    }
  }

  #listen(listeners: DisposableStack): void {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      listeners.use(onSignal(signal, () => this.#stopOrKill()));
    }
    // Both the kernel and the shell send it when a terminal closes. The second one is not impatience.
    listeners.use(onHangup("end", () => this.#finish(0)));
    // When the reader of a pipe has gone, as in `dev | head`, no one sees what changes.
    const timer = setInterval(() => hasReader() || this.#finish(0), 1_000);
    listeners.defer(() => clearInterval(timer));
  }

  #stopOrKill(): void {
    if (!this.#isEnding) return this.#finish(0);
    for (const server of this.#servers.values()) server.kill();
    this.#registry?.kill();
  }

  #finish(code: number): void {
    this.#isEnding = true;
    this.#end.resolve(code);
  }

  async #startRegistry(): Promise<void> {
    const { command, env, keeper } = this.#surroundings;
    const args = [...command.args, "registry", ...this.#options.registryOptions];
    const process = new DevelopmentProcess({
      command: { ...command, args, env: { ...env, ...command.env } },
      cwd: Deno.cwd(),
      keeper,
      print: (lines) => this.#output.printProcess(REGISTRY_ID, lines),
    });
    this.#registry = process;
    let end: ExitStatus | undefined;
    const ended = process.ended.then((status) => end = status);
    while (end === undefined && !this.#isEnding) {
      try {
        await registryClient(this.#actors).lookup({ id: REGISTRY_ID });
        break;
      } catch {
        await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, REGISTRY_DELAY))]);
      }
    }
    if (end !== undefined && !this.#isEnding) {
      throw new EnsembleError(`the registry has not started: ${describeEnd(end)}`);
    }
    void ended.then((status) => {
      if (this.#isEnding || process.isAsked) return;
      this.#output.complain(`the registry has ended: ${describeEnd(status)}; it starts again`);
      this.#startRegistry().catch(({ message }) => {
        this.#output.complain(message);
        this.#finish(1);
      });
    });
  }

  #introduce(): void {
    const state = relative(Deno.cwd(), this.#state.directory);
    const directory = state === "" || state.startsWith("..") ? this.#state.directory : state;
    this.#output.say(
      `other commands reach this ensemble with -G: gxensemble -G ${directory} list-servers`,
    );
    const [first] = this.#plan.servers;
    if (first) this.#output.say(`a REPL: gxensemble -G ${directory} repl ${first.id}`);
    if (ownsTerminal()) this.#output.say(KEYS);
  }

  /** Follows which servers are up. */
  async #followRegistry(console: ActorServer, signal: AbortSignal): Promise<void> {
    for await (const { id, entry } of console.view.watch({}, { signal })) {
      const server = this.#servers.get(id);
      if (entry?.state !== "up" || !server?.becomeUp(entry.pid)) continue;
      const again = server.starts > 1 ? "is up again" : "is up";
      this.#output.say(`${id} ${again} (${formatElapsed(server.age)})`);
      this.#startWanted();
    }
  }

  #onKey(key: string): void {
    switch (key) {
      case "r":
        return this.#queue(() => this.#restartAll());
      case "s":
        return this.#showServers();
      case "q":
        return this.#stopOrKill();
      case "\r":
      case "\n":
        return this.#output.say("");
      default:
        return this.#output.say(KEYS);
    }
  }

  #showServers(): void {
    for (const server of this.#servers.values()) {
      const { id, state, pid, starts } = server;
      const lacked = this.#wanted.has(server) ? this.#lackedBy(server) : [];
      const what = pid === undefined
        ? lacked.length > 0 ? `waits for ${formatIds(lacked)}` : state
        : `${state}, process ${pid}, for ${formatElapsed(server.age)}`;
      this.#output.say(`${id}: ${what}, started ${starts === 1 ? "once" : `${starts} times`}`);
    }
  }

  #noteChange(): void {
    if (this.#isNoted) return;
    this.#isNoted = true;
    this.#queue(async () => {
      this.#isNoted = false;
      await this.#followChange();
    });
  }

  /** Does work after what is under way. */
  #queue(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (!this.#isEnding) await work();
    }).catch((error) => {
      if (!this.#isEnding) this.#output.complain((error as Error).message);
    });
  }

  /** Plans anew, if the files of the plan have changed, or the newest plan is wrong. */
  async #replan(): Promise<void> {
    const marks = marksOf(this.#plan.files);
    if (marks === this.#planMarks && this.#planError === undefined) return;
    this.#planMarks = marks;
    try {
      await this.#takePlan(await this.#options.plan());
    } catch (error) {
      this.#refusePlan((error as Error).message);
    }
  }

  async #takePlan(plan: DevelopmentPlan): Promise<void> {
    this.#wrongFiles = plan.error === undefined ? [] : plan.files;
    if (plan.error !== undefined) {
      this.#refusePlan(plan.error);
      return this.#watchFiles();
    }
    this.#planError = undefined;
    await this.#applyPlan(plan);
  }

  /** Says once what is wrong with a plan. */
  #refusePlan(message: string): void {
    if (message === this.#planError) return;
    this.#planError = message;
    const position = positionIn(message);
    const frame = position ? codeFrame(position) : [];
    const key = ownsTerminal() ? ", or with r" : "";
    const what = this.#servers.size > 0
      ? "the servers run as before"
      : `the servers start when that has changed${key}`;
    this.#output.complain([message, ...frame, what].join("\n"));
  }

  /** Starts the servers of a plan, and those anew that differ. Stops those that it does not have. */
  async #applyPlan(plan: DevelopmentPlan): Promise<void> {
    const { servers } = plan;
    this.#output.add(servers.map(({ id }) => id));
    const planned = new Map(servers.map((server) => [server.id, JSON.stringify(server)]));
    const former = [...this.#servers.values()].filter((server) =>
      planned.get(server.id) !== JSON.stringify(server.plan)
    );
    const isFirst = this.#servers.size === 0;
    const replaced = new Set(former.map(({ id }) => id));
    await this.#stopServers(former);
    for (const { id } of former) {
      this.#servers.delete(id);
      if (!planned.has(id)) this.#output.say(`${id} has stopped: it is no longer described`);
    }
    const kept = new Set(this.#servers.keys());
    this.#plan = plan;
    this.#planMarks = marksOf(plan.files);
    for (const each of servers) {
      if (kept.has(each.id)) continue;
      const program = each.program.kind === "module"
        ? await this.#programOf(each.program.path)
        : undefined;
      this.#servers.set(
        each.id,
        new DevelopmentServer(each, {
          program,
          surroundings: this.#surroundings,
          onEnd: (server, end) => this.#onServerEnd(server, end),
        }),
      );
      if (isFirst) continue;
      this.#output.say(
        replaced.has(each.id)
          ? `restarting ${each.id}: its description has changed`
          : `starting ${each.id}, which is new`,
      );
    }
    const used = new Set(servers.map(({ program }) => program.path));
    for (const path of this.#programs.keys()) if (!used.has(path)) this.#programs.delete(path);
    this.#watchFiles();
    const added = servers.flatMap(({ id }) => kept.has(id) ? [] : this.#servers.get(id)!);
    this.#start(added);
  }

  async #programOf(path: string): Promise<WatchedProgram> {
    let program = this.#programs.get(path);
    if (!program) {
      program = new WatchedProgram(path);
      this.#programs.set(path, program);
      await program.read();
      this.#reportProgram(program);
    }
    return program;
  }

  /** Says once why a program cannot be used. */
  #reportProgram({ path, reading }: WatchedProgram): void {
    const message = reading?.error?.message;
    const before = this.#failures.get(path);
    if (message === undefined) {
      this.#failures.delete(path);
      return;
    }
    this.#failures.set(path, message);
    if (message === before) return;
    const frame = codeFrame(reading!.error!.location);
    const name = relative(Deno.cwd(), path);
    const users = [...this.#servers.values()].filter(({ program }) => program?.path === path);
    const running = users.filter(({ state }) => state !== "down");
    const what = running.length > 0
      ? `${formatIds(running.map(({ id }) => id))} keep${
        running.length > 1 ? "" : "s"
      } running the earlier version`
      : `${name} starts when a file has changed`;
    this.#output.complain([message, ...frame, what].join("\n"));
  }

  /** Starts servers, each when those are up that it needs. */
  #start(servers: readonly DevelopmentServer[]): void {
    for (const server of servers) this.#wanted.add(server);
    this.#startWanted();
  }

  /** Starts those that can be started now. The rest follows when others are up. */
  #startWanted(): void {
    clearTimeout(this.#startTimer);
    for (const server of this.#wanted) {
      if (this.#isEnding) return;
      if (server.state !== "down" || server.program?.reading?.error) {
        this.#wanted.delete(server);
        continue;
      }
      if (this.#lackedBy(server).length > 0) continue;
      const starting = [...this.#servers.values()].filter(({ state, age }) =>
        state === "starting" && age < SLOW_START
      );
      if (starting.length >= CONCURRENCY) {
        this.#startTimer = setTimeout(() => this.#startWanted(), SLOW_START);
        return;
      }
      this.#wanted.delete(server);
      server.start();
      // One that is no server is up at once.
      if (server.plan.program.kind === "plain") return this.#startWanted();
    }
  }

  /** The ids of the servers that have to be up before one is started. */
  #lackedBy({ plan }: DevelopmentServer): string[] {
    return plan.after.filter((id) => {
      const other = this.#servers.get(id);
      return other !== undefined && other.state !== "up";
    });
  }

  /** Stops servers, each before those that it needs. */
  async #stopServers(servers: readonly DevelopmentServer[]): Promise<void> {
    for (const server of servers) this.#wanted.delete(server);
    const stopping = new Map<string, Promise<void>>();
    const stop = (server: DevelopmentServer): Promise<void> => {
      const known = stopping.get(server.id);
      if (known) return known;
      const done = (async () => {
        const users = servers.filter((each) =>
          each !== server && each.plan.after.includes(server.id)
        );
        await Promise.all(users.map(stop));
        await server.stop();
      })();
      stopping.set(server.id, done);
      return done;
    };
    await Promise.all(servers.map(stop));
  }

  async #restart(servers: readonly DevelopmentServer[]): Promise<void> {
    await this.#stopServers(servers);
    this.#start(servers);
  }

  async #restartAll(): Promise<void> {
    const hadServers = this.#servers.size > 0;
    await this.#replan();
    // Those that have only now been described start by themselves.
    if (!hadServers) return;
    for (const program of this.#programs.values()) {
      await program.read();
      this.#reportProgram(program);
    }
    this.#watchFiles();
    const servers = [...this.#servers.values()].filter(({ program }) => !program?.reading?.error);
    this.#output.say(`restarting ${formatIds(servers.map(({ id }) => id))}`);
    await this.#restart(servers);
  }

  #onServerEnd({ id, program, failure }: DevelopmentServer, end: ExitStatus): void {
    if (this.#isEnding) return;
    this.#startWanted();
    if (end.code !== 0 && failure) {
      const frame = codeFrame(failure);
      if (frame.length > 0) this.#output.complain(frame.join("\n"));
    }
    const key = ownsTerminal() ? ", or with r" : "";
    const file = program ? "" : " of its description";
    this.#output.complain(
      `${id} has ended: ${describeEnd(end)}; it starts again when a file${file} has changed${key}`,
    );
  }

  /** Finds what has changed on disk, and has the servers follow. */
  async #followChange(): Promise<void> {
    await this.#replan();
    for (const program of this.#programs.values()) await this.#followProgram(program);
    await this.#followExecutables();
    this.#watchFiles();
  }

  async #followProgram(program: WatchedProgram): Promise<void> {
    const before = program.reading;
    const began = performance.now();
    const { version } = await program.read();
    this.#reportProgram(program);
    if (!version) return;
    const users = [...this.#servers.values()].filter((server) => server.program === program);
    const down = users.filter((server) => server.state === "down" && !this.#wanted.has(server));
    const running = users.filter(({ state, version: own }) =>
      state !== "down" && !(own && isSameProgram(own, version))
    );
    if (running.length === 0 && down.length === 0) {
      if (before?.error) this.#output.say("the program is as it was before the error");
      return;
    }
    const [reference] = running;
    const files = reference?.version ? changedFiles(reference.version, version) : [];
    const what = formatChangedFiles(files);
    const reasons = new Map<string, DevelopmentServer[]>();
    const loading = new Map<DevelopmentServer, readonly string[]>();
    for (const server of running) {
      const plan = this.#options.restart
        ? { kind: "restart" as const, reason: "" }
        : server.planFor(version);
      if (plan.kind === "load") loading.set(server, plan.modules);
      else reasons.set(plan.reason, [...reasons.get(plan.reason) ?? [], server]);
    }
    const failed = await this.#load(loading, { version, what, began });
    for (const [reason, servers] of reasons) {
      const why = reason === "" ? "" : `: ${reason}`;
      this.#output.say(
        `${what} changed: restarting ${formatIds(servers.map(({ id }) => id))}${why}`,
      );
    }
    const restarting = [...reasons.values().flatMap((servers) => servers), ...failed];
    if (down.length > 0) {
      this.#output.say(`starting ${formatIds(down.map(({ id }) => id))}`);
    }
    await this.#restart([...restarting, ...down]);
  }

  /** Loads into servers. Returns those in which it failed. */
  async #load(
    loading: ReadonlyMap<DevelopmentServer, readonly string[]>,
    { version, what, began }: {
      version: NonNullable<DevelopmentServer["version"]>;
      what: string;
      began: number;
    },
  ): Promise<DevelopmentServer[]> {
    if (loading.size === 0) return [];
    const done: DevelopmentServer[] = [];
    const failures = new Map<string, DevelopmentServer[]>();
    const pending = [...loading];
    await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
      for (let next = pending.shift(); next && !this.#isEnding; next = pending.shift()) {
        const [server, modules] = next;
        try {
          await server.load(version, { modules, actors: this.#actors });
          done.push(server);
        } catch (error) {
          const { message } = error as Error;
          failures.set(message, [...failures.get(message) ?? [], server]);
        }
      }
    }));
    if (this.#isEnding) return [];
    if (done.length > 0) {
      const ids = formatIds(done.map(({ id }) => id).sort());
      this.#output.say(
        `loaded ${what} into ${ids} in ${formatElapsed(performance.now() - began)}`,
      );
    }
    for (const [message, servers] of failures) {
      const position = positionIn(message);
      const frame = position ? codeFrame(position) : [];
      const ids = formatIds(servers.map(({ id }) => id));
      this.#output.complain(
        [message, ...frame, `restarting ${ids}, since the load failed`].join("\n"),
      );
    }
    return [...failures.values()].flat();
  }

  /** Restarts the servers whose executable is another one. */
  async #followExecutables(): Promise<void> {
    const changed = [...this.#servers.values()].filter(({ program, plan }) => {
      if (program) return false;
      const mark = fingerprint(plan.program.path);
      return mark !== "" && mark !== this.#executables.get(plan.id);
    });
    if (changed.length === 0) return;
    this.#output.say(
      `restarting ${formatIds(changed.map(({ id }) => id))}: the executable changed`,
    );
    await this.#restart(changed);
  }

  #watchFiles(): void {
    const files = new Set([...this.#plan.files, ...this.#wrongFiles]);
    for (const program of this.#programs.values()) {
      for (const path of program.files) files.add(path);
    }
    for (const { program, plan } of this.#servers.values()) {
      if (program) continue;
      files.add(plan.program.path);
      this.#executables.set(plan.id, fingerprint(plan.program.path));
    }
    this.#watch.watch(files);
  }

  /** Stops the servers, and then the registry. */
  async #stopAll(): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#startTimer);
    await this.#stopServers([...this.#servers.values()]);
    await this.#registry?.stop(REGISTRY_STOP);
    // What was under way may have started one more.
    await this.#work;
    await this.#stopServers([...this.#servers.values()]);
  }
}

const KEYS = "keys: r restarts all, s shows the servers, q quits, ? shows this";

function describeEnd({ code, signal }: ExitStatus): string {
  if (signal !== null) return `${signal} killed it`;
  return code === 0 ? "its program is done (exit code 0)" : `exit code ${code}`;
}

function marksOf(files: readonly string[]): string {
  return files.map(fingerprint).join("\n");
}
