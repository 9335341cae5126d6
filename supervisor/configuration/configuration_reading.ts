/**
 * Reads the configuration of a host, `ensemble.jsonc`, and reports all that is wrong in it at once.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { readRegularFile } from "../../runtime/home/files.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import { formatSize } from "../../runtime/measures.ts";
import { hostName } from "../../runtime/wire/address.ts";
import {
  type ConfigurationProblem,
  type ConfigurationReading,
  EVERY_HOST,
  HOST_FIELDS,
  hostLabel,
  MAX_CONFIGURATION,
  NO_HOST,
  type ReadingOptions,
} from "./configuration.ts";
import { MOST_SERVERS } from "./defaults.ts";
import { ConfigurationDocument, type FieldPath } from "./document.ts";
import { FILE_SHAPE, type FileValue } from "./fields.ts";
import { checkFiles } from "./file_checks.ts";
import { type NamedServer, namedServers } from "./inheritance.ts";
import { type CheckedFile, checkReferences, isHere } from "./reference_checks.ts";
import { registryFields, resolveConfiguration, ServerTable } from "./resolution.ts";
import { requireUnchangeable } from "./process_environment.ts";
import { readAs } from "./shapes.ts";
import { Variables } from "./variables.ts";

/**
 * Reads a configuration from a file.
 *
 * @throws {EnsembleError} if there is no file, or it cannot be read as text. Everything that is
 * wrong in it is among the problems instead.
 */
export async function readConfiguration(
  path: string,
  options: ReadingOptions = {},
): Promise<ConfigurationReading> {
  const file = resolve(path);
  return await parseConfiguration(await readText(file), { ...options, path: file });
}

/**
 * Reads a configuration from the text of a file, which need not be written yet.
 *
 * @param options.path the absolute path of the file, to which the paths in it are relative.
 */
export async function parseConfiguration(
  text: string,
  { path, host, servers: ids = [], environment, directory }: ReadingOptions & {
    readonly path: string;
  },
): Promise<ConfigurationReading> {
  const document = new ConfigurationDocument(text);
  const variables = new Variables(environment ?? Deno.env.toObject());
  const own = host ?? hostLabel(hostName());
  const file = readFile(document, variables);
  let files: string[] = [];
  if (file && checkCount(document, file)) {
    const servers = namedServers(file);
    const table = new ServerTable(servers);
    const here = servers.filter((server) => runsHere(server, { host: own, ids }));
    const checked = { file, servers, here, table, host: own, document };
    variables.reportUnset(document, (place) => matters(place, checked));
    checkReferences(checked);
    files = await checkFiles(checked, path);
  }
  return {
    text,
    hash: createHash("sha256").update(text).digest("hex"),
    problems: document.problems,
    files,
    configuration: file && !document.isWrong
      ? resolveConfiguration(file, { path, directory: directory ?? findPlaces().directory })
      : undefined,
  };
}

/** Writes a problem as compilers do, so that editors find the place: `path:line:column: ...`. */
export function formatProblem(
  file: string,
  { severity, line, column, path, message }: ConfigurationProblem,
): string {
  const kind = severity === "warning" ? "warning: " : "";
  return `${file}:${line}:${column}: ${kind}${path === "" ? "" : `${path}: `}${message}`;
}

/** The error for a configuration that cannot be used, with all that is wrong in it. */
export function wrongConfiguration(
  file: string,
  problems: readonly ConfigurationProblem[],
): EnsembleError {
  const errors = problems.filter(({ severity }) => severity === "error");
  const lines = errors.map((problem) => formatProblem(file, problem));
  return new EnsembleError(
    lines.length === 1 ? lines[0]! : `${lines.length} errors in ${file}:\n${lines.join("\n")}`,
    { code: "INVALID_INPUT" },
  );
}

/** The values of a file as far as they can be read; undefined if it is not even an object. */
function readFile(document: ConfigurationDocument, variables: Variables): FileValue | undefined {
  const { root } = document;
  return root && readAs(FILE_SHAPE, { node: root, path: [], document, variables });
}

/** Checks that there are not too many servers, before there is a list of them. */
function checkCount(
  document: ConfigurationDocument,
  { servers = {}, workers = [] }: FileValue,
): boolean {
  const counts = workers.map(({ count = 0 }) => count);
  const all = counts.reduce((sum, count) => sum + count, Object.keys(servers).length);
  if (all <= MOST_SERVERS) return true;
  document.error([], `too many servers: ${all}; at most ${MOST_SERVERS} are allowed`);
  return false;
}

/** Whether a server runs where the configuration is read. */
function runsHere(
  { id, own, hosts }: NamedServer,
  { host, ids }: { readonly host: string; readonly ids: readonly string[] },
): boolean {
  if (host !== EVERY_HOST) return isHere(hosts, host);
  return ids.length > 0 ? ids.includes(id) : own.enabled !== false;
}

/**
 * Whether a variable that is not set matters: a field of a server of another host is expanded there.
 * Where a server runs has to be known on every host.
 */
function matters(
  [section, name, field, part]: FieldPath,
  { file, servers, here, host }: CheckedFile,
): boolean {
  if (host === EVERY_HOST) {
    if (section === "registry" || section === "supervisor") return false;
    if (HOST_FIELDS.has(String(field)) || field === "log" && part !== "level") return false;
  }
  if (field === "host" || (section === "registry" && name === "host")) return true;
  if (section === "supervisor") return host !== NO_HOST;
  if (section === "registry") return isHere(registryFields(file.registry)?.host, host);
  const users = servers.filter(({ path, role }) =>
    section === "roles" ? role === name : path[0] === section && path[1] === name
  );
  if (users.length === 0) return host !== EVERY_HOST;
  return users.some((user) => here.includes(user));
}

async function readText(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new EnsembleError(
      `there is no configuration ${path}: make one with gxensemble config init, or name another ` +
        "with --config",
      { cause: error },
    );
  }
  await requireUnchangeable(path);
  if (bytes.length > MAX_CONFIGURATION) {
    throw new EnsembleError(
      `cannot read ${path}: it is larger than ${formatSize(MAX_CONFIGURATION)}`,
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new EnsembleError(`${path} is not UTF-8 text`);
  }
}
