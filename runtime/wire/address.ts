/**
 * Addresses: where a server listens and is reached.
 *
 * Each has two spellings, both read everywhere: a URL (`unix:/path`, `tcp://host:port`,
 * `tls://host:port`) and a list (`(unix: "host" "/path")`, `(tcp: "host:port")`).
 *
 * @module
 */
import { quoted, shorten } from "../safe_text.ts";
import { InvalidInputError } from "../errors.ts";
import {
  type Datum,
  formatNotation,
  isKeyword,
  isList,
  isSymbol,
  keyword,
  parseNotation,
} from "../notation.ts";

/** The file of a socket: no other file of a running host has both numbers. */
export interface SocketFile {
  /** The device that it is on. */
  readonly device: number;
  /** Its inode. */
  readonly inode: number;
}

/** A UNIX domain socket, which exists on one host only. */
export interface UnixAddress {
  /** Tells the kinds of addresses apart. */
  readonly kind: "unix";
  /** The name of the host that the socket is on, as {@linkcode hostName} gives it there. */
  readonly host: string;
  /** The absolute path of the socket on that host. */
  readonly path: string;
  /**
   * The file that its server made there. It is in no written form of the address. With it the socket is told from
   * any other at its path, whatever the host is called.
   */
  readonly file?: SocketFile | undefined;
}

/** A TCP port, plain or under TLS. */
export interface InternetAddress {
  /** Tells the kinds of addresses apart. */
  readonly kind: "tcp" | "tls";
  /**
   * A host name, an IPv4 address or an IPv6 address; the last without its brackets, and with the zone of a link-local
   * one: `fe80::1%eth0`.
   */
  readonly host: string;
  /** 0 to 65535; 0 lets a listening server take any free port and cannot be connected to. */
  readonly port: number;
}

/** Where a server listens and is reached. */
export type Address = UnixAddress | InternetAddress;

const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?$/;
const EXPECTED =
  `write unix:/path, tcp://host:port, tls://host:port, (unix: "host" "/path"), (tcp: "host:port") ` +
  `or (tls: "host:port")`;

let name: string | undefined;

/**
 * The name of this host, which its UNIX addresses carry: as it was when this process asked first. When the host is
 * renamed, the addresses that the process has noted are still those of its own host.
 */
export function hostName(): string {
  return name ??= Deno.hostname();
}

/** Whether an address may be on this host: it is not a UNIX socket of a host with another name. */
export function isLocal(address: Address): boolean {
  return address.kind !== "unix" || address.host === hostName();
}

/** The address of a UNIX socket on this host; the path is absolute. */
export function localUnixAddress(path: string): UnixAddress {
  return unixAddress(hostName(), path, path);
}

/**
 * Reads addresses: one or several, separated by spaces or in one list, in either spelling.
 *
 * @throws {InvalidInputError} when any of them is no address, saying which and why.
 */
export function parseAddresses(text: string): Address[] {
  return addressesOf(parseNotation(text));
}

/**
 * The addresses that values of the notation are, as {@linkcode parseAddresses} reads them.
 *
 * @throws {InvalidInputError} when any of them is no address, saying which and why.
 */
export function addressesOf(data: readonly Datum[]): Address[] {
  return data.flatMap((datum) => {
    const isListOfAddresses = isList(datum) && !isKeyword(datum[0]);
    return isListOfAddresses ? datum.map(parseAddress) : [parseAddress(datum)];
  });
}

/** Writes an address as a list: `(unix: "host" "/path")`, `(tcp: "host:port")`. */
export function formatAddress(address: Address): string {
  return formatNotation(addressToDatum(address));
}

/** The list form of an address, to be put in a larger list. */
export function addressToDatum(address: Address): Datum {
  return address.kind === "unix"
    ? [keyword("unix"), address.host, address.path]
    : [keyword(address.kind), formatEndpoint(address)];
}

