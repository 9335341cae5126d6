/**
 * A file server that speaks https, with a certificate that only configured clients trust.
 *
 * @module
 */
import {
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "../../runtime/pki/x509.ts";
import { encodePem } from "../../runtime/pki/pem.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** The validity of its certificate, in ms. */
const VALIDITY = 3_600_000;

/** Answers by file name; ends with `await using`. */
export class SecureMirror implements AsyncDisposable {
  /** The responses. */
  answer: (name: string) => Response;
  readonly #certificate: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(
    answer: (name: string) => Response,
    { certificate, key }: { certificate: string; key: string },
  ) {
    this.answer = answer;
    this.#certificate = certificate;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert: certificate, key, onListen() {} },
      (request) => this.answer(new URL(request.url).pathname.slice(1)),
    );
  }

  /** Starts a server on a free port of the loopback interface. */
  static async start(answer: (name: string) => Response): Promise<SecureMirror> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: "CN=mirror",
      notBefore: new Date(Date.now() - VALIDITY),
      notAfter: new Date(Date.now() + VALIDITY),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [new SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }])],
    });
    return new SecureMirror(answer, {
      certificate: encodePem("CERTIFICATE", certificate.rawData),
      key: encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", keys.privateKey)),
    });
  }

  /** The URL of its files. */
  get url(): string {
    return `https://127.0.0.1:${this.#server.addr.port}`;
  }

  /**
   * The environment in which curl and wget trust it. The files for that are written to a directory.
   */
  trust(directory: string): Record<string, string> {
    const certificate = `${directory}/mirror.pem`;
    const settings = `${directory}/wgetrc`;
    Deno.writeTextFileSync(certificate, this.#certificate);
    Deno.writeTextFileSync(settings, `ca_certificate = ${certificate}\n`);
    return { CURL_CA_BUNDLE: certificate, WGETRC: settings };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
