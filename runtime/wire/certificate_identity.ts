/**
 * Who a certificate names: the server, and what it may do inside others.
 *
 * Both are URIs among the certificate's subject alternative names: `srv:httpd1`, `cap:shutdown`.
 *
 * @see RFC 5280, 4.1 and 4.2.1.6
 * @module
 */
import { parseCapabilities } from "../actor/capability.ts";
import { parseServerId, type ServerId } from "../actor/server_id.ts";
import { InvalidInputError } from "../errors.ts";
import {
  type DerElement,
  expectTag,
  readAscii,
  readDer,
  readInside,
  readSerial,
  readTime,
  Tag,
} from "./der.ts";

/** The object identifier of the subject alternative names, 2.5.29.17. */
const SUBJECT_ALTERNATIVE_NAME = "551d11";

/** Where the extensions are in what is signed of a certificate. */
const EXTENSIONS = Tag.CONSTRUCTED_CONTEXT + 3;

/** A `uniformResourceIdentifier` among the names. */
const URI = Tag.CONTEXT + 6;

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
  const { serial, validity, extensions } = readCertificate(der);
  const [notBefore, notAfter] = readDer(validity.content);
  const uris = readUris(extensions);
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
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
  };
}

interface CertificateFields {
  serial: string;
  validity: DerElement;
  extensions: DerElement | undefined;
}

function readCertificate(der: Uint8Array): CertificateFields {
  const [signed] = readInside(der, Tag.SEQUENCE);
  const fields = readDer(expectTag(signed, Tag.SEQUENCE).content);
  // The version, which a certificate of version 1 leaves out; such a one has no names either.
  expectTag(fields[0], Tag.CONSTRUCTED_CONTEXT);
  return {
    serial: readSerial(fields[1]),
    validity: expectTag(fields[4], Tag.SEQUENCE),
    extensions: fields.find(({ tag }) => tag === EXTENSIONS),
  };
}

function readUris(extensions: DerElement | undefined): string[] {
  if (extensions === undefined) return [];
  const found = readInside(extensions.content, Tag.SEQUENCE)
    .map(({ content }) => readDer(content))
    .filter(([id]) =>
      expectTag(id, Tag.OBJECT_IDENTIFIER).content.toHex() === SUBJECT_ALTERNATIVE_NAME
    );
  if (found.length > 1) throw new InvalidInputError("the certificate has its names twice");
  if (found.length === 0) return [];
  // Between the identifier and the value may stand whether the extension is critical.
  const { content } = expectTag(found[0]!.at(-1), Tag.OCTET_STRING);
  return readInside(content, Tag.SEQUENCE)
    .filter(({ tag }) => tag === URI)
    .map((name) => readAscii(name.content));
}

function withScheme(uris: string[], scheme: string): string[] {
  return uris.filter((uri) => uri.startsWith(scheme)).map((uri) => uri.slice(scheme.length));
}
