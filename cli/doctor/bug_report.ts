/**
 * The archive of `doctor --bundle`: what helps to find a fault, without secrets.
 *
 * It has what the runtime itself knows and logs. Left out are the cookie, keys, certificates,
 * passphrases, the environment but for the ensemble's own variables, loaded code, and the logs of
 * programs, since any of these may have secrets.
 *
 * @module
 */
import { packTar, type TarEntry } from "npm:modern-tar@^0.8.6";
import { EnsembleError } from "../../runtime/errors.ts";
import type { Places } from "../../runtime/home/paths.ts";
import type { LoggedRecord } from "../../runtime/observation/log_protocol.ts";
import { VERSION } from "../../runtime/version.ts";
import { entryToJson } from "../kit/listing.ts";
import type { Observers } from "../kit/observers.ts";
import type { ServerReport } from "../kit/server_reports.ts";
import type { Finding } from "./finding.ts";

/** The category of the runtime's own records. */
const OWN_CATEGORY = "gxensemble";

/** The most records of each server. */
const MOST_RECORDS = 1_000;

/** The most servers whose logs are in it: the first that were asked. */
const MOST_LOGS = 50;

/** The variables whose values are in it: addresses and directories. */
const OWN_VARIABLES = ["GERBIL_PATH", "ENSEMBLE_SOCKET_DIR", "ENSEMBLE_REGISTRY"];

/** What a bug report is made of. */
export interface BugReportParts {
  readonly places: Places;
  readonly findings: readonly Finding[];
  readonly reports: readonly ServerReport[];
  /** The logs, by server. */
  readonly logs: ReadonlyMap<string, readonly LoggedRecord[]>;
}

/** Reads the runtime's last records from the servers that have told their state. */
export async function readOwnLogs(
  reports: readonly ServerReport[],
  observers: Observers,
): Promise<Map<string, readonly LoggedRecord[]>> {
  const logs = new Map<string, readonly LoggedRecord[]>();
  const answering = reports.filter(({ status }) => status).slice(0, MOST_LOGS);
  const request = { limit: MOST_RECORDS, category: OWN_CATEGORY };
  await Promise.all(answering.map(async ({ id }) => {
    try {
      const { records } = await observers.ask(id, (observer) => observer.readLog(request));
      logs.set(id, records);
    } catch (error) {
      if (!(error instanceof EnsembleError)) throw error; // It has ended meanwhile.
    }
  }));
  return logs;
}

/**
 * Writes a bug report that only its user can read.
 *
 * @throws {EnsembleError} if the file exists, or cannot be written.
 */
export async function writeBugReport(path: string, parts: BugReportParts): Promise<void> {
  const { findings, reports, logs, places } = parts;
  const entries = [
    jsonFile("findings.json", findings),
    jsonFile("host.json", describeHost()),
    jsonFile("files.json", listFiles(places)),
    jsonFile(
      "servers.json",
      reports.map(({ id, entry, status, clock, error }) => ({
        id,
        ...entry && { entry: entryToJson(entry) },
        ...status && { status },
        ...clock && { clock },
        ...error && { error: error.message, code: error.code },
      })),
    ),
    ...[...logs].map(([id, records]) =>
      textFile(`logs/${id}.jsonl`, records.map((record) => `${JSON.stringify(record)}\n`).join(""))
    ),
  ];
  const tar = await packTar(entries);
  const archive = new Blob([tar]).stream().pipeThrough(new CompressionStream("gzip"));
  try {
    await Deno.writeFile(path, archive, { createNew: true, mode: 0o600 });
  } catch (error) {
    throw new EnsembleError(
      error instanceof Deno.errors.AlreadyExists
        ? `${path} exists already: name another file`
        : `cannot write ${path}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function jsonFile(name: string, value: unknown): TarEntry {
  return textFile(name, `${JSON.stringify(value, undefined, 2)}\n`);
}

function textFile(name: string, text: string): TarEntry {
  const body = new TextEncoder().encode(text);
  const header = { name: `gxensemble-report/${name}`, size: body.length, mode: 0o600 };
  return { header, body };
}

function describeHost(): object {
  const { os, arch, target } = Deno.build;
  return {
    gxensemble: VERSION,
    ...Deno.version,
    os,
    arch,
    target,
    release: Deno.osRelease(),
    uptime: Deno.osUptime(),
    load: Deno.loadavg(),
    memory: Deno.systemMemoryInfo(),
    uid: Deno.uid(),
    time: new Date().toISOString(),
    variables: Object.fromEntries(OWN_VARIABLES.map((name) => [name, Deno.env.get(name) ?? null])),
  };
}

/** Lists the files of the ensemble on this host, with modes and sizes, but not what is in them. */
function listFiles({ directory, socketDirectory }: Places): object[] {
  return [directory, socketDirectory].flatMap((path) => listBelow(path, 3));
}

function listBelow(path: string, depth: number): object[] {
  try {
    const { isDirectory, isSymlink, size, mode, uid, mtime } = Deno.lstatSync(path);
    const own = { path, size, mode: mode?.toString(8), uid, changed: mtime?.toISOString() };
    if (!isDirectory || isSymlink || depth === 0) return [own];
    const names = Deno.readDirSync(path).toArray().map(({ name }) => name).sort();
    return [own, ...names.flatMap((name) => listBelow(`${path}/${name}`, depth - 1))];
  } catch (error) {
    return [{ path, error: (error as Error).message }];
  }
}
