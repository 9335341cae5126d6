/**
 * The files that a package may have: their names below the ensemble's directory, their modes, and
 * what they have to be.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import { checkServerId } from "../../runtime/actor/references.ts";
import { requireCookie } from "../../runtime/home/cookie.ts";
import type { Places } from "../../runtime/home/paths.ts";
import { importAdminPublicKey } from "../../runtime/pki/admin_key.ts";
import { decodePem } from "../../runtime/pki/pem.ts";
import { quoted } from "../../runtime/safe_text.ts";

/** The largest file of a package, in bytes. */
export const MAX_PACKAGED_FILE: number = 2 ** 20;

/** The maximum number of files in a package. */
export const MAX_PACKAGED_FILES = 5_000;

/** A file of a package. */
export interface PackagedFile {
  /** Its name below the ensemble's directory: `server/web1/tls/key.pem`. */
  readonly name: string;
  /** Its contents. */
  readonly contents: Uint8Array<ArrayBuffer>;
}

/** What a file has to be. */
interface FileKind {
  /** Its mode. */
  readonly mode: number;
  /** Checks its contents. */
  check(contents: Uint8Array): unknown;
}

/** A file with a secret. */
const PRIVATE = 0o600;
const PUBLIC = 0o644;

/** The files directly below known directories. */
const KINDS: Readonly<Record<string, FileKind>> = {
  "cookie": { mode: PRIVATE, check: requireCookie },
  "cookie.next": { mode: PRIVATE, check: requireCookie },
  "admin.pub": { mode: PUBLIC, check: (contents) => importAdminPublicKey(textOf(contents)) },
  "admin.pub.next": { mode: PUBLIC, check: (contents) => importAdminPublicKey(textOf(contents)) },
  "known-servers": { mode: PUBLIC, check: textOf },
  // Environment variables in it may be secrets.
  "ensemble.jsonc": { mode: PRIVATE, check: textOf },
  "tls/root.pem": { mode: PUBLIC, check: (contents) => decodePem("CERTIFICATE", textOf(contents)) },
  "tls/crl.pem": { mode: PUBLIC, check: (contents) => decodePem("X509 CRL", textOf(contents)) },
};

/** The files of each server. */
const SERVER_KINDS: Readonly<Record<string, FileKind>> = {
  "cert.pem": { mode: PUBLIC, check: (contents) => decodePem("CERTIFICATE", textOf(contents)) },
  "key.pem": { mode: PRIVATE, check: (contents) => decodePem("PRIVATE KEY", textOf(contents)) },
};

/**
 * The mode of a file.
 *
 * @throws {InvalidInputError} if a package has no file of that name.
 */
export function modeOf(name: string): number {
  return kindOf(name).mode;
}

/**
 * Checks a file of a package.
 *
 * @throws {EnsembleError} if it has another name than files of a package, or is not what the name
 * says.
 */
export async function checkPackagedFile({ name, contents }: PackagedFile): Promise<void> {
  const kind = kindOf(name);
  try {
    await kind.check(contents);
  } catch (error) {
    const { message } = error as Error;
    throw new EnsembleError(`${name} in the package is not valid: ${message}`, { cause: error });
  }
}

/** The path of a file on a host. */
export function pathOf(name: string, { directory }: Places): string {
  kindOf(name);
  return `${directory}/${name}`;
}

/** The name of a file of a server. */
export function serverFileName(id: string, file: "cert.pem" | "key.pem"): string {
  return `server/${id}/tls/${file}`;
}

/** Only these names are known, so none leads out of the directory. */
function kindOf(name: string): FileKind {
  if (Object.hasOwn(KINDS, name)) return KINDS[name]!;
  const [top, id, tls, file, ...rest] = name.split("/");
  const isServer = top === "server" && tls === "tls" && rest.length === 0;
  if (isServer && file !== undefined && Object.hasOwn(SERVER_KINDS, file)) {
    checkServerId(id!);
    return SERVER_KINDS[file]!;
  }
  throw new InvalidInputError(`a package has no file ${quoted(name)}`);
}

function textOf(contents: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(contents);
}
