/**
 * The terms of a certificate: the hosts that it names, and its validity.
 *
 * @module
 */
import { canonicalIPv6 } from "../wire/address.ts";
import { InvalidInputError } from "../errors.ts";

/** A name, or an IP address in its canonical form. */
export interface Host {
  /** The kind of host. */
  readonly type: "dns" | "ip";
  /** The name in lower case, or the address. */
  readonly value: string;
}

/** The names and addresses of loopback. */
const LOOPBACK: readonly Host[] = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "::1" },
];

/**
 * Letters, digits and hyphens (RFC 1123, 2.1), and underscores, which server ids may contain and
 * resolvers accept.
 */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** The longest name, in characters (RFC 1035, 2.3.4, without the final dot and the length byte). */
const MAX_NAME = 253;

/**
 * Parses a DNS name.
 *
 * @throws {InvalidInputError} if it is not one. Wildcards are not allowed.
 */
export function parseDnsName(text: string): string {
  const name = text.toLowerCase();
  if (!isDnsName(name)) {
    throw new InvalidInputError(`not a host name: ${JSON.stringify(text)}`);
  }
  return name;
}

/**
 * Parses a DNS name or an IP address.
 *
 * @throws {InvalidInputError} if it is neither.
 */
export function parseHost(text: string): Host {
  if (/^\d+(?:\.\d+){3}$/.test(text)) return { type: "ip", value: parseIpv4(text) };
  if (text.includes(":")) return { type: "ip", value: parseIpv6(text) };
  return { type: "dns", value: parseDnsName(text) };
}

/**
 * The hosts in a server's certificate: `<server-id>.<domain>`, if that is a valid name, loopback,
 * and the given hosts.
 */
export function hostsOf(
  id: string,
  { domain, hosts }: { domain: string; hosts: readonly Host[] },
): Host[] {
  const name = `${id}.${domain}`.toLowerCase();
  const own: Host[] = isDnsName(name) ? [{ type: "dns", value: name }] : [];
  const all = [...own, ...LOOPBACK, ...hosts];
  return [...new Map(all.map((host) => [host.value, host])).values()];
}

function isDnsName(name: string): boolean {
  const labels = name.split(".");
  return name.length <= MAX_NAME && labels.every((label) => LABEL.test(label)) &&
    // A name that ends in a number is an address, or a mistake in one (WHATWG URL, "ends in a
    // number").
    !/^\d+$/.test(labels.at(-1)!);
}

function parseIpv4(text: string): string {
  // A URL also accepts 010.0.0.1, which other programs read as a different address.
  if (URL.parse(`http://${text}`)?.hostname !== text) throw notAddress(text);
  return text;
}

/**
 * Returns the canonical form, because `@peculiar/x509` misreads some others, such as
 * `::ffff:1.2.3.4`.
 */
function parseIpv6(text: string): string {
  const address = canonicalIPv6(text);
  if (address === undefined) throw notAddress(text);
  return address;
}

function notAddress(text: string): InvalidInputError {
  return new InvalidInputError(`not an IP address: ${JSON.stringify(text)}`);
}

/** A day, in ms. */
export const DAY = 24 * 60 * 60 * 1000;

/** The validity of the authority, in days. Nothing that it signs is valid longer. */
export const AUTHORITY_DAYS = 3650;

/** The default validity of a server's certificate, in days: a year, and a month to renew it. */
export const DEFAULT_DAYS = 397;

/**
 * How long before its creation a certificate is valid, in ms, since clocks differ. Let's Encrypt
 * does the same.
 */
const CLOCK_SKEW = 60 * 60 * 1000;

/**
 * Parses a number of days.
 *
 * @throws {InvalidInputError} if it is not an integer from 1 to {@linkcode AUTHORITY_DAYS}.
 */
export function parseDays(text: string): number {
  const days = Number(text);
  if (!/^\d+$/.test(text) || days < 1 || days > AUTHORITY_DAYS) {
    throw new InvalidInputError(
      `not a number of days: ${JSON.stringify(text)}: it must be an integer from 1 to ` +
        `${AUTHORITY_DAYS}`,
    );
  }
  return days;
}

/** The time some days from now. */
export function daysFromNow(days: number): Date {
  return new Date(Date.now() + days * DAY);
}

/** The time from which new signatures are valid. */
export function startingNow(): Date {
  return new Date(Date.now() - CLOCK_SKEW);
}
