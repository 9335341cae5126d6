/**
 * A server's TLS files, in use.
 *
 * @module
 */
import type { ServerId } from "../actor/server_id.ts";
import { AuthenticationError, EnsembleError } from "../errors.ts";
import type { Certified, TlsCredentials } from "../server/certified.ts";
import { identityOf } from "../pki/certificate_identity.ts";
import type { RevocationList } from "../pki/revocation_list.ts";
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
    const { id } = this.#identity.certificate;
    const identity = await readTlsIdentity(id);
    if (!identity) throw new EnsembleError(`the certificate of ${id} is not there any more`);
    this.#identity = identity;
    for (const callback of this.#callbacks) callback();
  }

  /** See `TlsSource.current`. */
  current(): TlsIdentity {
    return this.#identity;
  }

  /** See `TlsSource.onChange`. */
  onChange(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** See {@linkcode TlsCredentials.identify}. */
  identify(certificate: Uint8Array): Certified {
    return certifiedBy(certificate, this.#identity.revocationList);
  }
}

/**
 * Reads the certificate of a peer, whose chain TLS has checked. Its dates are looked at again: TLS does not,
 * where a client resumes what an earlier connection agreed on.
 *
 * @throws {InvalidInputError} when it names no server.
 * @throws {AuthenticationError} when it is revoked, or not valid now.
 */
export function certifiedBy(
  certificate: Uint8Array,
  revoked: Pick<RevocationList, "serials">,
): Certified {
  const { id, capabilities, serial, notBefore, notAfter } = identityOf(new Uint8Array(certificate));
  const refuse = (why: string) =>
    new AuthenticationError(`the certificate of ${id} ${why} (serial ${serial})`);
  if (revoked.serials.has(serial)) throw refuse("was revoked");
  if (Date.now() < notBefore.getTime()) throw refuse(`is valid from ${notBefore.toISOString()} on`);
  if (Date.now() > notAfter.getTime()) throw refuse(`expired at ${notAfter.toISOString()}`);
  return { id, capabilities, serial };
}
