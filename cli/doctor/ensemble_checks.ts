/**
 * The checks of the ensemble: the registry, and what the servers tell of themselves.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import type { ServerStatus } from "../../runtime/observation/status_protocol.ts";
import { registryClient } from "../../runtime/server/registry_protocol.ts";
import { formatCounted, formatDelay, formatShare, formatWhole } from "../kit/quantities.ts";
import type { ServerReport } from "../kit/server_reports.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";
import { judgeEnd } from "./host_checks.ts";

/** A registry that takes longer to answer needs attention, in ms. */
const SLOW_REGISTRY = 200;

/** Clocks that differ by more need attention, or make certificates and logs wrong, in ms. */
const CLOCK_NOTICE = 1_000;
const CLOCK_WRONG = 60_000;

/** An event loop that is delayed by more needs attention: its 99th percentile, in ms. */
const DELAY_NOTICE = 100;

/** A mailbox with more messages needs attention. */
const MAILBOX_NOTICE = 1_000;

/** A process with more of its open files in use needs attention. */
const FILES_NOTICE = 0.8;

/** A host with less of its memory available needs attention. */
const MEMORY_NOTICE = 0.05;

/** A server that has been starting for longer needs attention, in ms. */
const LONG_START = 60_000;

/** The most servers or modules that one finding names. */
const MOST_NAMED = 5;

/** Checks that the registry answers, and how fast. */
export async function checkRegistry(actors: ActorSystem): Promise<Finding> {
  const check = "registry";
  try {
    const client = registryClient(actors);
    await client.lookup({ id: REGISTRY_ID }); // The first one connects.
    const began = performance.now();
    await client.lookup({ id: REGISTRY_ID });
    const delay = performance.now() - began;
    const message = `answers in ${formatDelay(delay)}`;
    return delay < SLOW_REGISTRY ? ok(check, message) : warning(
      check,
      message,
      'see what keeps it busy with "gxensemble status registry"',
    );
  } catch (error) {
    if (!(error instanceof EnsembleError)) throw error;
    return failure(check, error.message);
  }
}

/** Checks whether servers listen on this host that are not registered. */
export async function checkSockets(reports: readonly ServerReport[]): Promise<Finding[]> {
  const { socketDirectory } = findPlaces();
  const registered = new Set(reports.map(({ id }) => id));
  const findings: Finding[] = [];
  for (const { name, path } of socketsIn(socketDirectory)) {
    if (registered.has(name) || !await listens(path)) continue;
    findings.push(warning(
      `socket of ${name}`,
      `a server listens at ${path}, and the registry does not have ${name}`,
      "see its log: it cannot reach the registry, or belongs to another ensemble",
    ));
  }
  return findings;
}

function socketsIn(directory: string): { name: string; path: string }[] {
  try {
    return Deno.readDirSync(directory).toArray()
      .map(({ name }) => ({ name, path: `${directory}/${name}` }))
      .filter(({ name, path }) => !name.startsWith(".") && Deno.lstatSync(path).isSocket);
  } catch {
    return []; // There is none, or its socket has just been removed.
  }
}

/** Whether a process listens on a socket. A server that was killed leaves its socket behind. */
async function listens(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch {
    return false;
  }
}

/** Judges what all servers told of themselves. */
export function judgeServers(reports: readonly ServerReport[]): Finding[] {
  const answered = reports.flatMap(({ status, clock }) => status ? [{ status, clock }] : []);
  const statuses = answered.map(({ status }) => status);
  return [
    ...judgeAnswers(reports),
    ...judgeClocks(answered),
    ...judgeVersions(statuses),
    ...judgeCode(statuses),
    ...statuses.flatMap(judgeServer),
  ];
}

function judgeAnswers(reports: readonly ServerReport[]): Finding[] {
  const findings: Finding[] = [];
  let refused = 0;
  for (const { id, entry, error } of reports) {
    if (!error) continue;
    if (error.code === "NOT_AUTHORIZED") {
      refused++;
      continue;
    }
    // Other errors say what to do.
    const remedy = entry?.state === "unreachable"
      ? `look for its process${
        entry.host === undefined ? "" : ` on ${entry.host}`
      }; if it has ended for good, ` +
        `remove its entry with "gxensemble forget ${id}"`
      : undefined;
    findings.push(failure(`server ${id}`, error.message, remedy));
  }
  if (refused > 0) {
    findings.push(skipped(
      "servers",
      `${refused} of ${reports.length} tell their state only to an administrator: run this where admin.priv is`,
    ));
  }
  if (findings.length > 0) return findings;
  return [ok("servers", `all ${reports.length} answer, the registry included`)];
}

/** Judges the differences of the clocks, of which that to this host's was measured. */
function judgeClocks(
  answered: readonly { status: ServerStatus; clock?: ServerReport["clock"] }[],
): Finding[] {
  const check = "clocks";
  const hosts = new Map<string, { offset: number; error: number }>();
  for (const { status: { host }, clock } of answered) {
    const known = hosts.get(host);
    if (clock && !(known && known.error <= clock.error)) hosts.set(host, clock);
  }
  if (hosts.size === 0) return [];
  const wrong = [...hosts].filter(([, { offset, error }]) =>
    Math.abs(offset) - error > CLOCK_NOTICE
  );
  if (wrong.length === 0) {
    return [ok(check, `those of ${formatCounted(hosts.size, "host")} agree with this one's`)];
  }
  return wrong.map(([host, { offset }]) => {
    const what = `${host}'s clock is ${formatDelay(Math.abs(offset))} ${
      offset > 0 ? "ahead of" : "behind"
    } this host's`;
    const remedy =
      "have both hosts keep their time with NTP: certificates, revocation lists and the times in logs depend on it";
    return Math.abs(offset) > CLOCK_WRONG
      ? failure(check, what, remedy)
      : warning(check, what, remedy);
  });
}

