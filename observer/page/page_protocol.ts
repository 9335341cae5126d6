/**
 * What the observer's page and its server say to each other: plain data, sent as JSON.
 *
 * Times are in ms since 1970, durations in ms, sizes in bytes, and rates are per second. A time
 * comes from the clock of the host that the text names. All texts may come from any server of the
 * ensemble: show them as text, never as markup.
 *
 * | request | answer |
 * |---|---|
 * | `GET ./` | the page |
 * | `GET assets/<name>` | a file of the page |
 * | `GET events` | server-sent events: first a `snapshot` ({@linkcode Snapshot}), then `changes` ({@linkcode Changes}) |
 * | `GET api/servers/<id>/actors?sort=&limit=` | {@linkcode ActorList} |
 * | `GET api/servers/<id>/tree` | {@linkcode ActorTreeAnswer} |
 * | `GET api/servers/<id>/history` | {@linkcode ServerHistory} |
 * | `GET api/history` | {@linkcode ServerHistory} of all servers: sums, and the worst delay and mailbox |
 * | `GET api/servers/<id>/logs?after=&level=&category=&search=` | {@linkcode LogTail} |
 * | `GET api/servers/<id>/loads` | {@linkcode LoadList} |
 * | `GET api/groups/<name>` | {@linkcode GroupMembers} |
 * | `POST api/actions` ({@linkcode ActionRequest}) | {@linkcode ActionResult} |
 *
 * An id or name in a path is encoded with `encodeURIComponent`. A failed request has a status of
 * 400 or more and an {@linkcode ApiError}. When `events` ends, the page connects again and begins
 * with the new snapshot. A `snapshot` also comes later, to a page that was too slow for the changes:
 * it replaces everything.
 *
 * URLs in the page are relative to it, since it is served below a path of its own: `events`,
 * `api/actions`, `assets/page.css`.
 *
 * This module has types only, so that the page needs nothing of it when it runs.
 *
 * @module
 */

/** The state of a server: as the registry has it, or `gone` for one that is shown for a while. */
export type ObservedState = "starting" | "up" | "draining" | "unreachable" | "gone";

/** The levels of log records, from the least to the most severe. */
export type ObservedLevel = "trace" | "debug" | "info" | "warning" | "error" | "fatal";

/** The levels that the log of a server can be set to. */
export type SettableLevel = Exclude<ObservedLevel, "trace" | "fatal">;

/** All that the page needs at first. */
export interface Snapshot {
  /** The version of gxensemble that serves the page. */
  readonly version: string;
  /** The id of the console that observes. */
  readonly observer: string;
  /** The time, by the observer's clock. */
  readonly now: number;
  /** How often each server is asked for its status at present, in ms. */
  readonly interval: number;
  /** The token for `POST api/actions`, in its header `x-observer-token`; absent if there are no actions. */
  readonly actionToken?: string | undefined;
  /** Set while the registry does not answer: why. The servers are those known before. */
  readonly registryError?: string | undefined;
  /** All servers and registries, sorted by id. */
  readonly servers: readonly ObservedServer[];
  /** The connections between them, sorted by ends; consoles and other clients are left out. */
  readonly connections: readonly ObservedConnection[];
  /** The number of connections that are left out because there are too many; the busiest stay. */
  readonly connectionsLeftOut: number;
  /** The last changes in the registry, oldest first. */
  readonly timeline: readonly TimelineEntry[];
  /** The last log records of all servers that are warnings or worse, oldest first. */
  readonly logs: readonly ObservedLogRecord[];
}

/** What changed since the last event. Absent parts have not changed. */
export interface Changes {
  /** The time, by the observer's clock. */
  readonly now: number;
  /** How often each server is asked for its status, if that changed, in ms. */
  readonly interval?: number | undefined;
  /** Why the registry does not answer; null when it answers again. */
  readonly registryError?: string | null | undefined;
  /** Servers that are new or have changed, each as a whole. */
  readonly servers?: readonly ObservedServer[] | undefined;
  /** The figures of servers of which nothing else has changed. */
  readonly figures?: readonly ServerFigures[] | undefined;
  /** The ids of servers that are not shown any more. */
  readonly removed?: readonly string[] | undefined;
  /** Connections that are new or have other rates. Their ends are the key. */
  readonly connections?: readonly ObservedConnection[] | undefined;
  /** The ends of connections that are closed. */
  readonly closed?: readonly (readonly [a: string, b: string])[] | undefined;
  /** See {@linkcode Snapshot.connectionsLeftOut}. */
  readonly connectionsLeftOut?: number | undefined;
  /** New entries of the time line, oldest first. */
  readonly timeline?: readonly TimelineEntry[] | undefined;
  /** New log records, oldest first. */
  readonly logs?: readonly ObservedLogRecord[] | undefined;
}

