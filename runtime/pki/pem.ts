/**
 * PEM: DER as text (RFC 7468).
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";

/** Writes DER under a label, such as `PUBLIC KEY`. */
export function encodePem(label: string, der: ArrayBuffer | Uint8Array): string {
  const base64 = new Uint8Array(der).toBase64();
  const lines = base64.match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/**
 * Reads the DER under a label, the first where there are several.
 *
 * @throws {EnsembleError} when there is none.
 */
export function decodePem(label: string, text: string): Uint8Array<ArrayBuffer> {
  const [first] = decodePemBlocks(label, text);
  if (first !== undefined) return first;
  throw new EnsembleError(text.trim() === "" ? "it is empty" : `no PEM block "${label}"`);
}

/**
 * Reads the DER of every block of a label, in order. Other blocks, and text around them, are passed over.
 *
 * @throws {EnsembleError} when a block is damaged.
 */
export function decodePemBlocks(label: string, text: string): Uint8Array<ArrayBuffer>[] {
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at)) {
    const start = at + begin.length;
    at = text.indexOf(end, start);
    if (at < 0) {
      throw new EnsembleError(`the PEM block "${label}" has no end: the file was cut off`);
    }
    try {
      blocks.push(Uint8Array.fromBase64(text.slice(start, at).replaceAll(/\s/g, "")));
    } catch {
      throw new EnsembleError(`the PEM block "${label}" is damaged`);
    }
  }
  return blocks;
}
