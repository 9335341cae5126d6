/**
 * The state of a server, and the requests to its actor `observer` for it.
 *
 * @module
 */
import type { Traffic } from "../server/connection.ts";
import type { ServerState } from "../server/registry_protocol.ts";
import {
  actorId,
  type AnswerForms,
  type Check,
  finiteNumber,
  flag,
  listOf,
  MAX_HOST,
  nothing,
  oneOf,
  optional,
  parts,
  type RequestForms,
  serverId,
  text,
  timestamp,
  wholeNumber,
} from "../server/request_checks.ts";

/**
 * The state of a server at one moment. Rates are those of the last ten seconds.
 *
 * @example Print what all servers use
 * ```ts
 * import { type ServerStatus, startServer } from "@gxensemble/ensemble";
 *
 * await using client = await startServer();
 * const show = ({ id, cpu, memory }: ServerStatus) => console.log(id, cpu, memory.rss);
 * for (const { id } of await client.servers()) show(await client.remote(id).status());
 * ```
 */
export interface ServerStatus {
  /** Its id. */
  readonly id: string;
  /** Its process. */
  readonly pid: number;
  /** Its host. */
  readonly host: string;
  /** The user that its process runs as; absent if unknown. */
  readonly user?: string;
  /** The version of gxensemble. */
  readonly version: string;
  /** The version of Deno. */
  readonly deno: string;
  /** The version of V8. */
  readonly v8: string;
  /** When it started, in ms since 1970 by its own clock. */
  readonly startedAt: number;
  /** The time of its own clock, in ms since 1970. */
  readonly now: number;
  /** Its state, as it tells the registry. */
  readonly state: ServerState;
  /** Its roles. */
  readonly roles: readonly string[];
  /** The memory of its process, in bytes. */
  readonly memory: {
    /** What it has in physical memory: its resident set. */
    readonly rss: number;
    /** What JavaScript objects use. */
    readonly heapUsed: number;
    /** What is reserved for them. */
    readonly heapTotal: number;
    /** What objects use outside of the heap, such as buffers. */
    readonly external: number;
  };
  /** The memory of its host, in bytes; absent if unknown. */
  readonly systemMemory?: { readonly total: number; readonly available: number };
  /** How much of one processor core its process uses: 1 is all of it. */
  readonly cpu: number;
  /**
   * The delay of its event loop in the last minute, in ms: how long timers, and so everything else,
   * wait for running code.
   */
  readonly eventLoopDelay: {
    /** The median. */
    readonly p50: number;
    /** The 99th percentile. */
    readonly p99: number;
    /** The longest. */
    readonly max: number;
  };
  /** The number of its actors. */
  readonly actors: number;
  /** The actors for which most messages wait, at most five, the longest first. */
  readonly longestMailboxes: readonly {
    /** Its name or serial number. */
    readonly actor: string | number;
    /** The number of messages that wait. */
    readonly length: number;
  }[];
  /** The number of its connections. */
  readonly connections: number;
  /** What came from other servers. */
  readonly received: {
    /** The messages since it started. */
    readonly messages: number;
    /** The bytes since it started. */
    readonly bytes: number;
    /** The messages in each second. */
    readonly messagesPerSecond: number;
    /** The bytes in each second. */
    readonly bytesPerSecond: number;
  };
  /** What was sent to other servers. */
  readonly sent: {
    /** The messages since it started. */
    readonly messages: number;
    /** The bytes since it started. */
    readonly bytes: number;
    /** The messages in each second. */
    readonly messagesPerSecond: number;
    /** The bytes in each second. */
    readonly bytesPerSecond: number;
  };
  /** The messages that its actors have taken out of their mailboxes. */
  readonly handled: { readonly messages: number; readonly messagesPerSecond: number };
  /** The number of its requests that wait for an answer. */
  readonly pendingAsks: number;
  /** How often its supervisors have restarted actors. */
  readonly restarts: number;
  /** The loads that changed its code after it started. */
  readonly loads: {
    /** Their number. */
    readonly count: number;
    /** The last ones, at most ten, the newest first. */
    readonly last: readonly {
      /** The module id. */
      readonly module: string;
      /** The SHA-256 of its unit, in hex. */
      readonly hash: string;
      /** The time, in ms since 1970. */
      readonly at: number;
      /** The operator, as the load names it: `user@host`. */
      readonly by: string;
      /** Whether that version of the module is still the current one. */
      readonly current: boolean;
    }[];
  };
  /** When its certificate ends, in ms since 1970; absent if it has none. */
  readonly certificateEnd?: number;
  /** The open files and sockets of its process, and their limit; absent if unknown. */
  readonly openFiles?: { readonly count: number; readonly limit?: number };
  /** Its log: the level, and the numbers of warnings and errors since its process started. */
  readonly log?: { readonly level: string; readonly warnings: number; readonly errors: number };
  /** The address of its metrics and health checks, if it was started with `--http`. */
  readonly http?: string;
  /** What the registry has; absent for other servers. */
  readonly registry?: {
    /** The number of registered servers. */
    readonly entries: number;
    /** The number of queries that wait for changes. */
    readonly watchers: number;
  };
  /** What a host's supervisor says about its servers; absent for other servers. */
  readonly supervised?: readonly {
    /** Its id. */
    readonly server: string;
    /** Its state there, such as `backing-off`. */
    readonly state: string;
    /** Why it is in that state. */
    readonly reason?: string;
    /** How often the supervisor has restarted it by itself. */
    readonly restarts: number;
  }[];
}

