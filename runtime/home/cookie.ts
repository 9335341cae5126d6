/**
 * The cookie: the secret with which the servers of an ensemble authenticate each other.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../errors.ts";
import { isThere, readSecretFile, writeWhole } from "./files.ts";
import type { Places } from "./paths.ts";

/** As long as the output of SHA-256, the hash that handshakes are authenticated with. */
const COOKIE_BYTES = 32;

/** The shortest cookie that a program may pass, in bytes: 128 bits cannot be guessed. */
const LEAST_BYTES = 16;

/** Options of {@linkcode createCookie}. */
export interface CreateCookieOptions {
  /** Whether to replace an existing cookie. Servers with the old one can no longer connect. */
  force?: boolean;
}

/**
 * Generates the cookie of the ensemble: random bytes in a file that only its owner can read.
 *
 * @returns the path of the file.
 * @throws {EnsembleError} if there is a cookie already, or the file cannot be written.
 */
export async function createCookie(
  places: Places,
  options: CreateCookieOptions = {},
): Promise<string> {
  const path = places.cookie;
  // What cannot be looked at cannot be written either, which is said below.
  if (await isThere(places.nextCookie).catch(() => false)) {
    throw new EnsembleError(
      `a rotation is under way: there is ${places.nextCookie}: finish it with "gxensemble cookie --rotate", or give it ` +
        `up with "gxensemble cookie --abort"`,
    );
  }
  try {
    await Deno.mkdir(places.directory, { recursive: true, mode: 0o700 });
    await writeWhole(path, generateCookie(), { mode: 0o600, replace: options.force ?? false });
    return path;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new EnsembleError(
        `a cookie exists already: ${path}: to replace it, run "gxensemble cookie -f"; then copy the new one to ` +
          `all servers and restart them; to replace it while they run, run "gxensemble cookie --rotate"`,
        { cause: error },
      );
    }
    if (error instanceof EnsembleError) throw error;
    throw new EnsembleError(`cannot write the cookie ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Reads the cookie of the ensemble.
 *
 * @throws {EnsembleError} if there is none, it is damaged, or other users can read it.
 */
export async function readCookie(places: Places): Promise<Uint8Array<ArrayBuffer>> {
  const path = places.cookie;
  try {
    return await readCookieFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new EnsembleError(
      `no cookie at ${path}: make one with "gxensemble cookie", or copy that of the ` +
        `ensemble to join`,
      { code: "NO_COOKIE", cause: error },
    );
  }
}

/**
 * Reads the next cookie, which exists only during a rotation.
 *
 * @returns undefined if there is none.
 * @throws {EnsembleError} if it is damaged, or other users can read it.
 */
export async function readNextCookie(
  places: Places,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await readCookieFile(places.nextCookie);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Reads the cookie of the ensemble; during a rotation, the next one and that.
 *
 * @throws {EnsembleError} as {@linkcode readCookie} does.
 */
export async function readCookies(places: Places): Promise<Uint8Array[]> {
  // The next one first: when it becomes the current one, the file of the current one changes before
  // that of the next one is removed.
  const next = await readNextCookie(places);
  const current = await readCookie(places);
  return next ? [next, current] : [current];
}

async function readCookieFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const cookie = await readSecretFile(path, "cookie");
  if (cookie.length === COOKIE_BYTES) return cookie;
  throw new EnsembleError(`not a cookie: ${path}: ${whatIsWrong(cookie)}`);
}

/**
 * Checks the contents of the file of a cookie.
 *
 * @throws {InvalidInputError} if they are no cookie.
 */
export function requireCookie(contents: Uint8Array): Uint8Array<ArrayBuffer> {
  if (contents.length === COOKIE_BYTES) return new Uint8Array(contents);
  throw new InvalidInputError(`not a cookie: ${whatIsWrong(contents)}`);
}

/** Makes a cookie. */
export function generateCookie(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(COOKIE_BYTES));
}

/**
 * Returns the cookie that a program passes.
 *
 * @throws {InvalidInputError} if it is too short.
 */
export function cookieFrom(given: Uint8Array | string): Uint8Array {
  const cookie = typeof given === "string" ? new TextEncoder().encode(given) : given;
  if (cookie instanceof Uint8Array && cookie.length >= LEAST_BYTES) return cookie;
  throw new InvalidInputError(
    `the cookie is too short: it must have at least ${LEAST_BYTES} bytes`,
  );
}

/** Describes the damage of a cookie that was truncated, or changed by an editor or a terminal. */
function whatIsWrong(bytes: Uint8Array): string {
  if (bytes.length === 0) {
    return 'it is empty: copy it again, or make one with "gxensemble cookie -f"';
  }
  const text = `it has ${bytes.length} bytes instead of ${COOKIE_BYTES}`;
  const ending = new TextDecoder().decode(bytes.subarray(COOKIE_BYTES));
  if (ending === "\n" || ending === "\r\n") {
    return `${text}: a line break was added at its end: remove it with "truncate -s ${COOKIE_BYTES}"`;
  }
  return bytes.length < COOKIE_BYTES
    ? `${text}: it was truncated: copy it again`
    : `${text}: copy it again as a binary file`;
}
