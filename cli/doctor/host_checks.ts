/**
 * The checks of this host: the ensemble's files, sockets, certificates and disks.
 *
 * @module
 */
import { statfsSync } from "node:fs";
import { readCookies } from "../../runtime/home/cookie.ts";
import { isThere, readSecretFile } from "../../runtime/home/files.ts";
import { KnownServersFile } from "../../runtime/home/known_servers.ts";
import type { Places } from "../../runtime/home/paths.ts";
import { openFiles } from "../../runtime/observation/process_usage.ts";
import { hasAdminPrivateKey, readAdminPublicKeys } from "../../runtime/pki/admin_key.ts";
import { DAY } from "../../runtime/pki/certificate_terms.ts";
import { EXPIRY_NOTICE } from "../../runtime/pki/own_tls.ts";
import { decodePem } from "../../runtime/pki/pem.ts";
import { hostName } from "../../runtime/wire/address.ts";
import { isOpenToOthers, requirePrivateDirectory } from "../../runtime/wire/socket_directory.ts";
import {
  type ConfigurationProblem,
  hostLabel,
  processesOn,
} from "../../supervisor/configuration/configuration.ts";
import {
  formatProblem,
  readConfiguration,
} from "../../supervisor/configuration/configuration_reading.ts";
import { formatBytes, formatCounted } from "../kit/quantities.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";

/** A disk with less free space needs attention, in bytes and as a part of the whole. */
const DISK_NOTICE = { bytes: 1 << 30, part: 0.1 };

/** A disk with less is as good as full, in bytes. */
const DISK_FULL = 64 << 20;

/** A limit of open files below this needs attention: each connection takes one. */
const FILES_NOTICE = 4_096;

/** Checks this host. */
export async function checkHost(places: Places): Promise<Finding[]> {
  const findings = [
    checkStateDirectory(places),
    await attempt("cookie", () => checkCookie(places)),
    await attempt("administrator", () => checkAdministrator(places)),
    await attempt("known-servers", () => checkKnownServers(places)),
    ...await isThere(places.configuration)
      ? [await attempt("configuration", () => checkConfiguration(places))]
      : [],
    await attempt("socket directory", () => checkSocketDirectory(places)),
    ...await checkCertificates(places),
    ...checkDisks(places),
    await attempt("open files", checkFileLimit),
  ];
  return findings.flat();
}

/** Runs a check. An error of it is what it has found. */
async function attempt(
  check: string,
  work: () => Finding | Promise<Finding>,
): Promise<Finding> {
  try {
    return await work();
  } catch (error) {
    return failure(check, (error as Error).message);
  }
}

function checkStateDirectory({ directory }: Places): Finding {
  const check = "state directory";
  try {
    const info = Deno.statSync(directory);
    if (!info.isDirectory) return failure(check, `${directory} is not a directory`);
    if (isOpenToOthers(info)) {
      return warning(
        check,
        `other users may enter ${directory}`,
        `run "chmod 700 ${directory}", unless they are to read admin.pub or known-servers`,
      );
    }
    return ok(check, directory);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return failure(
      check,
      `there is no ${directory}`,
      'make it with "gxensemble cookie", or name another with -G or GERBIL_PATH',
    );
  }
}

async function checkCookie(places: Places): Promise<Finding> {
  await readCookies(places);
  if (await isThere(places.nextCookie)) {
    return warning(
      "cookie",
      `it is being replaced: there is ${places.nextCookie}, and servers accept both`,
      'go on with "gxensemble cookie --rotate" on the host where it was begun, or see --status',
    );
  }
  return ok("cookie", `${places.cookie}, which only this user can read`);
}

async function checkAdministrator(places: Places): Promise<Finding> {
  const check = "administrator";
  const hasPrivateKey = await hasAdminPrivateKey(places);
  if (hasPrivateKey) await readSecretFile(places.adminPrivateKey, "administrators' private key");
  if (!await isThere(places.adminPublicKey)) {
    if (hasPrivateKey) {
      return failure(
        check,
        `there is ${places.adminPrivateKey} and no ${places.adminPublicKey}, so servers of this host obey ` +
          "every holder of the cookie",
        "copy admin.pub here from another host of the ensemble",
      );
    }
    return ok(check, "none is set up: every holder of the cookie may do everything");
  }
  await readAdminPublicKeys(places);
  if (await isThere(places.nextAdminPublicKey)) {
    return warning(
      check,
      `the key pair is being replaced: there is ${places.nextAdminPublicKey}, and servers accept both`,
      'go on with "gxensemble admin --rotate" on the host where it was begun, or see --status',
    );
  }
  return ok(
    check,
    `${places.adminPublicKey}${hasPrivateKey ? ", with the private key on this host" : ""}`,
  );
}

async function checkKnownServers({ knownServers }: Places): Promise<Finding> {
  const { size } = await new KnownServersFile(knownServers).read();
  return ok("known-servers", size === 0 ? "no servers" : `${size} servers`);
}

