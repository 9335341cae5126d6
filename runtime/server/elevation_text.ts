/**
 * What an administrator signs to elevate a client.
 *
 * @module
 */
import type { ServerId } from "../actor/server_id.ts";
import type { Bytes } from "./handshake_messages.ts";

/** All that a signature is bound to: nothing of it can be exchanged, and it is of use only once. */
export interface Elevation {
  /** The server that is asked. */
  readonly server: ServerId;
  /** Its instance. */
  readonly serverInstance: Bytes;
  /** The client that asks. */
  readonly client: ServerId;
  /** Its instance. */
  readonly clientInstance: Bytes;
  /** What it asks for, sorted. */
  readonly capabilities: readonly string[];
  /** The server's challenge: 32 fresh bytes. */
  readonly nonce: Bytes;
  /** The connection between the two. */
  readonly binding: Bytes;
}

const LABEL = "gxensemble 1 elevation";

/** The bytes that are signed: each part with its length before it, so that no two elevations read alike. */
export function elevationText(elevation: Elevation): Bytes {
  const encoder = new TextEncoder();
  const parts = [
    encoder.encode(LABEL),
    encoder.encode(elevation.server),
    elevation.serverInstance,
    encoder.encode(elevation.client),
    elevation.clientInstance,
    encoder.encode(elevation.capabilities.join(" ")),
    elevation.nonce,
    elevation.binding,
  ];
  const text = new Uint8Array(parts.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(text.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    text.set(part, at + 4);
    at += 4 + part.length;
  }
  return text;
}
