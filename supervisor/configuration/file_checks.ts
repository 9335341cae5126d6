/**
 * Checks of the files and users that a configuration names, on the host where they are used.
 *
 * @module
 */
import { dirname } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { readSecretFile } from "../../runtime/home/files.ts";
import { findAccount } from "./account.ts";
import { EVERY_HOST, NO_HOST } from "./configuration.ts";
import type { FieldPath } from "./document.ts";
import { readVariableFile } from "./process_environment.ts";
import type { RegistryValue, RoleValue } from "./fields.ts";
import { mergeRole } from "./inheritance.ts";
import { type CheckedFile, isHere, placeOf } from "./reference_checks.ts";
import { absoluteFrom, registryFields, workingDirectoryOf } from "./resolution.ts";

/** What a file has to be. */
type FileKind = "file" | "directory" | "executable" | "secret" | "variables";

/** A file that a field names. */
interface NamedFile {
  /** Its path as it was written. */
  readonly path: string;
  /** The field, in the server. */
  readonly field: FieldPath;
  /** What it has to be. */
  readonly kind: FileKind;
}

/**
 * Checks the files of all processes that run on this host, and of roles that no server has; for
 * development, only those of the servers that run. Returns their paths.
 */
export async function checkFiles(checked: CheckedFile, path: string): Promise<string[]> {
  const { file, servers, here, host } = checked;
  if (host === NO_HOST) return [];
  const files = new FileChecks(checked, dirname(path));
  for (const server of here) await files.check(server.merged, (field) => placeOf(server, field));
  if (host === EVERY_HOST) return files.paths;
  const used = new Set(servers.map(({ role }) => role));
  for (const [name, role] of Object.entries(file.roles ?? {})) {
    if (used.has(name)) continue;
    await files.check(mergeRole(role, {}), (field) => ["roles", name, ...field]);
  }
  const registry = registryFields(file.registry);
  if (registry && isHere(registry.host, host)) {
    await files.check(registry, (field) => ["registry", ...field]);
  }
  const { httpToken } = file.supervisor ?? {};
  await files.check({ httpToken } as RoleValue, (field) => ["supervisor", ...field]);
  return files.paths;
}

/** Remembers what it found, since servers of one role have the same files. */
class FileChecks {
  readonly #checked: CheckedFile;
  readonly #base: string;
  readonly #faults = new Map<string, Promise<string | undefined>>();
  readonly #paths = new Set<string>();

  constructor(checked: CheckedFile, base: string) {
    this.#checked = checked;
    this.#base = base;
  }

  /** The files that were looked at. */
  get paths(): string[] {
    return [...this.#paths];
  }

  async check(
    fields: RoleValue | RegistryValue,
    place: (field: FieldPath) => FieldPath,
  ): Promise<void> {
    const { document, host } = this.#checked;
    const directory = workingDirectoryOf(fields, this.#base);
    for (const { path, field, kind } of filesOf(fields)) {
      // An unset variable is reported where it matters.
      if (path.includes("${")) continue;
      const absolute = absoluteFrom(kind === "directory" ? this.#base : directory, path);
      this.#paths.add(absolute);
      const fault = await this.#faultOf(absolute, kind);
      if (fault !== undefined) document.error(place(field), fault);
    }
    const { user } = fields;
    if (user === undefined || user.includes("${") || host === EVERY_HOST) return;
    const fault = await this.#remember(`user ${user}`, () => findUserFault(user));
    if (fault !== undefined) document.error(place(["user"]), fault);
  }

  #faultOf(path: string, kind: FileKind): Promise<string | undefined> {
    return this.#remember(`${kind} ${path}`, () => findFault(path, kind));
  }

  #remember(key: string, find: () => Promise<string | undefined>): Promise<string | undefined> {
    let fault = this.#faults.get(key);
    if (!fault) this.#faults.set(key, fault = find());
    return fault;
  }
}

function filesOf(fields: RoleValue | RegistryValue): NamedFile[] {
  const server: RoleValue = fields;
  const registry: RegistryValue = fields as RegistryValue;
  const named = (path: string | undefined, kind: FileKind, ...field: FieldPath): NamedFile[] =>
    path === undefined ? [] : [{ path, field, kind }];
  return [
    ...named(fields.workingDirectory, "directory", "workingDirectory"),
    ...named(server.module, "file", "module"),
    ...named(server.executable, "executable", "executable"),
    ...(fields.envFiles ?? []).flatMap((path, index) =>
      named(path, "variables", "envFiles", index)
    ),
    ...Object.entries(fields.env ?? {}).flatMap(([name, value]) =>
      typeof value === "string" ? [] : named(value.file, "secret", "env", name)
    ),
    ...named(fields.httpToken, "secret", "httpToken"),
    ...named(registry.storePasswordFile, "secret", "storePasswordFile"),
    ...named(registry.storeCa, "file", "storeCa"),
    ...named(registry.storeCert, "file", "storeCert"),
    ...named(registry.storeKey, "secret", "storeKey"),
  ];
}

/** What is wrong with a file; undefined if nothing is. */
async function findFault(path: string, kind: FileKind): Promise<string | undefined> {
  try {
    const { isFile, isDirectory, mode } = await Deno.stat(path);
    if (kind === "directory") return isDirectory ? undefined : `${path} is not a directory`;
    if (!isFile) return `${path} is ${isDirectory ? "a directory" : "not a regular file"}`;
    if (kind === "executable" && mode !== null && (mode & 0o111) === 0) {
      return `${path} is not executable: run "chmod +x ${path}"`;
    }
    if (kind === "secret") await readSecretFile(path, "secret");
    if (kind === "variables") await readVariableFile(path);
    return undefined;
  } catch (error) {
    if (error instanceof EnsembleError) return error.message;
    if (error instanceof Deno.errors.NotFound) {
      return `there is no ${kind === "directory" ? "directory" : "file"} ${path}`;
    }
    return `cannot read ${path}: ${(error as Error).message.replace(/ \(os error \d+\).*$/s, "")}`;
  }
}

/** Why this process could not run another as a user; undefined if it could. */
async function findUserFault(user: string): Promise<string | undefined> {
  try {
    await findAccount(user);
  } catch (error) {
    if (error instanceof EnsembleError) return error.message;
    throw error;
  }
}
