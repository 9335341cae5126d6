/**
 * Addresses of HTTP endpoints.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";
import { quoted } from "../safe_text.ts";
import { type InternetAddress, parseAddresses } from "./address.ts";

/**
 * Parses the address of an HTTP endpoint: `host:port`, or `:port` or `port` on this host only.
 *
 * @throws {InvalidInputError} if it is none.
 */
export function parseHttpAddress(text: string): InternetAddress {
  const [, port] = /^:?(\d+)$/.exec(text) ?? [];
  try {
    const [address] = parseAddresses(`tcp://${port === undefined ? text : `127.0.0.1:${port}`}`);
    if (address?.kind === "tcp" && !/[\s()"]/.test(text)) return address;
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
  }
  throw new InvalidInputError(
    `not an address for HTTP: ${quoted(text)}: write host:port, or a port up to 65535`,
  );
}
