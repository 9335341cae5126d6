/**
 * Servers as the observer's page gets them.
 *
 * @module
 */
import type { ObservedServer } from "../../../observer/page/page_protocol.ts";

/** A server that is up, with some of its properties. */
export function observedServer(id: string, some: Partial<ObservedServer> = {}): ObservedServer {
  return {
    id,
    instance: `${id}-1`,
    isRegistry: false,
    state: "up",
    roles: [],
    groups: {},
    addresses: [],
    modules: [],
    ...some,
  };
}
