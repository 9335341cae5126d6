/**
 * The limits of the wire. All are enforced before anything is allocated for what they limit.
 *
 * @module
 */

/** The largest frame body before the peer is authenticated, in bytes. */
export const MAX_HANDSHAKE_FRAME = 1024;

/** How long a handshake may take in all, in ms. */
export const HANDSHAKE_TIMEOUT = 10_000;

/** How many connections may be in their handshake at once; when more come, the oldest are closed. */
export const MAX_HANDSHAKES = 256;

/** The largest frame body of an authenticated peer, in bytes. */
export const MAX_FRAME = 64 * 1024 * 1024;

/** How long one attempt to open a stream may take, in ms. */
export const CONNECT_TIMEOUT = 5_000;

/** How often a server looks whether its UNIX socket is still where clients look for it, in ms. */
export const SOCKET_CHECK_INTERVAL = 5_000;

/** After this long without sending anything a heartbeat is sent, in ms. */
export const HEARTBEAT_INTERVAL = 15_000;

/** After this long without receiving anything the peer is taken for dead, in ms. */
export const HEARTBEAT_TIMEOUT = 60_000;

/**
 * Outbound bytes to one server from which on senders should wait: about what a socket buffers, so that one
 * side writes while the other reads.
 */
export const HIGH_WATER_MARK = 128 * 1024;

/** Outbound bytes to one server at which the log says that it does not keep up. */
export const WARNING_MARK = 64 * 1024 * 1024;

/** Outbound bytes to one server at which its connection is closed: the peer does not keep up at all. */
export const HARD_LIMIT = 256 * 1024 * 1024;
