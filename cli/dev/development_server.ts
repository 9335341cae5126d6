/**
 * One server of a development ensemble: its process, and the version of the program that it runs.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { operatorName } from "../kit/administrator.ts";
import type { OwnCommand } from "../kit/own_command.ts";
import type { SourceLocation } from "../../runtime/code/source_map.ts";
import { shipUnits } from "../modules/loading.ts";
import { ModuleReader } from "../modules/module_reader.ts";
import { buildUnits } from "../modules/unit_building.ts";
import { positionIn } from "./code_frame.ts";
import { DevelopmentProcess, type ExitStatus } from "./development_process.ts";
import type { EnsembleOutput } from "./ensemble_output.ts";
import { type ChangePlan, planChange } from "./live_changes.ts";
import type { PlannedServer } from "./planned_server.ts";
import type { ProcessKeeper } from "./process_keeper.ts";
import { type ProgramVersion, replacedModules, type WatchedProgram } from "./watched_program.ts";

/** How long a load may take, in ms: the top level of a module may wait for something. */
const LOAD_TIMEOUT = 10_000;

/** The number of lines that are searched for the position of an error. */
const LAST_LINES = 20;

/** What all servers of the ensemble share. */
export interface Surroundings {
  /** The command that runs this program. */
  readonly command: OwnCommand;
  /** Variables of all processes. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends processes when this command is killed. */
  readonly keeper: ProcessKeeper;
  /** Prints. */
  readonly output: EnsembleOutput;
}

/** `down` before its first start, and after it has ended; `starting` until it is in the registry and ready. */
export type DevelopmentState = "down" | "starting" | "up" | "stopping";

/** A server. */
export class DevelopmentServer {
  /** What it is. */
  readonly plan: PlannedServer;
  /** Its program, if it is a module. */
  readonly program: WatchedProgram | undefined;
  readonly #surroundings: Surroundings;
  readonly #onEnd: (server: DevelopmentServer, end: ExitStatus) => void;
  #process: DevelopmentProcess | undefined;
  #state: DevelopmentState = "down";
  /** The version with which it was started. */
  #started: ProgramVersion | undefined;
  /** The version whose modules it has. */
  #loaded: ProgramVersion | undefined;
  #count = 0;
  #isKilled = false;
  /** What its process has printed last. */
  #lastLines: string[] = [];

  /**
   * Creates it; {@linkcode start} starts it.
   *
   * @param options.onEnd is called when its process has ended and was not asked to.
   */
  constructor(
    plan: PlannedServer,
    { program, surroundings, onEnd }: {
      program: WatchedProgram | undefined;
      surroundings: Surroundings;
      onEnd: (server: DevelopmentServer, end: ExitStatus) => void;
    },
  ) {
    this.plan = plan;
    this.program = program;
    this.#surroundings = surroundings;
    this.#onEnd = onEnd;
  }

  /** Its id. */
  get id(): string {
    return this.plan.id;
  }

  /** Its state. */
  get state(): DevelopmentState {
    return this.#state;
  }

  /** The id of its process, if there is one. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** How long its process has run, in ms. */
  get age(): number {
    return this.#process === undefined ? 0 : performance.now() - this.#process.startedAt;
  }

  /** The number of its starts. */
  get starts(): number {
    return this.#count;
  }

  /** The position that the error has with which its process ended, if it printed one. */
  get failure(): SourceLocation | undefined {
    const positions = this.#lastLines.filter((line) => /error/i.test(line)).map(positionIn);
    return positions.find((position) => position !== undefined);
  }

  /** The version of its program that it runs. */
  get version(): ProgramVersion | undefined {
    return this.#loaded;
  }

  /** Starts its process. */
  start(): void {
    const { plan, program } = this;
    const { command, env, keeper, output } = this.#surroundings;
    this.#started = this.#loaded = program?.reading?.version;
    this.#state = "starting";
    this.#count++;
    this.#lastLines = [];
    const process = new DevelopmentProcess({
      command: commandOf(plan, { command, env }),
      cwd: plan.workingDirectory,
      keeper,
      print: (lines) => {
        this.#lastLines = [...this.#lastLines, ...lines].slice(-LAST_LINES);
        output.printProcess(plan.id, lines);
      },
    });
    this.#process = process;
    // No server: it is up while it runs.
    if (plan.program.kind === "plain") this.becomeUp(process.pid);
    void process.ended.then((end) => {
      if (this.#process !== process) return;
      this.#process = undefined;
      this.#state = "down";
      if (!process.isAsked) this.#onEnd(this, end);
    });
  }

  /** Notes that its process is up. Returns whether that is news. */
  becomeUp(pid: number | undefined): boolean {
    if (this.#state !== "starting" || pid !== this.#process?.pid) return false;
    this.#state = "up";
    return true;
  }

  /** Stops its process, if there is one. */
  async stop(): Promise<void> {
    const process = this.#process;
    if (!process) return;
    this.#state = "stopping";
    const { signal } = await process.stop(this.plan.stop);
    if (signal === "SIGKILL" && !this.#isKilled) {
      const seconds = this.plan.stop.killAfter / 1000;
      this.#surroundings.output.complain(
        `${this.id} has not stopped within ${seconds} s, and was killed`,
      );
    }
  }

  /** Kills its process. */
  kill(): void {
    this.#isKilled = true;
    this.#process?.kill();
  }

  /** Decides what a new version of its program needs. */
  planFor(version: ProgramVersion): ChangePlan {
    const [started, loaded] = [this.#started, this.#loaded];
    if (this.#state !== "up" || !started || !loaded) {
      return { kind: "restart", reason: "it was not up yet" };
    }
    if (this.plan.options.includes("--no-loader")) {
      return { kind: "restart", reason: "it accepts no code" };
    }
    return planChange(started.names, version.names, {
      replaced: replacedModules(loaded, version),
      isProgram: version.isProgram,
    });
  }

  /**
   * Loads modules of a new version.
   *
   * @throws {EnsembleError} if that fails.
   */
  async load(
    version: ProgramVersion,
    { modules, actors }: { modules: readonly string[]; actors: ActorSystem },
  ): Promise<void> {
    const loader = loaderClient(actors, this.id);
    const by = operatorName();
    for (const module of modules) {
      const { path } = version.graph.get(module)!;
      const tree = module === version.names.entry
        ? version.tree
        : await buildUnits(await ModuleReader.open(path));
      const hashes = tree.units.map(({ hash }) => hash);
      const missing = await loader.missing({ hashes }, { timeout: LOAD_TIMEOUT });
      await shipUnits(loader, tree, { missing, timeout: LOAD_TIMEOUT });
      await loader.load({ ...tree.request, by }, { timeout: LOAD_TIMEOUT });
    }
    this.#loaded = version;
  }

  /** Notes that a version needs nothing: what changed does not run here. */
  accept(version: ProgramVersion): void {
    this.#loaded = version;
  }
}

/** The command line of a server. */
function commandOf(
  { id, program, options, args, env: own }: PlannedServer,
  { command, env }: Pick<Surroundings, "command" | "env">,
): OwnCommand {
  const { kind, path } = program;
  const all = { ...env, ...own };
  switch (kind) {
    case "module": {
      const line = [...command.args, "run", ...options, id, path, ...args];
      return { ...command, args: line, env: { ...all, ...command.env } };
    }
    case "executable":
      return { program: path, args: [...options, id, ...args], env: all };
    case "plain":
      return { program: path, args, env: all };
  }
}
