/**
 * A server's TLS files, in use.
 *
 * @module
 */
import type { ServerId } from "../actor/server_id.ts";
import { AuthenticationError } from "../errors.ts";
import type { Certified, TlsCredentials } from "../server/certified.ts";
import { identityOf } from "../wire/certificate_identity.ts";
import type { TlsMaterial } from "../wire/tls_transport.ts";
import { readTlsIdentity, type TlsIdentity } from "./tls_identity.ts";

/** What a server shows and trusts on tls, from files that can be read again while it runs. */
export class TlsFiles implements TlsCredentials {
  #identity: TlsIdentity;
  readonly #callbacks: (() => void)[] = [];

  private constructor(identity: TlsIdentity) {
    this.#identity = identity;
  }

  /**
   * Reads the files of a server; see {@linkcode readTlsIdentity}.
   *
   * @returns undefined when it has none.
   */
  static async read(id: ServerId): Promise<TlsFiles | undefined> {
    const identity = await readTlsIdentity(id);
    return identity && new TlsFiles(identity);
  }

  /**
   * Reads the files again: certificates and the revocation list hold for all connections from now on, and
   * those that stand are left alone.
   *
   * @throws {EnsembleError} when they are not good; what was read before stays in use.
   */
  async reread(): Promise<void> {
    const identity = await readTlsIdentity(this.#identity.certificate.id);
    if (!identity) return;
    this.#identity = identity;
    for (const callback of this.#callbacks) callback();
  }

  /** See `TlsSource.current`. */
  current(): TlsMaterial {
    return this.#identity;
  }

  /** See `TlsSource.onChange`. */
  onChange(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** See {@linkcode TlsCredentials.identify}. */
  identify(certificate: Uint8Array): Certified {
    const { id, capabilities, serial } = identityOf(new Uint8Array(certificate));
    if (this.#identity.revocationList.serials.has(serial)) {
      throw new AuthenticationError(`the certificate of ${id} was revoked (serial ${serial})`);
    }
    return { id, capabilities, serial };
  }
}