function judgeVersions(statuses: readonly ServerStatus[]): Finding[] {
  return ([["gxensemble", "version"], ["Deno", "deno"]] as const).flatMap(([name, field]) => {
    const byVersion = Map.groupBy(statuses, (status) => status[field]);
    if (byVersion.size === 0) return [];
    if (byVersion.size === 1) return [ok("versions", `all run ${name} ${statuses[0]![field]}`)];
    const shares = [...byVersion].sort(([, a], [, b]) => b.length - a.length)
      .map(([version, users]) => `${version} (${named(users.map(({ id }) => id))})`);
    return [warning(
      "versions",
      `servers run different versions of ${name}: ${shares.join(", ")}`,
      "restart those with an older one when you can",
    )];
  });
}

/** Judges whether servers of a role have the same versions of what was loaded into them. */
function judgeCode(statuses: readonly ServerStatus[]): Finding[] {
  const findings: Finding[] = [];
  const roles = new Set(statuses.flatMap(({ roles }) => roles));
  let modules = 0;
  for (const role of roles) {
    const members = statuses.filter(({ roles }) => roles.includes(role));
    const current = members.map(({ id, loads }) => ({
      id,
      hashes: new Map(
        loads.last.filter(({ current }) => current).map(({ module, hash }) => [module, hash]),
      ),
    }));
    for (const module of new Set(current.flatMap(({ hashes }) => [...hashes.keys()]))) {
      modules++;
      const byHash = Map.groupBy(current, ({ hashes }) => hashes.get(module) ?? "not loaded");
      if (byHash.size < 2) continue;
      const shares = [...byHash].map(([hash, users]) =>
        `${hash.slice(0, 10)} (${named(users.map(({ id }) => id))})`
      );
      findings.push(warning(
        "loaded code",
        `servers of the role ${role} have different versions of ${module}: ${shares.join(", ")}`,
        `see "gxensemble load --status --role ${role}", and finish the roll-out or go back`,
      ));
    }
  }
  if (findings.length > 0 || modules === 0) return findings;
  return [ok("loaded code", "servers of a role have the same versions")];
}

/** Judges one server. It has no findings if nothing is wrong. */
function judgeServer(status: ServerStatus): Finding[] {
  const { id, eventLoopDelay, longestMailboxes, openFiles, systemMemory } = status;
  const check = `server ${id}`;
  const findings: Finding[] = [];
  if (eventLoopDelay.p99 > DELAY_NOTICE) {
    findings.push(warning(
      check,
      `its event loop is late by ${
        formatDelay(eventLoopDelay.p99)
      } (99th percentile of the last minute)`,
      `see which actors take the time with "gxensemble top ${id}" or "gxensemble profile ${id} --cpu 10s"`,
    ));
  }
  for (const { actor, length } of longestMailboxes) {
    if (length < MAILBOX_NOTICE) continue;
    findings.push(warning(
      check,
      `${formatWhole(length)} messages wait for its actor ${actor}`,
      `see what it does with "gxensemble trace ${actor}@${id}"`,
    ));
  }
  if (status.state === "starting" && status.now - status.startedAt > LONG_START) {
    findings.push(warning(
      check,
      `has been starting since ${
        new Date(status.startedAt).toISOString()
      }: it is not found by its roles`,
      "see its log for what it waits for; a program that holds its readiness calls ready()",
    ));
  }
  if (status.state === "draining") {
    findings.push(warning(
      check,
      "is draining: it is not found by its roles",
      `if it is to take work again, run "gxensemble undrain ${id}"`,
    ));
  }
  if (status.certificateEnd !== undefined) {
    const remedy = `make a new one with "gxensemble ca cert ${id}", copy it there and send SIGHUP`;
    const end = judgeEnd(`certificate of ${id}`, status.certificateEnd, remedy, status.now);
    if (end.severity !== "ok") findings.push(end);
  }
  if (openFiles?.limit !== undefined && openFiles.count > openFiles.limit * FILES_NOTICE) {
    findings.push(warning(
      check,
      `${openFiles.count} of ${openFiles.limit} files and sockets are open`,
      "raise the limit: LimitNOFILE= in a systemd unit, or ulimit -n",
    ));
  }
  if (systemMemory && systemMemory.available < systemMemory.total * MEMORY_NOTICE) {
    findings.push(warning(
      check,
      `${
        formatShare(systemMemory.available / systemMemory.total)
      } of the memory of its host ${status.host} is available`,
      'see who uses it with "gxensemble status", and by the tools of that host',
    ));
  }
  return findings;
}

function named(ids: readonly string[]): string {
  const shown = ids.slice(0, MOST_NAMED).join(", ");
  return ids.length > MOST_NAMED ? `${shown} and ${ids.length - MOST_NAMED} more` : shown;
}
