/**
 * Who a certificate names: the server, and what it may do inside others.
 *
 * Both are URIs among the certificate's subject alternative names: `srv:httpd1`, `cap:shutdown`.
 *
 * @see RFC 5280, 4.1 and 4.2.1.6
 * @module
 */
import {
  Certificate,
  type Extension,
  id_ce_subjectAltName,
  SubjectAlternativeName,
} from "npm:@peculiar/asn1-x509@^2.11.1";
import { parseCapabilities } from "../actor/capability.ts";
import { parseServerId, type ServerId } from "../actor/references.ts";
import { InvalidInputError } from "../errors.ts";
import { formatSerial, parseDer } from "./der.ts";

/** What a certificate says of the server that it was issued to. */
export interface CertificateIdentity {
  /** The server's id. */
  readonly id: ServerId;
  /** The capabilities that it has in every server while it is connected, sorted; often none. */
  readonly capabilities: readonly string[];
  /** The certificate's serial number, in capital hexadecimal digits as `openssl x509 -serial` writes it. */
  readonly serial: string;
  /** From when on it is valid. */
  readonly notBefore: Date;
  /** Until when it is valid. */
  readonly notAfter: Date;
}

/**
 * Reads whom a certificate names. It verifies nothing: that is for TLS, before.
 *
 * @param der the certificate. Any bytes may be given: what is no such certificate is refused.
 * @throws {InvalidInputError} when it is no X.509 certificate, names no server or more than one, or has a
 * `srv:` or `cap:` URI that is malformed. Other names are ignored.
 */
export function identityOf(der: Uint8Array): CertificateIdentity {
  const { serialNumber, validity, extensions } = parseDer(der, Certificate).tbsCertificate;
  const serial = formatSerial(serialNumber);
  const uris = readUris(extensions ?? []);
  const servers = withScheme(uris, "srv:");
  if (servers.length !== 1) {
    throw new InvalidInputError(
      `the certificate ${serial} names ${servers.length} servers where it should name one: ` +
        `it was not issued with "gxensemble ca cert"`,
    );
  }
  return {
    id: parseServerId(servers[0]!),
    capabilities: parseCapabilities(withScheme(uris, "cap:")),
    serial,
    notBefore: validity.notBefore.getTime(),
    notAfter: validity.notAfter.getTime(),
  };
}

function readUris(extensions: Iterable<Extension>): string[] {
  const [names, ...others] = [...extensions].filter(({ extnID }) =>
    extnID === id_ce_subjectAltName
  );
  if (names === undefined) return [];
  if (others.length > 0) throw new InvalidInputError("the certificate has its names twice");
  const value = new Uint8Array(names.extnValue.buffer);
  return [...parseDer(value, SubjectAlternativeName)]
    .map(({ uniformResourceIdentifier }) => uniformResourceIdentifier)
    .filter((uri) => uri !== undefined)
    .map(requireAscii);
}

function requireAscii(uri: string): string {
  // deno-lint-ignore no-control-regex -- all of ASCII
  if (!/^[\x00-\x7f]*$/.test(uri)) throw new InvalidInputError("a name is not ASCII");
  return uri;
}

function withScheme(uris: string[], scheme: string): string[] {
  return uris.filter((uri) => uri.startsWith(scheme)).map((uri) => uri.slice(scheme.length));
}