/**
 * Writes an address as a URL. One of a UNIX socket on another host names it as a `file:` URL does
 * (RFC 8089): `unix://host/path`.
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
    if (datum.length === 3) return unixAddress(first, second, text);
  } else if (isKeyword(kind, "tcp") || isKeyword(kind, "tls")) {
    if (typeof first === "string" && datum.length === 2) {
      return internetAddress(kind.keyword as "tcp" | "tls", first, text);
    }
  }
  throw addressError(text, EXPECTED);
}

function parseUrl(text: string): Address {
  const [, kind, rest] = /^(unix:|tcp:\/\/|tls:\/\/)(.*)$/s.exec(text) ?? [];
  if (kind === undefined || rest === undefined) throw addressError(text, EXPECTED);
  if (kind !== "unix:") return internetAddress(kind === "tcp://" ? "tcp" : "tls", rest, text);
  const [, host, path] = /^\/\/([^/]*)(.*)$/s.exec(rest) ?? [undefined, "", rest];
  return unixAddress(
    host ? percentDecode(host, text) : hostName(),
    percentDecode(path ?? "", text),
    text,
  );
}

function unixAddress(host: string, path: string, text: string): UnixAddress {
  if (host === "" || host.includes("/")) {
    throw addressError(text, "the host name is empty or wrong");
  }
  if (!path.startsWith("/")) throw addressError(text, "the path of a unix socket is absolute");
  if (path.endsWith("/")) throw addressError(text, "the path of a unix socket is that of a file");
  if (path.includes("\0") || !path.isWellFormed()) {
    throw addressError(text, "the path holds what no path holds");
  }
  return { kind: "unix", host, path };
}

function internetAddress(kind: "tcp" | "tls", endpoint: string, text: string): InternetAddress {
  const [, bracketed, name, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d*)$/.exec(endpoint) ?? [];
  // RFC 6874 has the percent sign encoded in a URL.
  const host = bracketed?.replace(/%25(?=[^\d])/, "%") ?? name;
  if (host === undefined || digits === undefined) {
    throw addressError(text, `host:port expected, an IPv6 host in brackets: [::1]:7000`);
  }
  if (host === "") throw addressError(text, "the host is empty");
  if (bracketed === undefined ? !HOST_NAME.test(host) : !isIPv6(host)) {
    throw addressError(text, `${quoted(host)} is no host name or IP address`);
  }
  const port = Number(digits);
  if (digits === "" || port > 65535) throw addressError(text, "the port is a number up to 65535");
  return { kind, host, port };
}

/**
 * Asks the URL parser, which is built in, where `node:net` would first have to be loaded. It knows no zones: the name or
 * number of an interface of this host (RFC 4007, 11).
 */
function isIPv6(host: string): boolean {
  return canonicalIPv6(host.replace(/%[\w.~-]{1,15}$/, "")) !== undefined;
}

/** The one canonical form (RFC 5952) of the many that an IPv6 address has; undefined for what is none. */
export function canonicalIPv6(text: string): string | undefined {
  return /^[\da-f:.]+$/i.test(text)
    ? URL.parse(`tcp://[${text}]`)?.hostname.slice(1, -1)
    : undefined;
}

/** Writes host and port as `host:port`, an IPv6 host in brackets. */
export function formatEndpoint(address: InternetAddress): string {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Encodes what would end or change a bare symbol of the notation, and the percent sign. */
function percentEncode(text: string): string {
  return text.replace(
    /[^\p{L}\p{N}!$&*+\-./:=@_~]/gu,
    (character) => encodeURIComponent(character).replace(/[()']/g, percentCode),
  );
}

/** `encodeURIComponent` leaves some characters alone that the notation does not. */
function percentCode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function percentDecode(text: string, address: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw addressError(address, "a % is followed by two hexadecimal digits; write % itself as %25");
  }
}

function addressError(text: string, why: string): InvalidInputError {
  return new InvalidInputError(`not an address: ${shorten(text)}: ${why}`);
}
