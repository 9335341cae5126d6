/**
 * The administrators' key pair. The holder of the private key can get every capability.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../errors.ts";
import {
  isThere,
  readRegularFile,
  readSecretFile,
  removeDurably,
  unreadable,
  writeWhole,
} from "../home/files.ts";
import type { Places } from "../home/paths.ts";
import { publicKeyFingerprint } from "../server/credentials.ts";
import { decodePem, encodePem, openPrivateKey, sealPrivateKey } from "./pem.ts";

/**
 * Checks that there is no key pair yet.
 *
 * @throws {EnsembleError} if there is one.
 */
export async function requireNoAdminKey(places: Places): Promise<void> {
  if (await isThere(places.adminPublicKey) || await hasAdminPrivateKey(places)) {
    throw pairExists(places);
  }
}

/** Options of {@linkcode createAdminKey}. */
export interface CreateAdminKeyOptions {
  /** The passphrase that encrypts the private key. */
  passphrase: string;
  /**
   * Whether to replace an existing pair. Running servers keep the public key that they started
   * with.
   */
  force?: boolean;
}

/**
 * Creates an Ed25519 key pair: `admin.pub`, SPKI PEM, and `admin.priv`, which only its owner can
 * read; see {@linkcode sealPrivateKey}.
 *
 * @throws {EnsembleError} if there is a pair already, or it cannot be written.
 */
export async function createAdminKey(
  places: Places,
  options: CreateAdminKeyOptions,
): Promise<void> {
  const replace = options.force ?? false;
  await Deno.mkdir(places.directory, { recursive: true, mode: 0o700 });
  if (await isThere(places.nextAdminPublicKey)) {
    throw new EnsembleError(
      `a rotation is under way: there is ${places.nextAdminPublicKey}: finish it with "gxensemble admin --rotate", or ` +
        `give it up with "gxensemble admin --abort"`,
    );
  }
  if (!replace) await requireNoAdminKey(places);
  const { sealed, open } = await generateSealedPair(options.passphrase);
  try {
    // The private key first: with a public key but no private key, no one could administer the
    // servers.
    await writeWhole(places.adminPrivateKey, sealed, { mode: 0o600, replace });
    await writeWhole(places.adminPublicKey, open, { mode: 0o644, replace });
  } catch (error) {
    throw error instanceof Deno.errors.AlreadyExists ? pairExists(places) : error;
  }
}

/**
 * Reads the public key.
 *
 * @returns undefined if there is none; then capabilities are not enforced.
 * @throws {EnsembleError} if the file is not such a key. A server then does not start, since it
 * would enforce nothing.
 */
export async function readAdminPublicKey(
  places: Places,
): Promise<CryptoKey | undefined> {
  return await readPublicKey(places.adminPublicKey);
}

/**
 * Reads the public key; while the pair is being rotated, the next one and that.
 *
 * @returns none if there is no public key; then capabilities are not enforced.
 * @throws {EnsembleError} as {@linkcode readAdminPublicKey} does.
 */
export async function readAdminPublicKeys(places: Places): Promise<CryptoKey[]> {
  // The next one first, for the reason in `readCookies`.
  const next = await readNextAdminPublicKey(places);
  const current = await readAdminPublicKey(places);
  if (!current) return [];
  return next && !await areSame(current, next) ? [next, current] : [current];
}

/**
 * Reads the next public key, which exists only while the pair is being rotated.
 *
 * @returns undefined if there is none.
 * @throws {EnsembleError} if the file is not such a key.
 */
export async function readNextAdminPublicKey(places: Places): Promise<CryptoKey | undefined> {
  return await readPublicKey(places.nextAdminPublicKey);
}

async function areSame(one: CryptoKey, other: CryptoKey): Promise<boolean> {
  return await publicKeyFingerprint(one) === await publicKeyFingerprint(other);
}

