/**
 * Certificates for programs: an authority that issues them, and reading them.
 *
 * @example Servers that speak TLS, without files
 * ```ts
 * import { startServer } from "@gxensemble/ensemble";
 * import { CertificateAuthority } from "@gxensemble/ensemble/certificates";
 *
 * const authority = await CertificateAuthority.create("ensemble.internal");
 * await using server = await startServer("web1", {
 *   listen: ["tls://127.0.0.1:4001"],
 *   certificates: await authority.issue("web1", { capabilities: ["loader"] }),
 * });
 * ```
 *
 * @module
 */
import { checkServerId } from "../actor/references.ts";
import { findPlaces, type Places } from "../home/paths.ts";
import { parseCapabilities } from "../server/capability_names.ts";
import { openIssuing, readAuthority, readAuthorityFile } from "./certificate_authority.ts";
import { issueCertificates, revokeCertificates } from "./certificate_issuing.ts";
import { parseCertificate } from "./certificate_parser.ts";
import {
  type CertifiedKey,
  createIssuing,
  createRevocationList,
  createRoot,
  createServerCertificate,
  domainOf,
  toPem,
} from "./certificate_profile.ts";
import {
  daysFromNow,
  DEFAULT_DAYS,
  hostsOf,
  parseDnsName,
  parseHost,
} from "./certificate_terms.ts";
import { decodePem, encodePem } from "./pem.ts";

/**
 * The certificates of a server, each as PEM.
 *
 * @example Certificates from a secret store
 * ```ts
 * import { startServer } from "@gxensemble/ensemble";
 * import type { CertificateTexts } from "@gxensemble/ensemble/certificates";
 *
 * const certificates: CertificateTexts = JSON.parse(Deno.env.get("WEB1_CERTIFICATES")!); await
 * using server = await startServer("web1", { listen: ["tls://10.0.0.2:4001"], certificates });
 * ```
 */
export interface CertificateTexts {
  /** The server's certificate, followed by that of the issuing authority. */
  readonly certificate: string;
  /** Its private key, PKCS#8, not encrypted. */
  readonly key: string;
  /** The certificate of the root that it trusts. */
  readonly authority: string;
  /** The revocation list of the issuing authority. */
  readonly revocations: string;
}

/**
 * Options of {@linkcode CertificateAuthority.issue}.
 *
 * @example A certificate for two names and 30 days
 * ```ts
 * import { CertificateAuthority, type IssueOptions } from "@gxensemble/ensemble/certificates";
 *
 * const options: IssueOptions = { hosts: ["web.example.org", "10.0.0.2"], days: 30 };
 * const authority = await CertificateAuthority.create("ensemble.internal");
 * const certificates = await authority.issue("web1", options);
 * ```
 */
export interface IssueOptions {
  /** The server's capabilities in every other server. Default: none. */
  readonly capabilities?: readonly string[];
  /** Hosts of the server, as names or IP addresses, besides `<server-id>.<domain>` and loopback. */
  readonly hosts?: readonly string[];
  /** The validity of the certificate in days. Default: 397. */
  readonly days?: number;
}

/**
 * The contents of a server's certificate.
 *
 * @example Warn a month before it expires
 * ```ts
 * import { type CertificateInfo, readCertificate } from "@gxensemble/ensemble/certificates";
 *
 * const MONTH = 30 * 24 * 60 * 60 * 1_000;
 * const expiresSoon = ({ notAfter }: CertificateInfo) => +notAfter - Date.now() < MONTH;
 *
 * const text = await Deno.readTextFile("server.crt");
 * if (expiresSoon(readCertificate(text))) console.warn("renew the certificate");
 * ```
 */
export interface CertificateInfo {
  /** The server's id. */
  readonly id: string;
  /** Its capabilities in every other server. */
  readonly capabilities: readonly string[];
  /** The serial number, in hex. */
  readonly serial: string;
  /** The time from which it is valid. */
  readonly notBefore: Date;
  /** The time at which it expires. */
  readonly notAfter: Date;
}

/**
 * Reads the first certificate in a text, PEM. It is not verified.
 *
 * @throws {EnsembleError} if there is none.
 * @throws {InvalidInputError} if it is not the certificate of a server.
 *
 * @example Print the contents of a certificate
 * ```ts
 * import { readCertificate } from "@gxensemble/ensemble/certificates";
 *
 * const { id, capabilities, notAfter } = readCertificate(await Deno.readTextFile("server.crt"));
 * console.log(`${id} may do ${capabilities.join()} until ${notAfter.toISOString()}`);
 * ```
 */
export function readCertificate(text: string): CertificateInfo {
  return parseCertificate(decodePem("CERTIFICATE", text));
}

