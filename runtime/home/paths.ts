/**
 * The paths of the ensemble's files and sockets on a host.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../errors.ts";

/** Directories for files and sockets, instead of those from the environment. */
export interface PlacesOptions {
  /**
   * The directory of everything that outlives a process. Default: `$GERBIL_PATH/ensemble`, else
   * `~/.gerbil/ensemble`.
   */
  readonly directory?: string | undefined;
  /** The directory of UNIX sockets. Default: `$ENSEMBLE_SOCKET_DIR`, else `/tmp/ensemble`. */
  readonly socketDirectory?: string | undefined;
}

/** The certificate and private key files of a server. */
export interface ServerTlsPaths {
  /** Its certificate, followed by that of the issuing authority, PEM. */
  readonly certificate: string;
  /** Its private key, PKCS#8 PEM, unencrypted, since a server starts without a user. */
  readonly key: string;
}

/** The files of the certificate authority. Hosts that only run servers have `root` and `crl`. */
export interface AuthorityPaths {
  /** The root's certificate, PEM, which servers trust. */
  readonly root: string;
  /** The root's private key, PKCS#8 PEM in an age passphrase file. */
  readonly rootKey: string;
  /** The issuing authority's certificate, PEM. */
  readonly issuing: string;
  /** The issuing authority's private key, PKCS#8 PEM in an age passphrase file. */
  readonly issuingKey: string;
  /** The revocation list, PEM. */
  readonly crl: string;
  /** The directory of issued certificates, `<serial>.pem` each. */
  readonly issued: string;
}

/**
 * The paths of an ensemble's files and sockets. It is created once, where a command or a server
 * starts, and passed to everything that reads or writes files. Nothing else reads the environment.
 */
export class Places {
  /** The directory of everything that outlives a process. */
  readonly directory: string;
  /** The directory of the UNIX sockets of the servers on this host. */
  readonly socketDirectory: string;

  /**
   * Creates the paths below two directories.
   *
   * @throws {InvalidInputError} if one of them is not an absolute path, since servers started in
   * different directories would not share a cookie, or not find each other.
   */
  constructor(directory: string, socketDirectory: string) {
    this.directory = requireAbsolute(directory, "the directory of the ensemble");
    this.socketDirectory = requireAbsolute(socketDirectory, "the socket directory");
  }

  /** The file of the secret that the servers of the ensemble share. */
  get cookie(): string {
    return `${this.directory}/cookie`;
  }

  /** The file of the next cookie, which exists only during a rotation: servers accept either. */
  get nextCookie(): string {
    return `${this.directory}/cookie.next`;
  }

  /** The configuration of the host's supervisor. */
  get configuration(): string {
    return `${this.directory}/ensemble.jsonc`;
  }

  /** The file `known-servers`. */
  get knownServers(): string {
    return `${this.directory}/known-servers`;
  }

  /**
   * The public key of the ensemble's administrators, SPKI PEM. Servers that have it enforce
   * capabilities.
   */
  get adminPublicKey(): string {
    return `${this.directory}/admin.pub`;
  }

  /**
   * The next public key, which exists only while the key pair is being rotated: servers that
   * enforce capabilities accept either.
   */
  get nextAdminPublicKey(): string {
    return `${this.directory}/admin.pub.next`;
  }

  /** The private key that belongs to the next public key. */
  get nextAdminPrivateKey(): string {
    return `${this.directory}/admin.priv.next`;
  }

  /** The private key of the ensemble's administrators, PKCS#8 PEM in an age passphrase file. */
  get adminPrivateKey(): string {
    return `${this.directory}/admin.priv`;
  }

  /** The directory of what was learned about the modules of loaded programs. It may be removed. */
  get analyses(): string {
    return `${this.directory}/analyses`;
  }

  /** The directory of one server: its log, the code loaded into it, the registry's database. */
  server(id: string): string {
    return `${this.directory}/server/${id}`;
  }

  /** The TLS files of one server. */
  serverTls(id: string): ServerTlsPaths {
    const directory = `${this.server(id)}/tls`;
    return { certificate: `${directory}/cert.pem`, key: `${directory}/key.pem` };
  }

  /** The directory of the certificate authority. */
  get authorityDirectory(): string {
    return `${this.directory}/tls`;
  }

  /** The file that is locked while the files of the certificate authority change. */
  get authorityLock(): string {
    return `${this.directory}/tls.lock`;
  }

  /** The files of the certificate authority. */
  get authority(): AuthorityPaths {
    return authorityPaths(this.authorityDirectory);
  }

  /** The UNIX socket on which a server on this host listens. */
  socket(id: string): string {
    return `${this.socketDirectory}/${id}`;
  }
}

/** The files of the certificate authority in a directory, or in one that will become it. */
export function authorityPaths(directory: string): AuthorityPaths {
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
 * Finds the paths of this host's ensemble: from the options, else from the environment variables
 * `GERBIL_PATH` and `ENSEMBLE_SOCKET_DIR`, else the defaults.
 *
 * @throws {EnsembleError} if no directory was given, and neither `GERBIL_PATH` nor `HOME` is set.
 * @throws {InvalidInputError} if one of them is a relative path.
 */
export function findPlaces({ directory, socketDirectory }: PlacesOptions = {}): Places {
  return new Places(directory ?? ensembleDirectory(), socketDirectory ?? defaultSockets());
}

function ensembleDirectory(): string {
  const root = Deno.env.get("GERBIL_PATH");
  if (root) return `${requireAbsolute(root, "GERBIL_PATH")}/ensemble`;
  const home = Deno.env.get("HOME");
  if (home) return `${home}/.gerbil/ensemble`;
  throw new EnsembleError(
    "no place for the ensemble's files: neither GERBIL_PATH nor HOME is set",
  );
}

function defaultSockets(): string {
  const directory = Deno.env.get("ENSEMBLE_SOCKET_DIR");
  return directory ? requireAbsolute(directory, "ENSEMBLE_SOCKET_DIR") : "/tmp/ensemble";
}

/** Checks a path, and removes trailing slashes. */
function requireAbsolute(path: string, what: string): string {
  if (typeof path === "string" && path.startsWith("/")) return path.replace(/(?<=.)\/+$/, "");
  throw new InvalidInputError(`${what} is not an absolute path: ${path}`);
}