async function readPublicKey(path: string): Promise<CryptoKey | undefined> {
  let text: string;
  try {
    text = new TextDecoder().decode(await readRegularFile(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    // A dangling link does not mean that nothing is to be enforced.
    if (!await isThere(path)) return undefined;
    throw unreadable(path, error);
  }
  try {
    return await importPublicKey(text);
  } catch (error) {
    throw new EnsembleError(`${path} is not an Ed25519 public key: ${(error as Error).message}`);
  }
}

/**
 * Imports the public key from SPKI PEM.
 *
 * @throws {InvalidInputError} if the text is not such a key.
 */
export async function importAdminPublicKey(text: string): Promise<CryptoKey> {
  try {
    return await importPublicKey(text);
  } catch (error) {
    const { message } = error as Error;
    throw new InvalidInputError(`adminKey is not an Ed25519 public key: ${message}`, {
      cause: error,
    });
  }
}

/**
 * Opens a private key that a program gives as text: PKCS#8 PEM, or the text of `admin.priv`.
 *
 * @throws {InvalidInputError} if the text is no such key, or takes a passphrase and none is given.
 * @throws {EnsembleError} if the passphrase is wrong.
 */
export async function openGivenKey(
  { key: text, passphrase }: { readonly key: string; readonly passphrase?: string },
): Promise<CryptoKey> {
  const algorithm = { name: "Ed25519" };
  if (text.includes("-----BEGIN AGE ENCRYPTED FILE-----")) {
    if (passphrase === undefined) {
      throw new InvalidInputError("the private key is encrypted: it takes a passphrase");
    }
    const ask = () => Promise.resolve(passphrase);
    return await openPrivateKey({ path: "the private key", text, algorithm, passphrase: ask });
  }
  try {
    const der = decodePem("PRIVATE KEY", text);
    return await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  } catch (error) {
    const { message } = error as Error;
    throw new InvalidInputError(`not an Ed25519 private key: ${message}`, { cause: error });
  }
}

async function importPublicKey(text: string): Promise<CryptoKey> {
  const der = decodePem("PUBLIC KEY", text);
  return await crypto.subtle.importKey("spki", der, "Ed25519", true, ["verify"]);
}

/** Whether this host has the private key, so that its passphrase can be asked for. */
export async function hasAdminPrivateKey(places: Places): Promise<boolean> {
  return await isThere(places.adminPrivateKey);
}

/**
 * Opens the private key.
 *
 * @param passphrase asks for the passphrase. It is not called for a key that no passphrase can
 * open.
 * @throws {EnsembleError} if there is none, it is damaged, other users can read it, or the
 * passphrase is wrong.
 */
export async function openAdminPrivateKey(
  places: Places,
  passphrase: () => Promise<string>,
): Promise<CryptoKey> {
  return await openKeyFile(places.adminPrivateKey, passphrase);
}

/**
 * Opens the private key that belongs to the next public key.
 *
 * @throws {EnsembleError} as {@linkcode openAdminPrivateKey} does.
 */
export async function openNextAdminPrivateKey(
  places: Places,
  passphrase: () => Promise<string>,
): Promise<CryptoKey> {
  return await openKeyFile(places.nextAdminPrivateKey, passphrase);
}

async function openKeyFile(path: string, passphrase: () => Promise<string>): Promise<CryptoKey> {
  let text: string;
  try {
    const bytes = await readSecretFile(path, "administrators' private key");
    text = new TextDecoder().decode(bytes);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw unreadable(path, error);
  }
  return await openPrivateKey({ path, text, algorithm: { name: "Ed25519" }, passphrase });
}

/**
 * Makes the next key pair: writes its private key, and returns its public key, which becomes the
 * next one when that is written.
 *
 * @returns SPKI PEM.
 */
export async function makeNextAdminKey(places: Places, passphrase: string): Promise<string> {
  const { sealed, open } = await generateSealedPair(passphrase);
  await writeWhole(places.nextAdminPrivateKey, sealed, { mode: 0o600, replace: true });
  return open;
}

/**
 * Has the next private key take the place of the current one, whose public key is given up. Does
 * nothing if there is no next one.
 */
export async function useNextAdminPrivateKey(places: Places): Promise<void> {
  try {
    const next = await readSecretFile(places.nextAdminPrivateKey, "administrators' private key");
    await writeWhole(places.adminPrivateKey, next, { mode: 0o600, replace: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Removes the file of the next private key, if there is one.
 *
 * @throws {EnsembleError} if it cannot be removed.
 */
export async function removeNextAdminPrivateKey(places: Places): Promise<void> {
  try {
    await removeDurably(places.nextAdminPrivateKey);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function generateSealedPair(
  passphrase: string,
): Promise<{ readonly sealed: string; readonly open: string }> {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const { privateKey, publicKey } = pair as CryptoKeyPair;
  const sealed = await sealPrivateKey(privateKey, passphrase);
  const open = encodePem("PUBLIC KEY", await crypto.subtle.exportKey("spki", publicKey));
  return { sealed, open };
}

function pairExists(places: Places): EnsembleError {
  return new EnsembleError(
    `an administrator key pair exists already: ${places.adminPublicKey} and ` +
      `${places.adminPrivateKey}: to replace it, run "gxensemble admin -f"; servers enforce the new one ` +
      `after they are restarted; to replace it while they run, run "gxensemble admin --rotate"`,
  );
}
