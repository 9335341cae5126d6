/**
 * The file in which a supervisor keeps what it needs to know after it was killed: which servers an
 * operator stopped, and which process each one has.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { EnsembleError } from "../../runtime/errors.ts";
import { readRegularFile, writeWhole } from "../../runtime/home/files.ts";
import type { Kernel } from "../../runtime/own_process.ts";
import { NO_RESTARTS, type RestartHistory } from "./restart_decision.ts";
import type { Addition } from "./server_plan.ts";
import type { ProcessEnd } from "./server_report.ts";

const logger = getLogger(["gxensemble", "supervisor"]);

/** The version of the format. A file of another version is put aside. */
const VERSION = 1;

/** What `writeWhole` adds to the name of a file that is not yet complete: a UUID. */
const DRAFT = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** What can keep a server from running. */
const CAUSES = ["ordered", "ended", "disabled", "removed"] as const;

/** What became of a server that is not to run. */
export interface Rest {
  /** Its state. */
  readonly state: "stopped" | "failed";
  /** Why: `stopped by me@host1`. */
  readonly reason: string;
  /**
   * What brought it about. What was `ordered` by an operator lasts. One that has `ended` is started
   * again after a boot of the host, and with another configuration. One that is `disabled` has not
   * been started yet, and one that is `removed` is in no configuration any more.
   */
  readonly cause: typeof CAUSES[number];
  /** The hash of the configuration with which it ended. */
  readonly hash: string;
}

/** A process of a server, or the intent to start one. */
export interface RecordedProcess {
  /** Identifies this run: it is in the environment of the process. */
  readonly marker: string;
  /** Its process id; undefined until it is known. */
  readonly pid?: number | undefined;
  /** When it started, as the system writes it. */
  readonly startTime?: string | undefined;
  /** The kernel that it runs on. */
  readonly kernel?: Kernel | undefined;
  /** When it started, in ms since 1970. */
  readonly startedAt: number;
  /** Since when it has been up, in ms since 1970. */
  readonly upSince?: number | undefined;
  /** The hash of its configuration. */
  readonly hash: string;
  /** How it is stopped if it is no longer in the configuration. */
  readonly stop: { readonly signal: Deno.Signal; readonly killAfter: number };
}

/** What is kept of a server. */
export interface ServerRecord {
  /** Its process, if it has one. */
  readonly process?: RecordedProcess | undefined;
  /** Set while it is not to run. */
  readonly rest?: Rest | undefined;
  /** Its restarts. */
  readonly restarts: RestartHistory;
  /** How its last process ended. */
  readonly lastExit?: ProcessEnd | undefined;
  /** What an operator added. */
  readonly addition?: Addition | undefined;
}

/** The record of a server that never ran. */
export const NEW_RECORD: ServerRecord = { restarts: NO_RESTARTS };

/** The content of the file. */
export interface SupervisorState {
  /** Identifies the boot of the host that wrote it; undefined where the system does not show it. */
  readonly kernel: string | undefined;
  /** The servers, by id. */
  readonly servers: ReadonlyMap<string, ServerRecord>;
}

/** Reads and writes the file. Each write replaces it as a whole. */
export class StateFile {
  /** Its path. */
  readonly path: string;
  #writing: Promise<boolean> | undefined;
  #next: Promise<boolean> | undefined;
  #isFailing = false;

  /** The file at a path, which may not exist yet. */
  constructor(path: string) {
    this.path = path;
  }

  /**
   * Reads it. A file that is damaged, or has another format, is renamed, and counts as none.
   * Returns undefined if there is none.
   */
  async read(): Promise<SupervisorState | undefined> {
    try {
      return parse(
        new TextDecoder("utf-8", { fatal: true }).decode(await readRegularFile(this.path)),
      );
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      const aside = `${this.path}.damaged-${new Date().toISOString().replaceAll(":", "")}`;
      const reason = (error as Error).message;
      try {
        await Deno.rename(this.path, aside);
        logger.error(
          "{path} cannot be used and is now {aside}: which servers were stopped by operators is " +
            "forgotten, and processes are found by their environment: {reason}",
          { path: this.path, aside, reason },
        );
      } catch {
        logger.error("{path} cannot be used: {reason}", { path: this.path, reason });
      }
      return undefined;
    }
  }