/** A server, as its host's supervisor sees it. */
export type SupervisedStatus = NonNullable<ServerStatus["supervised"]>[number];

/** The delay of an event loop, in ms. */
export type EventLoopDelay = ServerStatus["eventLoopDelay"];

/** What went in one direction between servers. */
export type Flow = ServerStatus["received"];

/** The current version of a module, and when a server got it. */
export type ModuleVersion = Omit<ServerStatus["loads"]["last"][number], "current">;

/** One point of a server's history: about five seconds. */
export interface StatusPoint {
  /** Its end, in ms since 1970 by the server's clock. */
  readonly at: number;
  /** The used part of one processor core. */
  readonly cpu: number;
  /** The resident set of the process, in bytes. */
  readonly rss: number;
  /** What JavaScript objects use, in bytes. */
  readonly heapUsed: number;
  /** The delay of the event loop. */
  readonly eventLoopDelay: EventLoopDelay;
  /** The number of actors. */
  readonly actors: number;
  /** The number of messages that wait in the longest mailbox. */
  readonly longestMailbox: number;
  /** The number of connections. */
  readonly connections: number;
  /** The number of requests that wait for an answer. */
  readonly pendingAsks: number;
  /** The messages and bytes from other servers in each second. */
  readonly received: Traffic;
  /** The messages and bytes to other servers in each second. */
  readonly sent: Traffic;
  /** The messages that actors took in each second. */
  readonly handled: number;
}

/** A load that a server has done, and may have gone back from. */
export interface RecordedLoad extends ModuleVersion {
  /** The id of the load, for going back from it. */
  readonly id: string;
  /** Whether that version of the module is still the current one. */
  readonly current: boolean;
  /** Whether the server went back from it. */
  readonly undone: boolean;
}

/** The handlers of the actor `observer` for the state of its server. */
export type StatusHandlers = {
  /** The state now. */
  status(): ServerStatus;
  /** The history of the last ten minutes; with `since`, only points after that time. */
  history(request: { since?: number }): StatusPoint[];
  /** The current versions of its modules, the newest first, and of very many only those. */
  modules(): ModuleVersion[];
  /** The loads that changed its code, the newest first, and of very many only those. */
  loads(): RecordedLoad[];
};

/** The checks of their requests. */
export const statusChecks: RequestForms<StatusHandlers> = {
  status: nothing,
  history: parts({ since: optional(timestamp) }),
  modules: nothing,
  loads: nothing,
};

/** The largest number of actors in {@linkcode ServerStatus.longestMailboxes}. */
export const MAX_MAILBOXES = 5;

