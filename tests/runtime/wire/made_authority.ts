/**
 * A certificate authority for tests, which also issues certificates that a proper one would not.
 *
 * @module
 */
import {
  type CertifiedKey,
  createIssuing,
  createRoot,
} from "../../../runtime/pki/certificate_profile.ts";
import { encodePem } from "../../../runtime/pki/pem.ts";
import { certifiedBy } from "../../../runtime/pki/tls_files.ts";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralNames,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "../../../runtime/pki/x509.ts";
import type { Certified, TlsCredentials } from "../../../runtime/server/credentials.ts";
import type { TlsMaterial } from "../../../runtime/wire/tls_transport.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const HOUR = 60 * 60 * 1000;

/** The unusual properties of a certificate. */
export interface CertificateOptions {
  /** Its URIs in addition to `srv:` and the id. */
  uris?: string[];
  /** The hosts of its server; default `localhost` and `127.0.0.1`. */
  hosts?: JsonGeneralNames;
  /** How long ago it became valid, in ms. */
  since?: number;
  /** How much longer it is valid, in ms. */
  left?: number;
  /** Its purposes; default both server and client. */
  usages?: ExtendedKeyUsage[];
  /** Whether its holder may sign certificates; default false. */
  authority?: boolean;
  /** The signer instead of the issuing authority, with the chain from there to the root. */
  issuer?: { signer: CertifiedKey; chain: CertifiedKey[] };
}

/** Certificates and trusted roots of a server, which can be replaced while it runs. */
export class MadeCredentials implements TlsCredentials {
  /** The revoked serial numbers. */
  readonly revoked = new Set<string>();
  readonly #callbacks: (() => void)[] = [];
  #material: TlsMaterial;

  /** Starts with these files. */
  constructor(material: TlsMaterial) {
    this.#material = material;
  }

  /** See `TlsSource.current`. */
  current(): TlsMaterial {
    return this.#material;
  }

  /** See `TlsSource.onChange`. */
  onChange(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** Replaces everything, like reading the files again. */
  change({ chain, key, roots }: TlsMaterial): void {
    this.#material = { chain, key, roots };
    for (const callback of this.#callbacks) callback();
  }

  /** See `TlsCredentials.identify`. */
  identify(certificate: Uint8Array): Certified {
    return certifiedBy(certificate, { serials: this.revoked });
  }
}

/** The certificate of a server, its key, and the other files it needs. */
export interface MadeCertificate extends TlsMaterial {
  /** Its serial number, as `Certified` has it. */
  readonly serial: string;
  /** Its holder as an issuing authority, although it is not one. */
  readonly issuer: NonNullable<CertificateOptions["issuer"]>;
}

/** A root, an issuing authority, and the certificates they issue. */
export class MadeAuthority {
  readonly #root: CertifiedKey;
  readonly #issuing: CertifiedKey;

  private constructor(root: CertifiedKey, issuing: CertifiedKey) {
    this.#root = root;
    this.#issuing = issuing;
  }

  /** Makes an authority. */
  static async create(): Promise<MadeAuthority> {
    const root = await createRoot("test.internal");
    return new MadeAuthority(root, await createIssuing("test.internal", root));
  }

  /** The root's certificate, PEM. */
  get root(): string {
    return toPem([this.#root]);
  }

  /** Makes a key and its certificate. Without an id, it has only the given URIs. */
  async issue(id: string | undefined, options: CertificateOptions = {}): Promise<MadeCertificate> {
    const {
      uris = [],
      hosts = [{ type: "dns", value: "localhost" }, { type: "ip", value: "127.0.0.1" }],
      since = HOUR,
      left = HOUR,
      usages = [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
      authority = false,
      issuer = { signer: this.#issuing, chain: [this.#issuing] },
    } = options;
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const names = [...(id === undefined ? [] : [`srv:${id}`]), ...uris];
    const certificate = await X509CertificateGenerator.create({
      serialNumber: `40${crypto.getRandomValues(new Uint8Array(15)).toHex()}`,
      subject: `CN=${id ?? "nobody"}`,
      issuer: issuer.signer.certificate.subjectName,
      notBefore: new Date(Date.now() - since),
      notAfter: new Date(Date.now() + left),
      publicKey: keys.publicKey,
      signingKey: issuer.signer.key,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(authority, undefined, true),
        new ExtendedKeyUsageExtension(usages),
        new SubjectAlternativeNameExtension([
          ...names.map((value) => ({ type: "url" as const, value })),
          ...hosts,
        ]),
      ],
    });
    const made = { certificate, key: keys.privateKey };
    return {
      chain: toPem([made, ...issuer.chain]),
      key: encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", keys.privateKey)),
      roots: [this.root],
      serial: certificate.serialNumber.toUpperCase(),
      issuer: { signer: made, chain: [made, ...issuer.chain] },
    };
  }

  /** The same as credentials, in one step. */
  async credentials(id: string | undefined, options?: CertificateOptions) {
    const { chain, key, roots } = await this.issue(id, options);
    return new MadeCredentials({ chain, key, roots });
  }
}

function toPem(chain: CertifiedKey[]): string {
  return chain.map(({ certificate }) => encodePem("CERTIFICATE", certificate.rawData)).join("");
}