  /** Removes what a run left behind that was killed while it wrote. */
  async removeDrafts(): Promise<void> {
    const name = basename(this.path);
    for await (const { name: each } of Deno.readDir(dirname(this.path))) {
      const isDraft = each.startsWith(`${name}.`) && DRAFT.test(each.slice(name.length + 1));
      if (isDraft) await Deno.remove(`${dirname(this.path)}/${each}`).catch(() => {});
    }
  }

  /**
   * Writes the state as it is when the writing begins. Returns whether it is on disk. It does not
   * throw: a full disk must not keep servers from being started and stopped.
   */
  write(state: () => SupervisorState): Promise<boolean> {
    if (this.#next) return this.#next;
    const previous = this.#writing ?? Promise.resolve(true);
    const written: Promise<boolean> = previous.then(async () => {
      this.#next = undefined;
      this.#writing = written;
      const isWritten = await this.#writeNow(state());
      if (this.#writing === written) this.#writing = undefined;
      return isWritten;
    });
    this.#next = written;
    return written;
  }

  async #writeNow(state: SupervisorState): Promise<boolean> {
    const { kernel, servers } = state;
    const text = JSON.stringify({ version: VERSION, kernel, servers: Object.fromEntries(servers) });
    try {
      await writeWhole(this.path, `${text}\n`, { mode: 0o600, replace: true });
      if (this.#isFailing) logger.info("{path} is written again", { path: this.path });
      this.#isFailing = false;
      return true;
    } catch (error) {
      if (!this.#isFailing) {
        logger.error(
          "what was started and stopped is not kept for the next run of the supervisor: {reason}",
          { reason: (error as Error).message },
        );
      }
      this.#isFailing = true;
      return false;
    }
  }
}

function parse(text: string): SupervisorState {
  const state = JSON.parse(text);
  if (!isObject(state) || state.version !== VERSION) {
    throw new EnsembleError(`it is not a state of version ${VERSION}`);
  }
  if (!isObject(state.servers)) throw new EnsembleError("its servers are missing");
  const servers = Object.entries(state.servers).map(([id, record]) => {
    if (!isRecord(record)) throw new EnsembleError(`the record of ${id} is wrong`);
    return [id, record] as const;
  });
  return {
    kernel: typeof state.kernel === "string" ? state.kernel : undefined,
    servers: new Map(servers),
  };
}

function isRecord(value: unknown): value is ServerRecord {
  if (!isObject(value) || !isHistory(value.restarts)) return false;
  return isAbsentOr(value.process, isProcess) && isAbsentOr(value.rest, isRest) &&
    isAbsentOr(value.lastExit, isEnd) && isAbsentOr(value.addition, isAddition);
}

function isProcess(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { pid, startTime, kernel, stop, upSince } = value;
  return typeof value.marker === "string" && typeof value.hash === "string" &&
    isNumber(value.startedAt) && isAbsentOr(upSince, isNumber) &&
    isAbsentOr(pid, (id) => Number.isSafeInteger(id) && (id as number) > 1) &&
    isAbsentOr(startTime, isText) &&
    isAbsentOr(kernel, (each) => isObject(each) && isText(each.boot) && isText(each.processes)) &&
    isObject(stop) && isText(stop.signal) && /^SIG[A-Z0-9]+$/.test(stop.signal) &&
    isNumber(stop.killAfter);
}

function isRest(value: unknown): boolean {
  if (!isObject(value)) return false;
  return (value.state === "stopped" || value.state === "failed") && isText(value.reason) &&
    CAUSES.some((cause) => cause === value.cause) && isText(value.hash);
}

function isEnd(value: unknown): boolean {
  if (!isObject(value)) return false;
  return isNumber(value.at) && isAbsentOr(value.code, isNumber) &&
    isAbsentOr(value.signal, isText) && isAbsentOr(value.reason, isText);
}

function isAddition(value: unknown): boolean {
  if (!isObject(value)) return false;
  return isText(value.role) &&
    isAbsentOr(value.args, (args) => Array.isArray(args) && args.every(isText));
}

function isHistory(value: unknown): value is RestartHistory {
  return isObject(value) && isNumber(value.total) && isNumber(value.inRow) &&
    Array.isArray(value.recent) && value.recent.every(isNumber);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

function isAbsentOr(value: unknown, check: (value: unknown) => boolean): boolean {
  return value === undefined || check(value);
}
