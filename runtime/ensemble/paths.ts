/**
 * Where the ensemble keeps its files.
 *
 * @module
 */
import { formatServerId, type ServerId } from "../actor/server_id.ts";
import { EnsembleError, InvalidInputError } from "../errors.ts";

/**
 * The directory of everything that outlives a process: `$GERBIL_PATH/ensemble`, by default
 * `~/.gerbil/ensemble`.
 *
 * @throws {EnsembleError} when neither `GERBIL_PATH` nor `HOME` is set.
 */
export function ensembleDirectory(): string {
  const root = Deno.env.get("GERBIL_PATH");
  if (root) return `${root}/ensemble`;
  const home = Deno.env.get("HOME");
  if (!home) {
    throw new EnsembleError(
      "no place for the ensemble's files: neither GERBIL_PATH nor HOME is set",
    );
  }
  return `${home}/.gerbil/ensemble`;
}

/** The secret that the servers of the ensemble share. */
export function cookiePath(): string {
  return `${ensembleDirectory()}/cookie`;
}

/** The public key of the ensemble's administrators, as SPKI PEM; servers that have it enforce capabilities. */
export function adminPublicKeyPath(): string {
  return `${ensembleDirectory()}/admin.pub`;
}

/** The private key of the ensemble's administrators, as PKCS#8 PEM in an age passphrase file. */
export function adminPrivateKeyPath(): string {
  return `${ensembleDirectory()}/admin.priv`;
}

/** What belongs to one server only: its log, the code loaded into it, the registry's database. */
export function serverDirectory(id: ServerId): string {
  return `${ensembleDirectory()}/server/${formatServerId(id)}`;
}

/**
 * The directory of the UNIX sockets of the servers on this host: `$ENSEMBLE_SOCKET_DIR`, by default
 * `/tmp/ensemble`.
 *
 * @throws {InvalidInputError} when `ENSEMBLE_SOCKET_DIR` is a relative path: servers started in
 * different directories would not find each other.
 */
export function socketDirectory(): string {
  const directory = Deno.env.get("ENSEMBLE_SOCKET_DIR");
  if (!directory) return "/tmp/ensemble";
  if (!directory.startsWith("/")) {
    throw new InvalidInputError(`ENSEMBLE_SOCKET_DIR is no absolute path: ${directory}`);
  }
  return directory.replace(/(?<=.)\/+$/, "");
}

/** The UNIX socket that a server on this host listens at. */
export function socketPath(id: ServerId): string {
  return `${socketDirectory()}/${formatServerId(id)}`;
}
