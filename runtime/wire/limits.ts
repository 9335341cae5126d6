/**
 * The numbers of the wire: limits, timeouts and intervals, and the marks of a queue that grows. A
 * limit on what a peer sends is enforced before anything is allocated for it.
 *
 * @module
 */

/** The largest frame body before the peer is authenticated, in bytes. */
export const MAX_HANDSHAKE_FRAME = 1024;

/** The time limit for a handshake, in ms. */
export const HANDSHAKE_TIMEOUT = 10_000;

/** The maximum number of concurrent handshakes. If more begin, the oldest are closed. */
export const MAX_HANDSHAKES = 256;

/**
 * The largest frame body of an authenticated peer, in bytes. A larger message travels in pieces between
 * which others go.
 */
export const MAX_FRAME = 256 * 1024;

/** The largest message with its header, in bytes. A connection receives one large message at a time. */
export const MAX_MESSAGE = 64 * 1024 * 1024;

/**
 * The size of the pieces that are sent, in bytes. With the prefix and the mark, a piece fits into a
 * buffer of a power of two. Smaller ones take more writes, larger ones more time between two of them.
 */
export const PIECE = 128 * 1024 - 6;

/** How long handling frames may block the event loop, in ms. */
export const MAX_TURN = 20;

/**
 * The number of messages that many streams may handle in one turn of the event loop; see
 * `reading_turns.ts`. A thousand with one message each need not wait for each other.
 */
export const MESSAGES_PER_TURN = 256;

/** The number of frames between checks of {@linkcode MAX_TURN}. */
export const FRAMES_PER_CHECK = 16;

/**
 * After a larger frame, in bytes, {@linkcode MAX_TURN} is checked at once. Smaller ones take at
 * most a millisecond.
 */
export const LARGE_FRAME = 4096;

/** The maximum depth of a message. A deeper one is sent as a graph, which is flat. */
export const MAX_DEPTH = 100;

/**
 * The maximum number of parts of a message, which bounds its memory. A value counts as 1, an object
 * as more, see `value_format.ts`. A million records of ten fields are allowed.
 */
export const MAX_PARTS = 16 * 1024 * 1024;

/** The largest BigInt in a message, in bytes. The time to print one grows faster than its size. */
export const MAX_BIGINT = 64 * 1024;

/** The longest regular expression in a message, in characters. */
export const MAX_PATTERN = 1024;

/**
 * The maximum number of costly values (Errors and regular expressions, which take microseconds to
 * create) in a message, plus one for each {@linkcode BYTES_PER_COSTLY_VALUE} of the frame.
 */
export const COSTLY_VALUES = 256;

/** See {@linkcode COSTLY_VALUES}. An Error with a stack is longer than this. */
export const BYTES_PER_COSTLY_VALUE = 128;

/**
 * The processor time that the Maps and Sets of a frame may take, in ms, plus {@linkcode
 * MAP_TIME_PER_MIB} for each MiB of the frame. Ordinary ones take a small part of it.
 */
export const MAP_TIME = 100;

/** See {@linkcode MAP_TIME}; in ms. */
export const MAP_TIME_PER_MIB = 400;

/** The timeout of an attempt to open a stream, in ms. */
export const CONNECT_TIMEOUT = 5_000;

/** The interval at which a server checks that its UNIX socket is still at its path, in ms. */
export const SOCKET_CHECK_INTERVAL = 5_000;

/** After this time without sending, a heartbeat is sent, in ms. */
export const HEARTBEAT_INTERVAL = 15_000;

/** After this time without receiving, the peer counts as dead, in ms. */
export const HEARTBEAT_TIMEOUT = 60_000;

/**
 * How long a probed connection or address may take to identify itself, in ms. No answer proves
 * nothing.
 */
export const PROBE_TIMEOUT = 1_000;

/** The timeout of pings, and of lookups that the caller can do without, in ms. */
export const PING_TIMEOUT = 2_000;

/** The maximum number of unread bytes of a TLS socket. */
export const MAX_UNREAD = 64 * 1024 * 1024;

/**
 * The number of bytes waiting for a server from which senders should wait: about what a socket
 * buffers, so that one side writes while the other reads.
 */
export const HIGH_WATER_MARK = 128 * 1024;

/** The size in bytes from which a write is not enlarged, so that what still waits can expire. */
export const MAX_WRITE = 256 * 1024;

/** The number of bytes waiting for a server from which the log warns that it does not keep up. */
export const WARNING_MARK = 64 * 1024 * 1024;

/** The number of bytes waiting for a server from which its connection is closed. */
export const HARD_LIMIT = 256 * 1024 * 1024;

/**
 * The number of messages since the last write with which the next one begins before the end of the
 * turn. With fewer, each write would carry too little; with more, the peer would wait for work.
 */
export const EARLY_MESSAGES = 16;

/** The same on tls, where a write takes longer, since it is encrypted. */
export const EARLY_MESSAGES_TLS = 32;

/**
 * The longest `traceparent` of a message, in characters. That of the present version has 55; later
 * ones may be longer.
 */
export const MAX_TRACE_PARENT = 128;

/** The longest `tracestate` of a message, in characters: what the W3C requires at least. */
export const MAX_TRACE_STATE = 512;
