/**
 * Who may see the page: the browser of the operator, who has opened the URL that was printed.
 *
 * - The URL has a random token. It is exchanged for a cookie, so that it does not stay in the
 *   address bar, the history or a `Referer`.
 * - The cookie is `HttpOnly` and `SameSite=Strict`, and is bound to a random path: a browser sends
 *   cookies to every port of a host, and so to programs of other users on this one.
 * - Requests have to name this host by a loopback name, since a page elsewhere can have a name of
 *   its own point here (DNS rebinding), and must not come from a page of another origin.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isLoopback } from "../runtime/wire/address.ts";

/** The parts of a request that decide. */
export interface RequestHead {
  /** Its method. */
  readonly method: string;
  /** Its path and query. */
  readonly target: string;
  /** Its headers; names are in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A decision about a request. */
export type Decision =
  /** It may have what is at the path below the page. */
  | { readonly kind: "admitted"; readonly path: string; readonly query: URLSearchParams }
  /** It has the token: it gets the cookie, and goes to the page. */
  | { readonly kind: "entered"; readonly location: string; readonly cookie: string }
  | { readonly kind: "refused"; readonly status: number; readonly reason: string };

const COOKIE = "observer";

/** Decides about the requests to one page. */
export class PageAccess {
  /** The secret that actions have to send, besides the cookie. Only the page can read it. */
  readonly actionToken: string = randomText(32);
  /** The path of the page, which begins and ends with a slash. */
  readonly path: string = `/${randomText(12)}/`;
  readonly #token = randomText(32);
  readonly #cookie = randomText(32);

  /** The path and query of the URL to open. */
  get entrance(): string {
    return `/?token=${this.#token}`;
  }

  /** Decides about a request. */
  decide({ method, target, headers }: RequestHead): Decision {
    const host = one(headers.host);
    if (host === undefined || !isOwnHost(host)) {
      return refused(403, "the header Host has to name this host: localhost or 127.0.0.1");
    }
    const url = target.startsWith("/") ? URL.parse(target, "http://page") : null;
    if (url?.host !== "page") return refused(400, "not a path");
    const origin = one(headers.origin);
    const isOwnOrigin = origin === `http://${host}`;
    const isOwnPage = isOwnOrigin || (origin === undefined && method === "GET");
    if (!isOwnPage) return refused(403, "requests of other pages are refused");
    const token = url.searchParams.get("token");
    if (url.pathname === "/" && method === "GET" && token !== null) {
      return sameSecret(token, this.#token) ? this.#enter() : refused(403, UNKNOWN);
    }
    const site = one(headers["sec-fetch-site"]) ?? "none";
    if (site !== "same-origin" && site !== "none") {
      return refused(403, "requests of other pages are refused");
    }
    if (!this.#hasCookie(one(headers.cookie))) return refused(403, UNKNOWN);
    if (!url.pathname.startsWith(this.path)) return refused(404, "there is nothing here");
    const path = url.pathname.slice(this.path.length);
    return { kind: "admitted", path, query: url.searchParams };
  }

  /** Whether a request has the secret for actions. */
  mayAct(headers: RequestHead["headers"]): boolean {
    return sameSecret(one(headers["x-observer-token"]) ?? "", this.actionToken);
  }

  #enter(): Decision {
    const cookie = `${COOKIE}=${this.#cookie}; Path=${this.path}; HttpOnly; SameSite=Strict`;
    return { kind: "entered", location: this.path, cookie };
  }

  /** Another program on this host can add cookies of the same name, so any of them counts. */
  #hasCookie(header = ""): boolean {
    const values = header.split(/; */).map((pair) => /^observer=(.*)$/.exec(pair)?.[1]);
    return values.some((value) => value !== undefined && sameSecret(value, this.#cookie));
  }
}

const UNKNOWN = "open the URL that gxensemble observer has printed";

/**
 * The headers of every answer: the page runs only its own code, sends nothing elsewhere, and is not
 * shown in another.
 *
 * @param importMapHash the SHA-256 of its import map, which is the only inline script.
 */
export function securityHeaders(importMapHash: string): Readonly<Record<string, string>> {
  const policy = [
    "default-src 'none'",
    `script-src 'self' 'sha256-${importMapHash}'`,
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    "Content-Security-Policy": policy.join("; "),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store, no-transform",
  };
}

function refused(status: number, reason: string): Decision {
  return { kind: "refused", status, reason };
}

/** A header that was sent once. */
function one(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Whether the header `Host` names this host by a name that no one else can have point here. */
function isOwnHost(host: string): boolean {
  if (!/^(?:[\w.-]+|\[[\d:a-f]+\])(?::\d{1,5})?$/i.test(host)) return false;
  const name = URL.parse(`http://${host}`)?.hostname;
  return name !== undefined &&
    (name === "localhost" || isLoopback(name.replace(/^\[(.*)\]$/, "$1")));
}

/** Compares two secrets, in the same time for any. */
function sameSecret(given: string, secret: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(secret));
}

function digestOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** A random text of a number of bytes, for URLs. */
function randomText(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}
