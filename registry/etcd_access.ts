/**
 * The files with which a registry proves itself to etcd, and checks who answers.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../runtime/errors.ts";
import { readRegularFile, readSecretFile } from "../runtime/home/files.ts";
import type { EtcdAccess } from "./etcd_gateway.ts";

/** The access to etcd, from the options of `gxensemble registry`. */
export interface EtcdAccessFiles {
  /** The name of an etcd user. */
  readonly storeUser?: string | undefined;
  /** The file with the user's password: its first line. */
  readonly storePasswordFile?: string | undefined;
  /** The file with the certificates of the authorities of the members. */
  readonly storeCa?: string | undefined;
  /** The file with the client certificate. */
  readonly storeCert?: string | undefined;
  /** The file with the private key of the certificate. */
  readonly storeKey?: string | undefined;
}

/**
 * Reads the files.
 *
 * @throws {InvalidInputError} if one of two that belong together is missing.
 * @throws {EnsembleError} if a file cannot be read, or other users have access to a secret.
 */
export async function readEtcdAccess(
  { storeUser, storePasswordFile, storeCa, storeCert, storeKey }: EtcdAccessFiles,
): Promise<EtcdAccess> {
  requireBoth({ "--store-user": storeUser, "--store-password-file": storePasswordFile });
  requireBoth({ "--store-cert": storeCert, "--store-key": storeKey });
  const password = await readText(
    storePasswordFile,
    (path) => readSecretFile(path, "password file"),
  );
  return {
    user: storeUser,
    password: password?.split(/\r?\n/)[0],
    authorities: await readText(storeCa, readCertificates),
    certificate: await readText(storeCert, readCertificates),
    key: await readText(storeKey, (path) => readSecretFile(path, "private key")),
  };
}

function requireBoth(options: Record<string, string | undefined>): void {
  const [given, missing] = Map.groupBy(
    Object.keys(options),
    (option) => options[option] === undefined,
  ).values();
  if (given && missing) throw new InvalidInputError(`${given} and ${missing} go together`);
}

/** Deno ignores a file without certificates. */
async function readCertificates(path: string): Promise<Uint8Array> {
  const bytes = await readRegularFile(path);
  if (new TextDecoder().decode(bytes).includes("-----BEGIN CERTIFICATE-----")) return bytes;
  throw new EnsembleError(`there is no certificate in ${path}: it must have some as PEM`);
}

async function readText(
  path: string | undefined,
  read: (path: string) => Promise<Uint8Array>,
): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return new TextDecoder().decode(await read(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new EnsembleError(`cannot read ${path}: there is no such file`, { cause: error });
  }
}