/** A server or registry. */
export interface ObservedServer {
  /** Its id. */
  readonly id: string;
  /** The instance: changes when another run of the server takes the id over. */
  readonly instance: string;
  /** Whether it is a registry. */
  readonly isRegistry: boolean;
  /** Its state. */
  readonly state: ObservedState;
  /** Its roles, in their order. */
  readonly roles: readonly string[];
  /** How many members of each group it has. */
  readonly groups: Readonly<Record<string, number>>;
  /** Its addresses, as URLs. */
  readonly addresses: readonly string[];
  /** The name of its host. */
  readonly host?: string | undefined;
  /** Its process id. */
  readonly pid?: number | undefined;
  /** The version of gxensemble that it runs. */
  readonly version?: string | undefined;
  /** The version of Deno that it runs. */
  readonly deno?: string | undefined;
  /** When it started, by its clock. */
  readonly startedAt?: number | undefined;
  /** Its last figures; absent until it has answered. */
  readonly status?: ObservedStatus | undefined;
  /** The modules that were loaded into it and are current, sorted by module. */
  readonly modules: readonly ObservedModule[];
  /** Why its figures are missing or old: it does not answer, or does not allow it. */
  readonly error?: string | undefined;
}

/** The part of a server that changes each time it is asked. Replace both, also if one is absent. */
export type ServerFigures = Pick<ObservedServer, "id" | "status" | "error">;

/** The figures of a server. Those that it does not give are absent. */
export interface ObservedStatus {
  /** When they came, by the observer's clock. */
  readonly at: number;
  /** Its memory. */
  readonly memory?: {
    readonly rss: number;
    readonly heapUsed: number;
    readonly heapTotal: number;
  } | undefined;
  /** The processor time that it used, as a share of one core: 1 is one full core. */
  readonly cpu?: number | undefined;
  /** How late its event loop was over the last minute. */
  readonly eventLoopDelay?: {
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
  } | undefined;
  /** The number of its actors. */
  readonly actors?: number | undefined;
  /** Its actors with the most waiting messages, the longest first. */
  readonly longestMailboxes?: readonly { readonly actor: string; readonly length: number }[];
  /** The number of its connections, those of consoles included. */
  readonly connections?: number | undefined;
  /** Messages and bytes that it receives. */
  readonly received?: ObservedTraffic | undefined;
  /** Messages and bytes that it sends. */
  readonly sent?: ObservedTraffic | undefined;
  /** Messages that its actors handle. */
  readonly handledPerSecond?: number | undefined;
  /** The number of its asks that wait for an answer. */
  readonly asksPending?: number | undefined;
  /** How many actors its supervisors have restarted since it started. */
  readonly restarts?: number | undefined;
  /** Its log level, and the numbers of records since it started. */
  readonly log?: {
    readonly level?: ObservedLevel | undefined;
    readonly errors: number;
    readonly warnings: number;
  } | undefined;
  /** When its certificate ends, by its clock. */
  readonly certificateEnd?: number | undefined;
}

