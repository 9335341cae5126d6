/**
 * Certificates for one run of the benchmark.
 *
 * @module
 */
import {
  createIssuing,
  createRoot,
  createServerCertificate,
} from "../../runtime/pki/certificate_profile.ts";
import { encodePem } from "../../runtime/pki/pem.ts";
import { certifiedBy } from "../../runtime/pki/tls_files.ts";
import type { TlsCredentials } from "../../runtime/server/credentials.ts";

/** Makes an authority and a certificate for each server, in a directory. */
export async function makeCertificates(directory: string, ids: string[]): Promise<void> {
  const root = await createRoot("bench.internal");
  const issuing = await createIssuing("bench.internal", root);
  const toPem = ({ certificate }: typeof root) => encodePem("CERTIFICATE", certificate.rawData);
  await Deno.writeTextFile(`${directory}/root.pem`, toPem(root));
  for (const id of ids) {
    const server = await createServerCertificate(issuing, {
      id: id,
      capabilities: [],
      hosts: [{ type: "ip", value: "127.0.0.1" }],
      days: 1,
    });
    const key = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", server.key));
    await Deno.writeTextFile(`${directory}/${id}.key`, key, { mode: 0o600 });
    await Deno.writeTextFile(`${directory}/${id}.pem`, toPem(server) + toPem(issuing));
  }
}

/** A server's certificate, and the authorities it trusts. */
export async function readCredentials(directory: string, id: string): Promise<TlsCredentials> {
  const { cert, key, ca } = await readTlsFiles(directory, id);
  const material = { chain: cert, key, roots: [ca] };
  return {
    current: () => material,
    onChange: () => {},
    identify: (certificate) => certifiedBy(certificate, { serials: new Set() }),
  };
}

/** The same for a bare socket: options of `node:tls`. */
export async function readTlsFiles(
  directory: string,
  id: string,
): Promise<{ cert: string; key: string; ca: string; minVersion: "TLSv1.3" }> {
  const read = (name: string) => Deno.readTextFile(`${directory}/${name}`);
  return {
    cert: await read(`${id}.pem`),
    key: await read(`${id}.key`),
    ca: await read("root.pem"),
    minVersion: "TLSv1.3",
  };
}
