/**
 * The limits of the wire. Each is enforced before anything is allocated for what it limits.
 *
 * @module
 */

/** The largest frame body before the peer is authenticated, in bytes. */
export const MAX_HANDSHAKE_FRAME = 1024;

/** How long a handshake may take altogether, in ms. */
export const HANDSHAKE_TIMEOUT = 10_000;

/** How many handshakes may be under way at once. When more begin, the oldest are closed. */
export const MAX_HANDSHAKES = 256;

/** The largest frame body of an authenticated peer, in bytes. */
export const MAX_FRAME = 64 * 1024 * 1024;

/** How long handling the frames that were read at once may keep everything else waiting, in ms. */
export const MAX_TURN = 20;

/** After how many frames to check whether {@linkcode MAX_TURN} is over. */
export const FRAMES_PER_CHECK = 16;

/** After a frame of more bytes than this it is checked at once. A smaller one takes a millisecond at most. */
export const LARGE_FRAME = 4096;

/** How deep a message may be nested. A deeper one is sent as a graph, which is flat. */
export const MAX_DEPTH = 100;

/**
 * How many parts a message may have, to bound the memory that they take. A value counts as 1, an object as more, see
 * `value_format.ts`. A million records of ten fields are allowed.
 */
export const MAX_PARTS = 16 * 1024 * 1024;

/** The largest BigInt in a message, in bytes. The time to print one grows faster than its size. */
export const MAX_BIGINT = 64 * 1024;

/** The longest regular expression in a message, in characters. */
export const MAX_PATTERN = 1024;

/**
 * How many values that take microseconds to make, Errors and regular expressions, a message may have, plus one for each
 * {@linkcode BYTES_PER_COSTLY_VALUE} of the frame.
 */
export const COSTLY_VALUES = 256;

/** See {@linkcode COSTLY_VALUES}. An Error with a stack is longer than this. */
export const BYTES_PER_COSTLY_VALUE = 128;

/**
 * How much processor time the Maps and Sets of a frame may take, in ms, plus {@linkcode MAP_TIME_PER_MIB} for each MiB
 * of the frame. Ordinary ones take a small part of it.
 */
export const MAP_TIME = 100;

/** See {@linkcode MAP_TIME}; in ms. */
export const MAP_TIME_PER_MIB = 400;

/** How long one attempt to open a stream may take, in ms. */
export const CONNECT_TIMEOUT = 5_000;

/** How often a server checks that its UNIX socket is still at its path, in ms. */
export const SOCKET_CHECK_INTERVAL = 5_000;

/** How long nothing may be sent before a heartbeat is, in ms. */
export const HEARTBEAT_INTERVAL = 15_000;

/** How long nothing may be received before the peer counts as dead, in ms. */
export const HEARTBEAT_TIMEOUT = 60_000;

/**
 * How long a connection or an address that is probed may take to show who lives there, in ms. No answer proves
 * nothing.
 */
export const PROBE_TIMEOUT = 1_000;

/**
 * How long a server that is not busy may take to answer a ping, in ms; and the registry a question that can be answered
 * without it.
 */
export const PING_TIMEOUT = 2_000;

/** How many bytes may wait to be read from a TLS socket. */
export const MAX_UNREAD = 64 * 1024 * 1024;

/**
 * How many bytes may wait to be sent to a server before senders should wait: about what a socket buffers, so that one
 * side writes while the other reads.
 */
export const HIGH_WATER_MARK = 128 * 1024;

/** The size in bytes from which a write is not enlarged, so that what still waits can expire. */
export const MAX_WRITE = 256 * 1024;

/** How many bytes may wait to be sent to a server before the log says that it does not keep up. */
export const WARNING_MARK = 64 * 1024 * 1024;

/** How many bytes may wait to be sent to a server before its connection is closed. */
export const HARD_LIMIT = 256 * 1024 * 1024;
