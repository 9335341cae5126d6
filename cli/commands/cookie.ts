/**
 * `gxensemble cookie`.
 *
 * @module
 */
import { createCookie } from "../../runtime/ensemble/cookie.ts";
import { printNotice } from "../output.ts";

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
