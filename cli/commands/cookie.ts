/**
 * `gxensemble cookie`.
 *
 * @module
 */
import { createCookie, readCookie } from "../../runtime/home/cookie.ts";
import { cookiePath } from "../../runtime/home/paths.ts";
import { fingerprintOf } from "../../runtime/fingerprint.ts";
import { formatNotation, keyword } from "../../runtime/notation.ts";
import type { OutputOptions } from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";

/** Options of {@linkcode cookie}. */
export interface CookieOptions {
  /** Whether to replace a cookie that exists. */
  force: boolean;
}

/** Generates the cookie of the ensemble. */
export async function cookie(options: CookieOptions): Promise<void> {
  const path = await createCookie(options);
  printNotice(`the ensemble's cookie is in ${path}`);
}

/**
 * Prints the SHA-256 of the cookie, which shows whether two hosts have the same one: `(cookie: "9f86d0..." "/path")`.
 */
export async function viewCookie(options: OutputOptions): Promise<void> {
  const path = cookiePath();
  const fingerprint = await fingerprintOf(new Uint8Array(await readCookie()));
  if (options.json) return printJson({ fingerprint, path });
  printLine(formatNotation([keyword("cookie"), fingerprint, path]));
}
