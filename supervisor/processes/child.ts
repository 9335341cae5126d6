/**
 * The process of a server, whichever run of the supervisor started it.
 *
 * @module
 */
import { unlessAborted, within } from "../../runtime/timeout.ts";
import { membersOf, type ProcessTable } from "./process_table.ts";
import { reapChild, REAPED_BY_DENO } from "./reaping.ts";
import type { ProcessEnd } from "./server_report.ts";

/** How often leftover processes are killed, since they may start others meanwhile. */
const SWEEPS = 10;

/** The growth of the pause between two sweeps, in ms. */
const SWEEP_PAUSE = 10;

/** The delays after which a process that was sent a signal is looked at, in ms. */
const SOON = 10;
const SOON_AT_MOST = 500;

/** The process of a server. It leads a session of its own. */
export interface Child {
  /** Its process id. */
  readonly pid: number;
  /** Identifies this run of the server. */
  readonly marker: string;
  /** When it started, as the system writes it; undefined if it ended at once. */
  readonly startTime: string | undefined;
  /** When it started, in ms since 1970. */
  readonly startedAt: number;
  /** The hash of the configuration that it was started with. */
  readonly hash: string;
  /** Whether an earlier run of the supervisor started it. */
  readonly adopted: boolean;
  /** Resolves when it has ended. */
  readonly ended: Promise<ProcessEnd>;
  /** Sends it a signal, unless it has ended. */
  signal(signal: Deno.Signal): Promise<void>;
}

/** What is known about a child besides its process. */
export interface ChildFacts {
  /** Identifies this run of the server. */
  readonly marker: string;
  /** When it started, in ms since 1970. */
  readonly startedAt: number;
  /** The hash of the configuration that it was started with. */
  readonly hash: string;
}

/** A process that this supervisor started. Its parent reaps it, so it leaves no zombie. */
export class StartedChild implements Child {
  /** @inheritdoc */
  readonly pid: number;
  /** @inheritdoc */
  readonly marker: string;
  /** @inheritdoc */
  readonly startedAt: number;
  /** @inheritdoc */
  readonly hash: string;
  /** @inheritdoc */
  readonly adopted = false;
  /** @inheritdoc */
  readonly startTime: string | undefined;
  /** @inheritdoc */
  readonly ended: Promise<ProcessEnd>;
  readonly #process: Deno.ChildProcess;

  /** Waits for the end of a process. */
  constructor(
    process: Deno.ChildProcess,
    { startTime, marker, startedAt, hash }: ChildFacts & { readonly startTime: string | undefined },
  ) {
    this.#process = process;
    this.pid = process.pid;
    this.startTime = startTime;
    this.marker = marker;
    this.startedAt = startedAt;
    this.hash = hash;
    REAPED_BY_DENO.add(process.pid);
    this.ended = process.status.then(({ code, signal }) => {
      REAPED_BY_DENO.delete(process.pid);
      return signal ? { at: Date.now(), signal } : { at: Date.now(), code };
    });
  }

  /** @inheritdoc */
  signal(signal: Deno.Signal): Promise<void> {
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended.
    }
    return Promise.resolve();
  }

  /** Lets this process end while the child runs. */
  unref(): void {
    this.#process.unref();
  }
}

/** A process that an earlier run of the supervisor started. Its end is noticed by looking. */
export class AdoptedChild implements Child {
  /** @inheritdoc */
  readonly pid: number;
  /** @inheritdoc */
  readonly marker: string;
  /** @inheritdoc */
  readonly startedAt: number;
  /** @inheritdoc */
  readonly hash: string;
  /** @inheritdoc */
  readonly adopted = true;
  /** @inheritdoc */
  readonly startTime: string;
  readonly #ended = Promise.withResolvers<ProcessEnd>();
  readonly #table: ProcessTable;
  #hasEnded = false;

