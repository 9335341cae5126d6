/**
 * Warnings that what a server speaks TLS with is about to end.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { formatServerId } from "../actor/server_id.ts";
import { DAY } from "./certificate_validity.ts";
import type { TlsIdentity } from "./tls_identity.ts";

const logger = getLogger(["gxensemble", "server"]);

/** How long before the end a server begins to warn, in ms. */
const NOTICE = 30 * DAY;

/** What of a server's TLS files ends. */
export type Expiring = {
  readonly certificate: Pick<TlsIdentity["certificate"], "id" | "notAfter">;
  readonly revocationList: Pick<TlsIdentity["revocationList"], "nextUpdate">;
};

/**
 * Warns now and each day, until it is disposed of, while the certificate or the revocation list ends within 30 days.
 * Peers refuse a certificate that has ended; with either of them ended, the server does not start again.
 *
 * @param current gives what is in use: it may have been exchanged meanwhile.
 */
export function warnOfExpiry(current: () => Expiring): Disposable {
  const warn = () => {
    const { certificate: { id, notAfter }, revocationList } = current();
    const server = formatServerId(id);
    const remedy =
      `make a new one with "gxensemble ca cert ${server}", bring it here and send SIGHUP`;
    warnOf(`the certificate of ${server}`, notAfter, remedy);
    warnOf(
      "the revocation list",
      revocationList.nextUpdate,
      "copy crl.pem from the host of the certificate authority, where ca cert and ca revoke make a new one, and " +
        "send SIGHUP",
    );
  };
  warn();
  const timer = setInterval(warn, DAY);
  Deno.unrefTimer(timer as unknown as number);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function warnOf(what: string, end: Date, remedy: string): void {
  const left = end.getTime() - Date.now();
  if (left >= NOTICE) return;
  const days = Math.floor(left / DAY);
  const when = left < 0
    ? `ended at ${end.toISOString()}`
    : `ends at ${end.toISOString()}, in ${days === 1 ? "1 day" : `${days} days`}`;
  logger.warn("{what} {when}: {remedy}", { what, when, remedy });
}
