/**
 * PEM: DER as text (RFC 7468).
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";

/** Writes DER under a label, such as `PUBLIC KEY`. */
export function encodePem(label: string, der: ArrayBuffer): string {
  const base64 = new Uint8Array(der).toBase64();
  const lines = base64.match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/**
 * Reads the DER under a label.
 *
 * @throws {EnsembleError} when there is none.
 */
export function decodePem(label: string, text: string): Uint8Array<ArrayBuffer> {
  const begin = `-----BEGIN ${label}-----`;
  const start = text.indexOf(begin);
  const end = text.indexOf(`-----END ${label}-----`);
  if (start < 0 || end < start) throw new EnsembleError(`no PEM block "${label}"`);
  try {
    return Uint8Array.fromBase64(text.slice(start + begin.length, end).replaceAll(/\s/g, ""));
  } catch {
    throw new EnsembleError(`the PEM block "${label}" is damaged`);
  }
}