/** Reads the configuration as a supervisor of this host would, with the environment of `doctor`. */
async function checkConfiguration({ configuration: path, directory }: Places): Promise<Finding> {
  const check = "configuration";
  const { configuration, problems } = await readConfiguration(path, { directory });
  const remedy = 'see all with "gxensemble config check"';
  const isError = (problem: ConfigurationProblem) => problem.severity === "error";
  const first = problems.find(isError) ?? problems[0];
  if (!configuration) {
    const count = problems.filter(isError).length;
    return failure(
      check,
      `${formatCounted(count, "error")}; the first: ${formatProblem(path, first!)}`,
      remedy,
    );
  }
  if (first) {
    return warning(
      check,
      `${formatCounted(problems.length, "warning")}; the first: ${formatProblem(path, first)}`,
      remedy,
    );
  }
  const { length } = processesOn(configuration, hostLabel(hostName()));
  return ok(check, `${path}; processes of this host: ${length}`);
}

function checkSocketDirectory({ socketDirectory }: Places): Finding {
  const check = "socket directory";
  try {
    requirePrivateDirectory(socketDirectory);
    return ok(check, `${socketDirectory}, which only this user can enter`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return skipped(check, `there is no ${socketDirectory}: no server has been started here`);
  }
}

/** Checks the TLS files of the servers on this host, and the revocation list. */
async function checkCertificates(places: Places): Promise<Finding[]> {
  const { root, crl } = places.authority;
  const certified: string[] = [];
  for (const id of serverDirectories(places)) {
    if (await isThere(places.serverTls(id).certificate)) certified.push(id);
  }
  if (certified.length === 0 && !await isThere(root)) {
    return [ok("certificates", "none: servers use UNIX sockets and tcp only")];
  }
  const { TlsFiles } = await import("../../runtime/pki/tls_files.ts");
  const { parseRevocationList } = await import("../../runtime/pki/certificate_parser.ts");
  const findings = certified.map((id) => {
    const check = `certificate of ${id}`;
    return attempt(check, async () => {
      const { certificate } = (await TlsFiles.read(id, places)).current();
      const remedy =
        `make a new one with "gxensemble ca cert ${id}", and send SIGHUP to the server`;
      return judgeEnd(check, certificate.notAfter.getTime(), remedy);
    });
  });
  const check = "revocation list";
  const list = attempt(check, async () => {
    const { nextUpdate } = parseRevocationList(decodePem("X509 CRL", await Deno.readTextFile(crl)));
    const remedy =
      "copy crl.pem from the host of the certificate authority, where ca cert and ca revoke renew it";
    return judgeEnd(check, nextUpdate.getTime(), remedy);
  });
  return await Promise.all([...findings, list]);
}

/** Judges when a certificate or a list ends. */
export function judgeEnd(check: string, end: number, remedy: string, now = Date.now()): Finding {
  const day = new Date(end).toISOString();
  if (end <= now) return failure(check, `ended at ${day}`, remedy);
  if (end - now < EXPIRY_NOTICE) {
    const days = Math.floor((end - now) / DAY);
    return warning(check, `ends at ${day}, in ${days === 1 ? "1 day" : `${days} days`}`, remedy);
  }
  return ok(check, `valid until ${day}`);
}

/** The ids of the servers that have a directory here, sorted. */
function serverDirectories({ directory }: Places): string[] {
  try {
    return Deno.readDirSync(`${directory}/server`).toArray().map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

/** Checks the disks of the state and of the sockets. */
function checkDisks({ directory, socketDirectory }: Places): Finding[] {
  return [directory, socketDirectory].filter(exists).map((path) => {
    const { bavail, bsize, blocks, ffree, files } = statfsSync(path);
    return judgeDisk(path, {
      free: bavail * bsize,
      total: blocks * bsize,
      freeFiles: files === 0 ? Infinity : ffree,
    });
  });
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Judges the space on the disk of a path. */
export function judgeDisk(
  path: string,
  { free, total, freeFiles }: { free: number; total: number; freeFiles: number },
): Finding {
  const check = `disk of ${path}`;
  const space = `${formatBytes(free)} of ${formatBytes(total)} are free`;
  const remedy = "make space: logs, loaded code and the registry's database are kept there";
  if (free < DISK_FULL) return failure(check, space, remedy);
  if (freeFiles < 1_000) {
    return failure(check, `there is room for ${freeFiles} more files`, "remove files there");
  }
  if (free < DISK_NOTICE.bytes && free < total * DISK_NOTICE.part) {
    return warning(check, space, remedy);
  }
  return ok(check, space);
}

function checkFileLimit(): Finding {
  const check = "open files";
  const files = openFiles();
  if (!files) return skipped(check, "the limit is only known on Linux");
  const { limit } = files;
  if (limit === undefined) return ok(check, "a process may open any number");
  if (limit >= FILES_NOTICE) return ok(check, `a process may open ${limit}`);
  return warning(
    check,
    `a process may open ${limit}, and each connection takes one`,
    "raise the limit: LimitNOFILE= in a systemd unit, or ulimit -n",
  );
}
