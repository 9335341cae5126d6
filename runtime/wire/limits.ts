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

/** How long the frames that were read at once may keep everything else waiting, in ms. */
export const MAX_TURN = 20;

/** After how many frames it is looked whether {@linkcode MAX_TURN} is over. */
export const FRAMES_PER_CHECK = 16;

/** After a frame of more bytes than this it is looked at once: a smaller one costs a millisecond at most. */
export const LARGE_FRAME = 4096;

/** How deep a message may be nested; what is deeper is sent as a graph, which is flat. */
export const MAX_DEPTH = 100;

/**
 * How many parts a message may have, for what they take in memory: a value counts as 1, an object as a few more;
 * see `value_format.ts`. A million records of ten fields are within it.
 */
export const MAX_PARTS = 16 * 1024 * 1024;

/** How long a BigInt of a message may be, in bytes: to print one takes more than proportional time. */
export const MAX_BIGINT = 64 * 1024;

/** How long a regular expression of a message may be, in characters. */
export const MAX_PATTERN = 1024;

/**
 * How many values a message may have that take microseconds to make, Errors and regular expressions: as many, and
 * one more for each so many bytes of the frame.
 */
export const COSTLY_VALUES = 256;

/** See {@linkcode COSTLY_VALUES}. An Error with a stack is longer than this. */
export const BYTES_PER_COSTLY_VALUE = 128;

/**
 * How much processor time the Maps and Sets of a frame may take, in ms, plus {@linkcode MAP_TIME_PER_MIB} for each MiB
 * of the frame. Honest ones take a small part of it.
 */
export const MAP_TIME = 100;

/** See {@linkcode MAP_TIME}; in ms. */
export const MAP_TIME_PER_MIB = 400;

/** How long one attempt to open a stream may take, in ms. */
export const CONNECT_TIMEOUT = 5_000;

/** How often a server looks whether its UNIX socket is still where clients look for it, in ms. */
export const SOCKET_CHECK_INTERVAL = 5_000;

/** After this long without sending anything a heartbeat is sent, in ms. */
export const HEARTBEAT_INTERVAL = 15_000;

/** After this long without receiving anything the peer is taken for dead, in ms. */
export const HEARTBEAT_TIMEOUT = 60_000;

/** How long a connection or an address that is probed may take to show who lives there, in ms. No answer proves nothing. */
export const PROBE_TIMEOUT = 1_000;

/**
 * How long a server that is not busy may take to answer a ping, in ms; and the registry a question that can be answered
 * without it.
 */
export const PING_TIMEOUT = 2_000;

/**
 * Outbound bytes to one server from which on senders should wait: about what a socket buffers, so that one
 * side writes while the other reads.
 */
export const HIGH_WATER_MARK = 128 * 1024;

/** From how many bytes on a write is not made larger, so that what waits can still expire. */
export const MAX_WRITE = 256 * 1024;

/** Outbound bytes to one server at which the log says that it does not keep up. */
export const WARNING_MARK = 64 * 1024 * 1024;

/** Outbound bytes to one server at which its connection is closed: the peer does not keep up at all. */
export const HARD_LIMIT = 256 * 1024 * 1024;