/** Rates of messages and bytes. */
export interface ObservedTraffic {
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** A module that was loaded into a server while it ran. */
export interface ObservedModule {
  /** The module id. */
  readonly module: string;
  /** The hash of the current version. */
  readonly hash: string;
  /** When it became current, by the server's clock. */
  readonly at: number;
  /** Who loaded it: `user@host`. */
  readonly by?: string | undefined;
}

/** A connection between two servers. */
export interface ObservedConnection {
  /** The id of one end; it comes before the other in the order of text. */
  readonly a: string;
  /** The id of the other end. */
  readonly b: string;
  /** Its transport. */
  readonly kind: "unix" | "tcp" | "tls";
  /** Since when it is open, by the clock of the server that told of it. */
  readonly since: number;
  /** Messages in both directions, rounded to two digits. */
  readonly messagesPerSecond: number;
  /** Bytes in both directions, rounded to two digits. */
  readonly bytesPerSecond: number;
  /** The bytes that wait to be sent. */
  readonly waiting: number;
}

/** What happened in the ensemble. */
export interface TimelineEntry {
  /** Its place in the observer's sequence; later entries have greater ones. */
  readonly sequence: number;
  /** When, by the observer's clock. */
  readonly at: number;
  /** The server's id. */
  readonly server: string;
  /**
   * What happened to it: the change in the registry; `loaded` or `went back` with the module; or
   * `action` for one that the page asked for.
   */
  readonly change:
    | "starting"
    | "up"
    | "draining"
    | "unreachable"
    | "changed"
    | "left"
    | "gone"
    | "loaded"
    | "went back"
    | "action";
  /** Further text: the module and its hash, the action and its outcome. */
  readonly details?: string | undefined;
}

/** A log record of a server. */
export interface ObservedLogRecord {
  /** The server's id. */
  readonly server: string;
  /** Its place among the records of the server's process. */
  readonly sequence: number;
  /** When, by the server's clock. */
  readonly at: number;
  /** Its level. */
  readonly level: ObservedLevel;
  /** Its category: `gxensemble.server`. */
  readonly category: string;
  /** Its text, shortened. */
  readonly message: string;
  /** Further properties and the stack of an error, as text. */
  readonly details?: string | undefined;
}

/** The orders of a list of actors; all but `name` put the greatest first. */
export type ActorSort = "mailbox" | "handled" | "time" | "name";

/**
 * Actors of a server. Sorted by name, only those with names. Otherwise the busiest of all: their
 * rates come from the second answer on, since a server measures them only while it is asked.
 */
export interface ActorList {
  /** At most `limit` (default 100, at most 1000) actors in the order of `sort` (default `mailbox`). */
  readonly actors: readonly ObservedActor[];
  /** The number of actors that there are. */
  readonly total: number;
}

/** An actor. */
export interface ObservedActor {
  /** Its serial number in its server. */
  readonly serial: number;
  /** Its registered name. */
  readonly name?: string | undefined;
  /** Its place: `root/sessions`. */
  readonly group: string;
  /** Running its own code, waiting in a receive, ended, or waiting for its restart. */
  readonly state: "running" | "receiving" | "dead" | "restarting";
  /** The number of waiting messages. */
  readonly mailbox: number;
  /** The number of messages that it has taken. */
  readonly handled: number;
  /** Messages that it takes. */
  readonly handledPerSecond?: number | undefined;
  /** The time in its handlers, as a share of the time that passed. */
  readonly timeShare?: number | undefined;
  /** Its age. */
  readonly age?: number | undefined;
  /** The types of the requests that a service answers. */
  readonly types?: readonly string[] | undefined;
  /** Whether it is a part of its server, and cannot be shut down. */
  readonly essential?: boolean | undefined;
}

/** An actor with those that it supervises. */
export interface ObservedTree extends ObservedActor {
  /** Its id in its supervisor. */
  readonly id?: string | undefined;
  /** How often its supervisor has restarted it. */
  readonly restarts: number;
  /** The actors that it supervises, in the order they started. */
  readonly children: readonly ObservedTree[];
}

/** The actors of a server that have names or supervisors. */
export interface ActorTreeAnswer {
  /** Those at the top, sorted by name. */
  readonly tree: readonly ObservedTree[];
  /** Whether there are more actors than an answer has. */
  readonly isCut: boolean;
}

/** A member of a group. */
export interface GroupMember {
  /** The id of its server. */
  readonly server: string;
  /** The name, or else the serial number of the actor. */
  readonly actor: string | number;
}

/** The members of a group. */
export interface GroupMembers {
  /** At most 1000 of them, by server. */
  readonly members: readonly GroupMember[];
  /** The number of members that there are. */
  readonly total: number;
  /** Servers that could not be asked, with the reason. */
  readonly errors: readonly { readonly server: string; readonly error: string }[];
}

/**
 * The last ten minutes of a server in columns of equal length, for charts. A value is null where
 * the server had none. `at` is by the observer's clock.
 */
export interface ServerHistory {
  /** The times, ascending. */
  readonly at: readonly number[];
  /** The columns. */
  readonly columns: {
    readonly rss: readonly (number | null)[];
    readonly heapUsed: readonly (number | null)[];
    readonly cpu: readonly (number | null)[];
    readonly eventLoopDelayP99: readonly (number | null)[];
    readonly actors: readonly (number | null)[];
    readonly longestMailbox: readonly (number | null)[];
    readonly receivedMessagesPerSecond: readonly (number | null)[];
    readonly sentMessagesPerSecond: readonly (number | null)[];
    readonly receivedBytesPerSecond: readonly (number | null)[];
    readonly sentBytesPerSecond: readonly (number | null)[];
    readonly asksPending: readonly (number | null)[];
  };
}

/** Log records of one server. */
export interface LogTail {
  /** The records after `after` (default: the last ones), oldest first, at most 500. */
  readonly records: readonly ObservedLogRecord[];
  /** The `after` of the next request. */
  readonly next: string;
  /** How many records between were dropped before they could be read. */
  readonly lost: number;
}

/** A load that a server has gone through. */
export interface ObservedLoad {
  /** The id of the load, for `go-back`. */
  readonly id: string;
  /** The module that it loaded. */
  readonly module: string;
  /** Its hash. */
  readonly hash: string;
  /** When, by the server's clock. */
  readonly at: number;
  /** Who loaded it. */
  readonly by: string;
  /** Whether the server went back from it. */
  readonly undone: boolean;
  /** Whether its version is the current one. */
  readonly current: boolean;
}

/** The loads of a server, newest first. */
export interface LoadList {
  readonly loads: readonly ObservedLoad[];
}

/** Something that the page asks the operator for, who has to confirm it in the terminal. */
export type ActionRequest =
  /** Shuts an actor down. */
  | { readonly action: "shut-down-actor"; readonly server: string; readonly actor: string | number }
  /** Sets the log level of a server, or of one category, for a time or until it is set again. */
  | {
    readonly action: "set-log-level";
    readonly server: string;
    readonly level: SettableLevel;
    readonly category?: string | undefined;
    /** How long it lasts, in ms. */
    readonly duration?: number | undefined;
  }
  /** Goes back from a load, to the version before. */
  | { readonly action: "go-back"; readonly server: string; readonly load: string };

/** What became of an action. */
export interface ActionResult {
  /** `declined` if the operator answered no, or not in time. */
  readonly outcome: "done" | "declined" | "failed";
  /** What was done, or why not. */
  readonly message: string;
}

/** Why a request failed. */
export interface ApiError {
  readonly error: string;
}