  /** A process that runs. */
  constructor(
    { pid, startTime }: { readonly pid: number; readonly startTime: string },
    { table, marker, startedAt, hash }: ChildFacts & { readonly table: ProcessTable },
  ) {
    this.pid = pid;
    this.startTime = startTime;
    this.marker = marker;
    this.startedAt = startedAt;
    this.hash = hash;
    this.#table = table;
  }

  /** @inheritdoc */
  get ended(): Promise<ProcessEnd> {
    return this.#ended.promise;
  }

  /** @inheritdoc */
  async signal(signal: Deno.Signal): Promise<void> {
    await lookAfter([this], this.#table);
    if (this.#hasEnded) return;
    try {
      Deno.kill(this.pid, signal);
    } catch {
      // It has ended.
    }
    this.#lookSoon(SOON);
  }

  /** Looks more often than usual, since it may end now. */
  #lookSoon(delay: number): void {
    if (this.#hasEnded || delay > SOON_AT_MOST) return;
    setTimeout(async () => {
      await lookAfter([this], this.#table).catch(() => {}); // The next look may succeed.
      this.#lookSoon(delay * 1.5);
    }, delay);
  }

  /** Takes notice of what a look at the processes has shown. */
  noticed(startTime: string | undefined): void {
    if (this.#hasEnded || startTime === this.startTime) return;
    this.#hasEnded = true;
    this.#ended.resolve({ at: Date.now(), ...reapChild(this.pid) });
  }
}

/** Looks whether adopted children still run. */
export async function lookAfter(
  children: readonly AdoptedChild[],
  table: ProcessTable,
): Promise<void> {
  const found = await table.find(children.map(({ pid }) => pid));
  for (const child of children) child.noticed(found.get(child.pid)?.startTime);
}

/** How a child is asked to finish its work before it is stopped. */
export interface Draining {
  /** The signal that asks it to finish its work, and to end then. */
  readonly signal: Deno.Signal;
  /** The time that it has for that, in ms. */
  readonly timeout: number;
}

/** How a child is stopped. */
export interface StopWay {
  /** Lets it finish its work first. */
  readonly draining?: Draining | undefined;
  /** Cuts the draining short when aborted. */
  readonly enough?: AbortSignal | undefined;
  /** The signal that asks it to stop; undefined if it was asked already. */
  readonly signal: Deno.Signal | undefined;
  /** The time after that until it is killed, in ms. */
  readonly killAfter: number;
  /** Kills it at once when aborted. */
  readonly hurry?: AbortSignal | undefined;
}

/**
 * Stops a child. If it does not end in time, it is killed with all processes of its session.
 * Returns its end.
 */
export async function stopChild(
  child: Child,
  { draining, enough, signal, killAfter, hurry }: StopWay,
  table: ProcessTable,
): Promise<ProcessEnd> {
  let hasEnded = false;
  const ended = child.ended.finally(() => hasEnded = true);
  if (draining && !enough?.aborted && !hurry?.aborted) {
    await child.signal(draining.signal);
    await within(draining.timeout, unlessAborted(hurry, unlessAborted(enough, ended)));
  }
  if (signal && !hasEnded) await child.signal(signal);
  await within(killAfter, unlessAborted(hurry, ended));
  if (!hasEnded) {
    // The others first: they would not be found any more if its session ended with it.
    for (const { pid } of membersOf(child.pid, await table.all())) {
      if (pid !== child.pid && !hasEnded) kill(pid);
    }
    await child.signal("SIGKILL");
  }
  return await ended;
}

/** Kills what a child left behind in its session when it ended. */
export async function killLeftovers(leader: number, table: ProcessTable): Promise<void> {
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const members = membersOf(leader, await table.all());
    // While anything is left of a session, no new process gets its id. So with such a process,
    // nothing was left.
    if (members.length === 0 || members.some(({ pid }) => pid === leader)) return;
    for (const { pid } of members) kill(pid);
    await new Promise((resolve) => setTimeout(resolve, sweep * SWEEP_PAUSE));
  }
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