/** The largest number of loads in {@linkcode ServerStatus.loads}. */
export const MAX_LOADS = 10;

/** The largest number of modules in an answer to `modules`. */
export const MAX_MODULES = 1_000;

/** The largest number of loads in an answer to `loads`. */
export const MAX_RECORDED_LOADS = 200;

/** The number of points of a history. */
export const HISTORY_POINTS = 120;

/** The largest number of roles, which the registry limits more strictly, in an answer. */
const MAX_ROLES = 1_000;

/** The largest number of servers that a supervisor says something about, in an answer. */
const MAX_SUPERVISED = 2_000;

/** The longest version, user, role, address and other short text, in UTF-16 code units. */
const MAX_SHORT = 512;

/** The longest module id, in UTF-16 code units. */
const MAX_MODULE = 10_000;

const short = text(MAX_SHORT);

const traffic: Check<Traffic> = parts({ messages: finiteNumber, bytes: finiteNumber });

const flow: Check<Flow> = parts({
  messages: wholeNumber,
  bytes: wholeNumber,
  messagesPerSecond: finiteNumber,
  bytesPerSecond: finiteNumber,
});

const moduleVersion = { module: text(MAX_MODULE), hash: short, at: timestamp, by: short };

const eventLoopDelay: Check<EventLoopDelay> = parts({
  p50: finiteNumber,
  p99: finiteNumber,
  max: finiteNumber,
});

const serverStatus: Check<ServerStatus> = parts({
  id: serverId,
  pid: wholeNumber,
  host: text(MAX_HOST),
  user: optional(short),
  version: short,
  deno: short,
  v8: short,
  startedAt: timestamp,
  now: timestamp,
  state: oneOf("starting", "up", "draining", "unreachable"),
  roles: listOf(short, MAX_ROLES),
  memory: parts({
    rss: finiteNumber,
    heapUsed: finiteNumber,
    heapTotal: finiteNumber,
    external: finiteNumber,
  }),
  systemMemory: optional(parts({ total: finiteNumber, available: finiteNumber })),
  cpu: finiteNumber,
  eventLoopDelay,
  actors: wholeNumber,
  longestMailboxes: listOf(parts({ actor: actorId, length: wholeNumber }), MAX_MAILBOXES),
  connections: wholeNumber,
  received: flow,
  sent: flow,
  handled: parts({ messages: wholeNumber, messagesPerSecond: finiteNumber }),
  pendingAsks: wholeNumber,
  restarts: wholeNumber,
  loads: parts({
    count: wholeNumber,
    last: listOf(
      parts({ ...moduleVersion, current: flag }),
      MAX_LOADS,
    ),
  }),
  certificateEnd: optional(timestamp),
  openFiles: optional(parts({ count: wholeNumber, limit: optional(wholeNumber) })),
  log: optional(parts({ level: short, warnings: wholeNumber, errors: wholeNumber })),
  http: optional(short),
  registry: optional(parts({ entries: wholeNumber, watchers: wholeNumber })),
  supervised: optional(
    listOf(
      parts({ server: serverId, state: short, reason: optional(short), restarts: wholeNumber }),
      MAX_SUPERVISED,
    ),
  ),
});

/** The checks of their answers. */
export const statusAnswers: AnswerForms<StatusHandlers> = {
  status: serverStatus,
  history: listOf(
    parts({
      at: timestamp,
      cpu: finiteNumber,
      rss: finiteNumber,
      heapUsed: finiteNumber,
      eventLoopDelay,
      actors: wholeNumber,
      longestMailbox: wholeNumber,
      connections: wholeNumber,
      pendingAsks: wholeNumber,
      received: traffic,
      sent: traffic,
      handled: finiteNumber,
    }),
    HISTORY_POINTS,
  ),
  modules: listOf(parts(moduleVersion), MAX_MODULES),
  loads: listOf(
    parts({ ...moduleVersion, current: flag, id: short, undone: flag }),
    MAX_RECORDED_LOADS,
  ),
};
