/**
 * The requests of a host's supervisor about its servers: what they do, starting and stopping them,
 * and their output.
 *
 * @module
 */
import type { Bytes } from "../runtime/server/credentials.ts";
import {
  type AnswerForms,
  bytes,
  type Check,
  finiteNumber,
  flag,
  listOf,
  MAX_HOST,
  oneOf,
  optional,
  parts,
  positive,
  type RequestForms,
  serverId,
  text,
  timestamp,
  utf8,
  wholeNumber,
} from "../runtime/server/request_checks.ts";
import { type ProcessEnd, SERVER_STATES, type ServerReport } from "./processes/server_report.ts";

/** The maximum number of servers of one supervisor. */
export const MAX_SUPERVISED = 1_000;

/** The longest time that a request waits for its servers, in ms: an hour. */
const MAX_SERVER_WAIT = 3_600_000;

/** The largest part of a server's output in an answer, in bytes. */
export const MAX_OUTPUT_PART = 1 << 18;

/** The longest time that a reader waits for more output, in ms. */
const MAX_OUTPUT_WAIT = 30_000;

/** The longest role, in bytes of UTF-8, as in the registry. */
const MAX_ROLE = 64;

/** The maximum number of arguments of a server or program. */
export const MAX_ARGUMENTS = 256;

/** The longest argument, in UTF-16 code units. */
export const MAX_ARGUMENT = 8_192;

/** The longest reason, signal, user and other short text, in UTF-16 code units. */
export const MAX_REASON = 1_000;

/** A server under a supervisor. */
export interface SupervisedServer extends Omit<ServerReport, "upSince"> {
  /** The role of the configuration that it runs; absent for the registry. */
  readonly role?: string | undefined;
}

/** The servers of a supervisor. */
export interface SupervisedServers {
  /** The name of its host. */
  readonly host: string;
  /** The time of the answer, in ms since 1970, by the clock of the host. */
  readonly now: number;
  /** Its servers, in the order in which they start. */
  readonly servers: SupervisedServer[];
}

/** A server to start. */
export interface ServerStart {
  /** Its id. */
  readonly id: string;
  /**
   * A role of the configuration, for a server that the configuration does not have. Without it, the
   * supervisor has to know the id.
   */
  readonly role?: string | undefined;
  /** Its arguments, in place of those of the role. Only with a role. */
  readonly args?: readonly string[] | undefined;
  /** How long to wait until it is up, in ms. Default: the answer comes at once. */
  readonly wait?: number | undefined;
}

/** A server to stop or to restart. */
export interface ServerStop {
  /** Its id. */
  readonly id: string;
  /**
   * Lets the server finish its requests first, for at most so long, in ms. Only if the supervisor
   * has the capability `admin` inside it.
   */
  readonly drain?: number | undefined;
  /** How long to wait until it has stopped, or is up again, in ms. Default: not at all. */
  readonly wait?: number | undefined;
  /** Who asks, for the log: `user@host`, as the console says. */
  readonly by: string;
}

/** The place of a reader in a server's output. */
export interface OutputPosition {
  /** The file: a rotation begins another. */
  readonly file: string;
  /** The number of its bytes before this place. */
  readonly offset: number;
}

/** Which output to read. */
export interface OutputQuery {
  /** The server. */
  readonly id: string;
  /** Where to go on. Without it, the last lines are read. */
  readonly after?: OutputPosition | undefined;
  /** The number of last lines to read, if there is no position. */
  readonly lines: number;
  /** How long to wait if there is no more, in ms. Default: the answer comes at once. */
  readonly wait?: number | undefined;
}

/** The answer to an {@linkcode OutputQuery}. */
export interface OutputPart {
  /** The bytes, as the server has written them; empty at the end. */
  readonly bytes: Bytes;
  /** Where to go on. */
  readonly position: OutputPosition;
  /** Whether output after the position of the query was dropped before it was read. */
  readonly lost: boolean;
}

/** The handlers of a supervisor for its servers. */
export type SupervisedServerHandlers = {
  /** Its servers. */
  list(): Promise<SupervisedServers>;
  /** Starts a server. One that runs is left alone. */
  start(request: ServerStart & { by: string }): Promise<SupervisedServer>;
  /**
   * Makes the number of running workers of a role `count`: `<prefix>-0` and so on. Those with the
   * highest numbers are stopped.
   */
  startWorkers(
    request: {
      role: string;
      prefix: string;
      count: number;
      drain?: number | undefined;
      wait?: number | undefined;
      by: string;
    },
  ): Promise<{ started: string[]; stopped: string[] }>;
  /** Stops a server. It stays stopped until it is started by an operator. */
  stop(request: ServerStop): Promise<SupervisedServer>;
  /** Stops a server, if it runs, and starts it with the configuration of now. */
  restart(request: ServerStop): Promise<SupervisedServer>;
  /** Reads what a server has written to standard output and standard error. */
  readOutput(request: OutputQuery): Promise<OutputPart>;
};

/** A number up to a maximum. */
function upTo(most: number, check: Check<number>): Check<number> {
  return (value) => Math.min(check(value), most);
}

/** The time that a request waits, in ms. */
const wait = optional(upTo(MAX_SERVER_WAIT, wholeNumber));

/** `user@host`. */
export const operator: Check<string> = text(512);

/** The arguments of a program. */
const programArguments = listOf(text(MAX_ARGUMENT), MAX_ARGUMENTS);

const position = parts({ file: text(64), offset: wholeNumber });

const stop = parts({ id: serverId, drain: wait, wait, by: operator });

/** The checks of their requests. */
export const supervisedServerChecks: RequestForms<SupervisedServerHandlers> = {
  list: parts({}),
  start: parts({
    id: serverId,
    role: optional(utf8(MAX_ROLE)),
    args: optional(programArguments),
    wait,
    by: operator,
  }),
  startWorkers: parts({
    role: utf8(MAX_ROLE),
    prefix: serverId,
    count: upTo(MAX_SUPERVISED, wholeNumber),
    drain: wait,
    wait,
    by: operator,
  }),
  stop,
  restart: stop,
  readOutput: parts({
    id: serverId,
    after: optional(position),
    lines: upTo(10_000, wholeNumber),
    wait: optional(upTo(MAX_OUTPUT_WAIT, positive)),
  }),
};

const reason = text(MAX_REASON);

/** How a process ended. */
export const processEnd: Check<ProcessEnd> = parts({
  at: timestamp,
  code: optional(wholeNumber),
  signal: optional(text(32)),
  reason: optional(reason),
});

const supervisedServer: Check<SupervisedServer> = parts({
  id: serverId,
  role: optional(utf8(MAX_ROLE)),
  state: oneOf(...SERVER_STATES),
  reason: optional(reason),
  adopted: flag,
  added: flag,
  outdated: flag,
  pid: optional(wholeNumber),
  startedAt: optional(timestamp),
  rss: optional(finiteNumber),
  restarts: wholeNumber,
  startsAt: optional(timestamp),
  lastExit: optional(processEnd),
});

const ids = listOf(serverId, MAX_SUPERVISED);

/** The checks of their answers. */
export const supervisedServerAnswers: AnswerForms<SupervisedServerHandlers> = {
  list: parts({
    host: text(MAX_HOST),
    now: timestamp,
    servers: listOf(supervisedServer, MAX_SUPERVISED + 1),
  }),
  start: supervisedServer,
  startWorkers: parts({ started: ids, stopped: ids }),
  stop: supervisedServer,
  restart: supervisedServer,
  readOutput: parts({ bytes: bytes(MAX_OUTPUT_PART), position, lost: flag }),
};