/** The keys of an authority, and the location of its files. */
interface Authority {
  readonly issuing: CertifiedKey;
  /** The certificate of the root, PEM. */
  readonly root: string;
  /** Undefined for an authority in memory. */
  readonly places: Places | undefined;
}

/**
 * A certificate authority, which issues certificates to servers and revokes them.
 *
 * @example Issue certificates with the authority of this host
 * ```ts
 * import { CertificateAuthority } from "@gxensemble/ensemble/certificates";
 *
 * const passphrase = await Deno.readTextFile("passphrase");
 * const authority = await CertificateAuthority.open({ passphrase });
 * const certificates = await authority.issue("web1", { hosts: ["10.0.0.2"] });
 * await Deno.writeTextFile("web1.json", JSON.stringify(certificates));
 * ```
 */
export class CertificateAuthority {
  /** The DNS domain of the names of servers. */
  readonly domain: string;
  readonly #authority: Authority;
  /** The serial numbers issued in memory, by server. */
  readonly #issued = new Map<string, string[]>();
  #revocations: string | undefined;

  private constructor(authority: Authority) {
    this.#authority = authority;
    this.domain = domainOf(authority.issuing.certificate);
  }

  /**
   * Makes an authority in memory. Its keys are lost with the process, so it is for tests, and for
   * ensembles that one program starts completely.
   *
   * @throws {InvalidInputError} if the domain is not a DNS name.
   */
  static async create(domain: string): Promise<CertificateAuthority> {
    const root = await createRoot(parseDnsName(domain));
    const issuing = await createIssuing(domain, root);
    return new CertificateAuthority({ issuing, root: toPem(root), places: undefined });
  }

  /**
   * Opens the authority that `gxensemble ca setup` made on this host.
   *
   * @param options.directory the directory of the ensemble's files. Default: as for `startServer`.
   * @throws {EnsembleError} if there is none, or the passphrase is wrong.
   */
  static async open(
    { passphrase, directory }: { readonly passphrase: string; readonly directory?: string },
  ): Promise<CertificateAuthority> {
    const places = findPlaces({ directory });
    await readAuthority(places);
    const issuing = await openIssuing(places, () => Promise.resolve(passphrase));
    const root = await readAuthorityFile(places.authority.root);
    return new CertificateAuthority({ issuing, root, places });
  }

  /**
   * Issues a certificate to a server, with a new key. An authority with files also writes both to
   * the server's directory, as `gxensemble ca cert` does.
   *
   * @returns the value for the option `certificates` of `startServer`.
   * @throws {InvalidInputError} if the id, a capability or a host is not valid.
   */
  async issue(id: string, options: IssueOptions = {}): Promise<CertificateTexts> {
    checkServerId(id);
    const { issuing, root, places } = this.#authority;
    const capabilities = parseCapabilities([...options.capabilities ?? []]);
    const hosts = (options.hosts ?? []).map(parseHost);
    const { days = DEFAULT_DAYS } = options;
    if (places) {
      await issueCertificates([id], { places, issuing, capabilities, hosts, days });
      const paths = places.serverTls(id);
      return {
        certificate: await Deno.readTextFile(paths.certificate),
        key: await Deno.readTextFile(paths.key),
        authority: root,
        revocations: await this.revocations(),
      };
    }
    const names = hostsOf(id, { domain: this.domain, hosts });
    const made = await createServerCertificate(issuing, { id, capabilities, hosts: names, days });
    const certificate = toPem(made);
    const { serial } = readCertificate(certificate);
    this.#issued.set(id, [...this.#issued.get(id) ?? [], serial]);
    return {
      certificate: certificate + toPem(issuing),
      key: encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", made.key)),
      authority: root,
      revocations: await this.revocations(),
    };
  }

  /**
   * Revokes all certificates of a server. Other servers refuse them once they have the new list,
   * {@linkcode CertificateAuthority.revocations}.
   *
   * @returns the revoked serial numbers, in hex.
   */
  async revoke(id: string): Promise<string[]> {
    const { issuing, places } = this.#authority;
    if (places) {
      return (await revokeCertificates(id, { places, issuing })).map(({ serial }) => serial);
    }
    const serials = this.#issued.get(id) ?? [];
    this.#issued.delete(id);
    this.#revocations = await this.#sign(serials);
    return serials;
  }

  /** The revocation list, PEM. */
  async revocations(): Promise<string> {
    const { places } = this.#authority;
    if (places) return await readAuthorityFile(places.authority.crl);
    return this.#revocations ??= await this.#sign([]);
  }

  #sign(serials: readonly string[]): Promise<string> {
    return createRevocationList(this.#authority.issuing, {
      ...this.#revocations !== undefined && { previous: this.#revocations },
      serials,
      nextUpdate: daysFromNow(DEFAULT_DAYS),
    });
  }
}
