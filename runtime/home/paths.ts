/**
 * Where the ensemble keeps its files.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../errors.ts";

/**
 * The directory of everything that outlives a process: `$GERBIL_PATH/ensemble`, by default
 * `~/.gerbil/ensemble`.
 *
 * @throws {EnsembleError} when neither `GERBIL_PATH` nor `HOME` is set.
 * @throws {InvalidInputError} when `GERBIL_PATH` is a relative path: servers started in different
 * directories would not share a cookie.
 */
export function ensembleDirectory(): string {
  const root = Deno.env.get("GERBIL_PATH");
  if (root && !root.startsWith("/")) {
    throw new InvalidInputError(`GERBIL_PATH is no absolute path: ${root}`);
  }
  if (root) return `${root.replace(/(?<=.)\/+$/, "")}/ensemble`;
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

/** The addresses of servers that were given by hand. */
export function knownServersPath(): string {
  return `${ensembleDirectory()}/known-servers`;
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
export function serverDirectory(id: string): string {
  return `${ensembleDirectory()}/server/${id}`;
}

/** What a server shows to its peers, and what it proves with that it is its own. */
export interface ServerTlsPaths {
  /** Its certificate, followed by that of the issuing authority, PEM. */
  readonly certificate: string;
  /** Its private key, PKCS#8 PEM, unencrypted: a server starts without anybody to ask. */
  readonly key: string;
}

/** The TLS files of one server. */
export function serverTlsPaths(id: string): ServerTlsPaths {
  const directory = `${serverDirectory(id)}/tls`;
  return { certificate: `${directory}/cert.pem`, key: `${directory}/key.pem` };
}

/** The files of the certificate authority. Hosts that only run servers have `root` and `crl`. */
export interface AuthorityPaths {
  /** The root's certificate, PEM: what servers trust. */
  readonly root: string;
  /** The root's private key, PKCS#8 PEM in an age passphrase file. */
  readonly rootKey: string;
  /** The issuing authority's certificate, PEM. */
  readonly issuing: string;
  /** The issuing authority's private key, PKCS#8 PEM in an age passphrase file. */
  readonly issuingKey: string;
  /** The revocation list, PEM. */
  readonly crl: string;
  /** The directory of the certificates issued, `<serial>.pem` each. */
  readonly issued: string;
}

/** The directory of the certificate authority. */
export function authorityDirectory(): string {
  return `${ensembleDirectory()}/tls`;
}

/** What is locked while the files of the certificate authority change. */
export function authorityLockPath(): string {
  return `${ensembleDirectory()}/tls.lock`;
}

/** The files of the certificate authority, in its directory or in one that is to become it. */
export function authorityPaths(directory: string = authorityDirectory()): AuthorityPaths {
  return {
    root: `${directory}/root.pem`,
    rootKey: `${directory}/root.key.age`,
    issuing: `${directory}/issuing.pem`,
    issuingKey: `${directory}/issuing.key.age`,
    crl: `${directory}/crl.pem`,
    issued: `${directory}/issued`,
  };
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
export function socketPath(id: string): string {
  return `${socketDirectory()}/${id}`;
}
