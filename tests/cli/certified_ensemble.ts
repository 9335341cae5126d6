/**
 * An ensemble with a certificate authority.
 */
import assert from "node:assert/strict";
import { findPlaces } from "../../runtime/home/paths.ts";
import { openssl } from "../certificate_tools.ts";
import { PASSPHRASE, sealCheaply } from "../cheap_passphrase.ts";
import {
  type CertifiedKey,
  createIssuing,
  createRevocationList,
  createRoot,
} from "../../runtime/pki/certificate_profile.ts";
import { daysFromNow, DEFAULT_DAYS, parseHost } from "../../runtime/pki/certificate_terms.ts";
import { openIssuing } from "../../runtime/pki/certificate_authority.ts";
import { issueCertificates } from "../../runtime/pki/certificate_issuing.ts";
import { encodePem } from "../../runtime/pki/pem.ts";
import { workHere } from "../commands_here.ts";
import { type Outcome, TemporaryEnsemble } from "../temporary_ensemble.ts";

/** The certificates that {@linkcode CertifiedEnsemble.certify} issues to a server. */
export interface Certified {
  id: string;
  capabilities?: string[];
  hosts?: string[];
  days?: number;
}

/** A temporary ensemble, and operations on its authority. */
export class CertifiedEnsemble extends TemporaryEnsemble {
  /** The directory of the ensemble's files. */
  readonly home = `${this.gerbilPath}/ensemble`;

  /** A file that contains the passphrase. */
  readonly passphraseFile = `${this.directory}/passphrase`;

  /** Makes an ensemble without an authority. */
  constructor() {
    super();
    Deno.writeTextFileSync(this.passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
  }

  /** Makes an ensemble with an authority, which all tests of a file share. */
  static async create(): Promise<CertifiedEnsemble> {
    const ensemble = new CertifiedEnsemble();
    await CertifiedEnsemble.giveAuthority(ensemble.home);
    return ensemble;
  }

  /**
   * Copies an authority, whose passphrase is {@linkcode PASSPHRASE}, into the files of an ensemble.
   */
  static async giveAuthority(home: string): Promise<void> {
    const files = await (CertifiedEnsemble.#authority ??= CertifiedEnsemble.#setUp());
    await Deno.mkdir(`${home}/tls/issued`, { recursive: true, mode: 0o700 });
    for (const [name, text] of files) {
      await Deno.writeTextFile(`${home}/tls/${name}`, text, { mode: 0o600 });
    }
  }

  /** Issues certificates in an ensemble that has the authority of {@linkcode giveAuthority}. */
  static async certify(places: TemporaryEnsemble, certificates: Certified[]): Promise<void> {
    await workHere(places.environment, async () => {
      const issuing = await openIssuing(findPlaces(), () => Promise.resolve(PASSPHRASE));
      for (const { id, capabilities = [], hosts = [], days = DEFAULT_DAYS } of certificates) {
        const options = {
          places: findPlaces(),
          issuing,
          capabilities,
          hosts: hosts.map(parseHost),
          days,
        };
        await issueCertificates([id], options);
      }
    });
  }

  static #authority: Promise<[name: string, text: string][]> | undefined;

  static async #setUp(): Promise<[name: string, text: string][]> {
    const domain = "ensemble.internal";
    const root = await createRoot(domain);
    const issuing = await createIssuing(domain, root);
    const certificate = ({ certificate }: CertifiedKey) =>
      encodePem("CERTIFICATE", certificate.rawData);
    const sealed = async ({ key }: CertifiedKey) => {
      const pem = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", key));
      return await sealCheaply(pem, PASSPHRASE);
    };
    return [
      ["root.pem", certificate(root)],
      ["issuing.pem", certificate(issuing)],
      ["root.key.age", await sealed(root)],
      ["issuing.key.age", await sealed(issuing)],
      ["crl.pem", await createRevocationList(issuing, { nextUpdate: daysFromNow(DEFAULT_DAYS) })],
    ];
  }

  /** Runs a command of `gxensemble ca` with the passphrase. */
  async ca(command: string, ...args: string[]): Promise<Outcome> {
    const options = command === "show" ? [] : ["--passphrase-file", this.passphraseFile];
    return await this.run("ca", command, ...options, ...args);
  }

  /** Runs a command of `gxensemble ca` that must succeed, and returns its output. */
  async done(command: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.ca(command, ...args);
    assert.equal(code, 0, stderr);
    return stdout;
  }

  /** The path of a file of the ensemble. */
  path(name: string): string {
    return `${this.home}/${name}`;
  }

  /**
   * Verifies a certificate with openssl: whether it leads to the root and, with `-crl_check`, is
   * not revoked.
   */
  async verify(certificate: string, ...options: string[]): Promise<Outcome> {
    const authority = [
      "-CAfile",
      this.path("tls/root.pem"),
      "-untrusted",
      this.path("tls/issuing.pem"),
    ];
    const crl = ["-CRLfile", this.path("tls/crl.pem")];
    return await openssl("verify", ...authority, ...crl, "-x509_strict", ...options, certificate);
  }
}

/** The names in a directory, sorted. */
export function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

/** The permissions of a file, in octal digits. */
export function permissionsOf(path: string): string {
  return (Deno.statSync(path).mode! & 0o777).toString(8);
}
