/**
 * A secret of the ensemble that is replaced while servers run: the cookie, or the administrators'
 * public key. While its file with the ending `.next` exists, servers accept both.
 *
 * A host goes through these states, each of which is one atomic change of a file:
 *
 * 1. It has the current one.
 * 2. It has the next one, too.
 * 3. The next one has become the current one: both files are the same.
 * 4. It has only the new one.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../errors.ts";
import { readCookie, readNextCookie, requireCookie } from "../home/cookie.ts";
import { readRegularFile, removeDurably, withFileLock, writeWhole } from "../home/files.ts";
import type { Places } from "../home/paths.ts";
import { fingerprintOf, publicKeyFingerprint } from "../server/credentials.ts";
import { importAdminPublicKey, readAdminPublicKey, readNextAdminPublicKey } from "./admin_key.ts";

/** The secrets that can be rotated, by the names of their files. */
export const ROTATED = ["cookie", "admin.pub"] as const;

/** One of them. */
export type RotatedName = typeof ROTATED[number];

/** The state of a host, by the fingerprints of its files. */
export interface RotationState {
  /** That of the current one; absent if there is none. */
  readonly current?: string | undefined;
  /** That of the next one; absent if there is none. */
  readonly next?: string | undefined;
}

/** A secret in the files of a host. */
export class RotatedSecret {
  /** The path of the current one. */
  readonly path: string;
  /** The path of the next one. */
  readonly nextPath: string;
  readonly #name: RotatedName;
  readonly #places: Places;

  /** The secret with a name in the ensemble's directory. */
  constructor(name: RotatedName, places: Places) {
    this.#name = name;
    this.#places = places;
    this.path = name === "cookie" ? places.cookie : places.adminPublicKey;
    this.nextPath = name === "cookie" ? places.nextCookie : places.nextAdminPublicKey;
  }

  /**
   * The state of this host.
   *
   * @throws {EnsembleError} if a file is not valid, or, of the cookie, if there is none.
   */
  async state(): Promise<RotationState> {
    if (this.#name === "cookie") {
      const next = await readNextCookie(this.#places);
      const current = await readCookie(this.#places);
      return { current: await fingerprintOf(current), next: next && await fingerprintOf(next) };
    }
    const next = await readNextAdminPublicKey(this.#places);
    const current = await readAdminPublicKey(this.#places);
    return {
      current: current && await publicKeyFingerprint(current),
      next: next && await publicKeyFingerprint(next),
    };
  }

  /** The device and the inode of the directory: two hosts of one machine may share it. */
  async directory(): Promise<string> {
    const { dev, ino } = await Deno.stat(this.#places.directory);
    return `${dev}:${ino}`;
  }

  /**
   * The contents of the file of the next one.
   *
   * @throws {EnsembleError} if there is none, or it is not valid.
   */
  async next(): Promise<Uint8Array<ArrayBuffer>> {
    if ((await this.state()).next === undefined) {
      throw new EnsembleError(`there is no ${this.nextPath}: no rotation is under way`);
    }
    return await readRegularFile(this.nextPath);
  }

  /**
   * Takes the next one. Does nothing if this host has it already, as the next or the current one.
   *
   * @throws {InvalidInputError} if the contents are not valid.
   * @throws {EnsembleError} if another one is the next, or there is no current one.
   */
  take(contents: Uint8Array): Promise<RotationState> {
    return this.#locked(async ({ current, next }) => {
      const fingerprint = await this.#fingerprintOf(contents);
      if (next === fingerprint || (next === undefined && current === fingerprint)) return;
      if (current === undefined) {
        throw new EnsembleError(
          `there is no ${this.path}: the servers of this host enforce no capabilities`,
        );
      }
      // The rest of a rotation that was finished elsewhere may be replaced.
      const isRest = next !== undefined && next === current;
      if (next !== undefined && !isRest) throw this.#isAnother(next);
      const mode = this.#name === "cookie" ? 0o600 : 0o644;
      await writeWhole(this.nextPath, contents, { mode, replace: isRest });
    });
  }

  /**
   * Makes the next one the current one, too. Does nothing if it is.
   *
   * @param fingerprint that of the next one, so that no other is meant.
   * @throws {EnsembleError} if this host does not have it.
   */
  use(fingerprint: string): Promise<RotationState> {
    return this.#locked(async ({ current, next }) => {
      if (current === fingerprint) return;
      if (next !== fingerprint) throw this.#isNotThere(fingerprint);
      const mode = this.#name === "cookie" ? 0o600 : 0o644;
      const contents = await readRegularFile(this.nextPath);
      await writeWhole(this.path, contents, { mode, replace: true });
    });
  }

  /**
   * Ends the rotation: removes the file of the next one, which is the current one. Does nothing if
   * there is no such file.
   *
   * @throws {EnsembleError} if this host does not use it.
   */
  finish(fingerprint: string): Promise<RotationState> {
    return this.#locked(async ({ current, next }) => {
      if (current !== fingerprint) throw this.#isNotThere(fingerprint);
      if (next === undefined) return;
      if (next !== fingerprint) throw this.#isAnother(next);
      await removeDurably(this.nextPath);
    });
  }

  /**
   * Gives a rotation up: removes the next one. Does nothing if there is none.
   *
   * @throws {EnsembleError} if it is the current one already, or another one is the next.
   */
  abandon(fingerprint: string): Promise<RotationState> {
    return this.#locked(async ({ current, next }) => {
      if (current === fingerprint) {
        throw new EnsembleError(
          `${this.path} is the new one already: finish the rotation instead of giving it up`,
        );
      }
      if (next === undefined) return;
      if (next !== fingerprint) throw this.#isAnother(next);
      await removeDurably(this.nextPath);
    });
  }

  /** Changes the files while no other process does. Returns the state after it. */
  async #locked(change: (state: RotationState) => Promise<void>): Promise<RotationState> {
    return await withFileLock(`${this.#places.directory}/rotation.lock`, async () => {
      await change(await this.state());
      return await this.state();
    });
  }

  async #fingerprintOf(contents: Uint8Array): Promise<string> {
    if (this.#name === "cookie") return await fingerprintOf(requireCookie(contents));
    const text = new TextDecoder().decode(contents);
    return await publicKeyFingerprint(await importAdminPublicKey(text));
  }

  #isAnother(next: string): EnsembleError {
    return new EnsembleError(
      `another rotation is under way: ${this.nextPath} has the fingerprint ${next}: finish it or give it up first`,
    );
  }

  #isNotThere(fingerprint: string): EnsembleError {
    return new EnsembleError(
      `neither ${this.path} nor ${this.nextPath} has the fingerprint ${fingerprint}: copy the next one there`,
    );
  }
}

/**
 * Checks a name of a secret that can be rotated.
 *
 * @throws {InvalidInputError} if there is no such one.
 */
export function checkRotatedName(value: unknown): RotatedName {
  const name = ROTATED.find((each) => each === value);
  if (name) return name;
  throw new InvalidInputError(`not a secret that can be rotated: ${ROTATED.join(" or ")}`);
}
