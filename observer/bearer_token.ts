/**
 * The token that a client of the HTTP endpoint has to send.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { EnsembleError } from "../runtime/errors.ts";
import { readSecretFile } from "../runtime/home/files.ts";

/** The shortest token, in characters: `openssl rand -hex 16` makes 32. */
const SHORTEST = 16;

/** The characters of a token (RFC 6750, 2.1). */
const TOKEN = /^[\w.~+/-]+=*$/;

/** A token in a file. */
export class BearerToken {
  readonly #path: string;
  #digest: Uint8Array;

  private constructor(path: string, token: string) {
    this.#path = path;
    this.#digest = digestOf(token);
  }

  /**
   * Reads a token: the first line of a file that no other user can read.
   *
   * @throws {EnsembleError} if it cannot be read, or is no token of at least 16 characters.
   */
  static async read(path: string): Promise<BearerToken> {
    return new BearerToken(path, await readToken(path));
  }

  /**
   * Reads the file again, so that the token can be changed.
   *
   * @throws {EnsembleError} if that fails; then the previous token stays in use.
   */
  async reread(): Promise<void> {
    this.#digest = digestOf(await readToken(this.#path));
  }

  /** Whether the header `Authorization` of a request has this token. Takes the same time for any. */
  isIn(authorization: string | undefined): boolean {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
    return token !== undefined && timingSafeEqual(digestOf(token), this.#digest);
  }
}

async function readToken(path: string): Promise<string> {
  let bytes;
  try {
    bytes = await readSecretFile(path, "token");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new EnsembleError(
      `there is no token ${path}: make one with "(umask 077; openssl rand -hex 16 >${path})"`,
    );
  }
  const [line = ""] = new TextDecoder().decode(bytes).split("\n");
  const token = line.trim();
  if (token.length >= SHORTEST && TOKEN.test(token)) return token;
  throw new EnsembleError(
    `${path} has no token: its first line has to have at least ${SHORTEST} of the characters ` +
      "A-Z a-z 0-9 - . _ ~ + /",
  );
}

/** All digests have the same length, whatever was sent. */
function digestOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
