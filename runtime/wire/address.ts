/**
 * Addresses of servers.
 *
 * Each has two forms, which are both accepted everywhere: a URL (`unix:/path`, `tcp://host:port`,
 * `tls://host:port`) and a list (`(unix: "host" "/path")`, `(tcp: "host:port")`).
 *
 * @module
 */
import { quoted, shorten } from "../safe_text.ts";
import { InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import {
  type Datum,
  formatNotation,
  isKeyword,
  isList,
  isSymbol,
  keyword,
  parseNotation,
} from "../notation.ts";

/** The file of a socket. No other file of a running host has both numbers. */
export interface SocketFile {
  /** The number of its device. */
  readonly device: number;
  /** The number of its inode. */
  readonly inode: number;
}

/** A UNIX domain socket. It exists on one host only. */
export interface UnixAddress {
  /** Distinguishes kinds of addresses. */
  readonly kind: "unix";
  /** The name of the socket's host, as {@linkcode hostName} returns it there. */
  readonly host: string;
  /** The absolute path of the socket on that host. */
  readonly path: string;
  /**
   * The file that the server made there, which tells the socket from any other at its path,
   * whatever the host is called. It is not part of the written forms.
   *
   * @internal
   */
  readonly file?: SocketFile | undefined;
}

/** A TCP port, plain or under TLS. */
export interface InternetAddress {
  /** Distinguishes kinds of addresses. */
  readonly kind: "tcp" | "tls";
  /**
   * A host name, an IPv4 address, or an IPv6 address without brackets; a link-local one has its
   * zone: `fe80::1%eth0`.
   */
  readonly host: string;
  /** 0 to 65535. With 0, a server listens on any free port; it cannot be connected to. */
  readonly port: number;
}

/** An address of a server. */
export type Address = UnixAddress | InternetAddress;

const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?$/;
const EXPECTED =
  `write unix:/path, tcp://host:port, tls://host:port, (unix: "host" "/path"), (tcp: "host:port") ` +
  `or (tls: "host:port")`;

let name: string | undefined;

/**
 * The name of this host, as in its UNIX addresses. It is the name from when this process first
 * asked, so that its existing addresses remain local when the host is renamed.
 */
export function hostName(): string {
  return name ??= Deno.hostname();
}

/** Whether an address may be on this host: it is not a UNIX socket of a host with another name. */
export function isLocal(address: Address): boolean {
  return address.kind !== "unix" || address.host === hostName();
}

/** Whether a host name or IP address is this host's own, which no other host can connect to. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d+){3}$/.test(host);
}

/** The address of a UNIX socket on this host. The path is absolute. */
export function localUnixAddress(path: string): UnixAddress {
  return unixAddress(hostName(), path, () => path);
}

/**
 * Parses addresses in either form: one or several, separated by spaces or in a list.
 *
 * @throws {InvalidInputError} if one of them is not an address, naming it and the reason.
 */
export function parseAddresses(text: string): Address[] {
  return addressesFromData(parseNotation(text));
}

/**
 * Converts values of the notation to addresses, as {@linkcode parseAddresses} does.
 *
 * @throws {InvalidInputError} if one of them is not an address, naming it and the reason.
 */
export function addressesFromData(data: readonly Datum[]): Address[] {
  return data.flatMap((datum) => {
    const isListOfAddresses = isList(datum) && !isKeyword(datum[0]);
    return isListOfAddresses ? datum.map(parseAddress) : [parseAddress(datum)];
  });
}

/**
 * The address with these parts.
 *
 * @throws {InvalidInputError} if one of them is invalid, as {@linkcode parseAddresses} does.
 */
export function validAddress(address: Address): Address {
  const text = () => formatAddress(address);
  return address.kind === "unix"
    ? unixAddress(address.host, address.path, text)
    : internetAddress(address.kind, formatEndpoint(address), text);
}

/** Formats an address as a list: `(unix: "host" "/path")`, `(tcp: "host:port")`. */
export function formatAddress(address: Address): string {
  return formatNotation(addressToDatum(address));
}

/** The list form of an address, as a part of a larger list. */
export function addressToDatum(address: Address): Datum {
  return address.kind === "unix"
    ? [keyword("unix"), address.host, address.path]
    : [keyword(address.kind), formatEndpoint(address)];
}

/**
 * Formats an address as a URL. For a UNIX socket of another host it names the host, as a `file:`
 * URL does (RFC 8089): `unix://host/path`.
 */
export function formatAddressUrl(address: Address): string {
  if (address.kind !== "unix") return `${address.kind}://${formatEndpoint(address)}`;
  const path = percentEncode(address.path);
  if (!isLocal(address)) return `unix://${percentEncode(address.host)}${path}`;
  return path.startsWith("//") ? `unix://${path}` : `unix:${path}`;
}

function parseAddress(datum: Datum): Address {
  if (isSymbol(datum)) return parseUrl(datum.symbol);
  if (typeof datum === "string") return parseUrl(datum);
  const text = formatNotation(datum);
  if (!isList(datum)) throw addressError(text, EXPECTED);
  const [kind, first, second] = datum;
  if (isKeyword(kind, "unix") && typeof first === "string" && typeof second === "string") {
    if (datum.length === 3) return unixAddress(first, second, () => text);
  } else if (isKeyword(kind, "tcp") || isKeyword(kind, "tls")) {
    if (typeof first === "string" && datum.length === 2) {
      return internetAddress(kind.keyword as "tcp" | "tls", first, () => text);
    }
  }
  throw addressError(text, EXPECTED);
}

function parseUrl(text: string): Address {
  const [, kind, rest] = /^(unix:|tcp:\/\/|tls:\/\/)(.*)$/s.exec(text) ?? [];
  if (kind === undefined || rest === undefined) throw addressError(text, EXPECTED);
  if (kind !== "unix:") return internetAddress(kind === "tcp://" ? "tcp" : "tls", rest, () => text);
  const [, host, path] = /^\/\/([^/]*)(.*)$/s.exec(rest) ?? [undefined, "", rest];
  return unixAddress(
    host ? percentDecode(host, text) : hostName(),
    percentDecode(path ?? "", text),
    () => text,
  );
}

function unixAddress(host: string, path: string, text: () => string): UnixAddress {
  if (host === "" || host.includes("/")) {
    throw addressError(text(), "the host name is empty or invalid");
  }
  if (!path.startsWith("/")) {
    throw addressError(text(), "the path of a unix socket must be absolute");
  }
  if (path.endsWith("/")) {
    throw addressError(text(), "the path of a unix socket must be that of a file");
  }
  if (path.includes("\0") || !path.isWellFormed()) {
    throw addressError(text(), "the path contains NUL or half a surrogate pair");
  }
  return { kind: "unix", host, path };
}

function internetAddress(
  kind: "tcp" | "tls",
  endpoint: string,
  text: () => string,
): InternetAddress {
  const [, bracketed, name, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d*)$/.exec(endpoint) ?? [];
  // In URLs, RFC 6874 encodes the percent sign.
  const host = bracketed?.replace(/%25(?=[^\d])/, "%") ?? name;
  if (host === undefined || digits === undefined) {
    throw addressError(text(), `host:port expected, an IPv6 host in brackets: [::1]:7000`);
  }
  if (host === "") throw addressError(text(), "the host is empty");
  if (bracketed === undefined ? !HOST_NAME.test(host) : !isIPv6(host)) {
    throw addressError(text(), `${quoted(host)} is not a host name or IP address`);
  }
  const port = Number(digits);
  if (digits === "" || port > 65535) {
    throw addressError(text(), "the port must be a number up to 65535");
  }
  return { kind, host, port };
}

/**
 * Whether a host is an IPv6 address, perhaps with a zone: the name or number of an interface (RFC
 * 4007, 11).
 */
function isIPv6(host: string): boolean {
  return canonicalIPv6(host.replace(/%[\w.~-]{1,15}$/, "")) !== undefined;
}

/**
 * The canonical form of an IPv6 address (RFC 5952); undefined for any other text. The URL parser is
 * built in, while `node:net` would have to be loaded.
 */
export function canonicalIPv6(text: string): string | undefined {
  return /^[\da-f:.]+$/i.test(text)
    ? URL.parse(`tcp://[${text}]`)?.hostname.slice(1, -1)
    : undefined;
}

/** Formats host and port as `host:port`, with an IPv6 host in brackets. */
export function formatEndpoint(address: InternetAddress): string {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Encodes the percent sign, and characters that cannot be in a symbol of the notation. */
function percentEncode(text: string): string {
  return text.replace(
    /[^\p{L}\p{N}!$&*+\-./:=@_~]/gu,
    (character) => encodeURIComponent(character).replace(/[()']/g, percentCode),
  );
}

/**
 * Encodes characters that `encodeURIComponent` leaves as they are, and the notation does not allow.
 */
function percentCode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function percentDecode(text: string, address: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw addressError(
      address,
      "a % must be followed by two hexadecimal digits; write % itself as %25",
    );
  }
}

function addressError(text: string, why: string): InvalidInputError {
  return new InvalidInputError(`not an address: ${shorten(text)}: ${why}`);
}

/**
 * Reads addresses of which some are text.
 *
 * @throws {InvalidInputError} if a text is not an address.
 */
export function readAddresses(list: readonly (Address | string)[] = []): Address[] {
  if (!Array.isArray(list)) {
    throw new InvalidInputError(`not a list of addresses: ${describeValue(list)}`);
  }
  return list.flatMap((each) => typeof each === "string" ? parseAddresses(each) : [each]);
}
