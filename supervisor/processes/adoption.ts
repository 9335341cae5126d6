/**
 * Finds the processes of a supervisor that an earlier run of it has started.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { SUPERVISED } from "../../runtime/home/supervised_process.ts";
import { type Kernel, ownKernel } from "../../runtime/own_process.ts";
import { AdoptedChild } from "./child.ts";
import type { ProcessEntry, ProcessTable } from "./process_table.ts";
import { reapChild } from "./reaping.ts";
import type { ProcessEnd } from "./server_report.ts";
import { CLAIM, claimPath, parseMarker, type RunIdentity } from "./spawning.ts";
import type { RecordedProcess, ServerRecord } from "./state_file.ts";

const logger = getLogger(["gxensemble", "supervisor"]);

/** How exactly the start of a process is known that has only claimed its run, in ms. */
const CLAIM_TIME = 10_000;

/** The hash of a configuration that is not known, so that its process is outdated. */
const UNKNOWN_HASH = "";

/** How long a claim of the supervisor's own is kept, in ms. */
const KEPT_CLAIM = 3_600_000;

/** A process that carries the marker of a run. */
interface MarkedProcess extends Pick<RunIdentity, "server" | "marker"> {
  readonly entry: ProcessEntry;
}

/** Which processes are those of a supervisor. */
export interface AdoptionOptions extends Pick<RunIdentity, "supervisor" | "directory"> {
  /** What the earlier run has kept; undefined if that is lost. */
  readonly records: ReadonlyMap<string, ServerRecord> | undefined;
  /** The processes of this host. */
  readonly table: ProcessTable;
}

/** What has become of the processes of an earlier run. */
export interface Adoption {
  /** Those that run, by server. */
  readonly running: ReadonlyMap<string, AdoptedChild>;
  /** How the processes of other servers have ended. */
  readonly ended: ReadonlyMap<string, ProcessEnd>;
}

/**
 * Finds the processes of an earlier run by their ids and start times, or by their markers. No run
 * whose process was not found can run its program afterwards.
 */
export async function findChildren(
  { supervisor, directory, records, table }: AdoptionOptions,
): Promise<Adoption> {
  const running = new Map<string, AdoptedChild>();
  const ended = new Map<string, ProcessEnd>();
  // Claims come first: what has claimed its run by then is seen by the look at all processes.
  const begun = new Map<string, boolean>();
  for (const [id, { process }] of records ?? []) {
    if (process && process.pid === undefined) begun.set(id, hasBegun({ directory, ...process }));
  }
  const marked = await findMarked({ supervisor, directory, table });
  for (const [id, { process }] of records ?? []) {
    if (!process || begun.get(id) === false) continue;
    const child = await findProcess(process, { marked, directory, table });
    if (child) running.set(id, child);
    else ended.set(id, { at: Date.now(), ...process.pid && reapChild(process.pid) });
  }
  for (const { server, marker, entry } of newestFirst(marked)) {
    // A run that has no record either ended and left something behind, or could not be recorded.
    const isUnrecorded = records === undefined || isThere(claimPath({ directory, marker }));
    if (!isUnrecorded || records?.get(server)?.process?.marker === marker) continue;
    const { pid } = entry;
    if (running.has(server)) {
      logger.warn("{server} has another process, which is left alone: {pid}", { server, pid });
      continue;
    }
    logger.warn("{server} has a process that was not recorded: {pid}", { server, pid });
    running.set(
      server,
      new AdoptedChild(entry, { table, marker, startedAt: entry.startedAt, hash: UNKNOWN_HASH }),
    );
    ended.delete(server);
  }
  return { running, ended };
}

/**
 * The claims of earlier runs that are no longer needed once their processes are recorded. Those that
 * a run of the supervisor made itself are kept for an hour: a process that was about to start still
 * meets them.
 */
export function oldClaims(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name }) => {
    if (!name.startsWith(CLAIM)) return [];
    const path = claimPath({ directory, marker: name.slice(CLAIM.length) });
    // Processes write their ids to them.
    const { size, mtime } = Deno.statSync(path);
    const isOld = Date.now() - (mtime?.getTime() ?? 0) > KEPT_CLAIM;
    return size > 0 || isOld ? [path] : [];
  });
}

/** Whether the process of a run has claimed it. If not, the run is claimed here. */
function hasBegun(run: Pick<RunIdentity, "directory" | "marker">): boolean {
  try {
    Deno.openSync(claimPath(run), { write: true, createNew: true }).close();
    return false;
  } catch {
    return true;
  }
}

/** The process of a run; undefined if it has ended. */
async function findProcess(
  { marker, pid, startTime, kernel, startedAt, hash }: RecordedProcess,
  { marked, directory, table }: {
    readonly marked: readonly MarkedProcess[];
    readonly directory: string;
    readonly table: ProcessTable;
  },
): Promise<AdoptedChild | undefined> {
  const found = marked.find((each) => each.marker === marker)?.entry;
  if (found && (pid ?? found.pid) === found.pid) {
    return new AdoptedChild(found, { table, marker, startedAt, hash });
  }
  // A process can overwrite its environment, and not every system shows it.
  const ownPid = pid ?? await claimedBy({ directory, marker });
  if (ownPid === undefined || !isSameKernel(kernel)) return undefined;
  const entry = (await table.find([ownPid])).get(ownPid);
  if (!entry || entry.group !== ownPid) return undefined;
  const isSame = startTime === undefined
    ? Math.abs(entry.startedAt - startedAt) < CLAIM_TIME
    : entry.startTime === startTime;
  if (!isSame) return undefined;
  return new AdoptedChild(entry, { table, marker, startedAt, hash });
}

/** The id of the process that has claimed a run. */
async function claimedBy(
  run: Pick<RunIdentity, "directory" | "marker">,
): Promise<number | undefined> {
  try {
    const pid = Number(await Deno.readTextFile(claimPath(run)));
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Whether process ids of an earlier run mean the same processes now. */
function isSameKernel(earlier: Kernel | undefined): boolean {
  const own = ownKernel();
  return earlier?.boot === own?.boot && earlier?.processes === own?.processes;
}

/**
 * The first processes of all runs. Others with the same marker were started by them.
 */
async function findMarked(
  { supervisor, directory, table }: Omit<AdoptionOptions, "records">,
): Promise<MarkedProcess[]> {
  const marked: MarkedProcess[] = [];
  for (const entry of await table.all()) {
    if (entry.session !== entry.pid) continue;
    const run = parseMarker(await table.variable(entry.pid, SUPERVISED) ?? "");
    if (run?.supervisor !== supervisor || run.directory !== directory) continue;
    const { server, marker } = run;
    const index = marked.findIndex((each) => each.marker === marker);
    if (index < 0) marked.push({ server, marker, entry });
    else if (isEarlier(entry, marked[index]!.entry)) marked[index] = { server, marker, entry };
  }
  return marked;
}

function isEarlier(one: ProcessEntry, other: ProcessEntry): boolean {
  const difference = Number(one.startTime) - Number(other.startTime);
  return difference === 0 ? one.pid < other.pid : difference < 0;
}

function newestFirst(marked: readonly MarkedProcess[]): MarkedProcess[] {
  return marked.toSorted((one, other) => isEarlier(one.entry, other.entry) ? 1 : -1);
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
