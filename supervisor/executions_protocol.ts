/**
 * Executions: what the actor `supervisor` answers about the programs that operators run on its host.
 *
 * @module
 */
import type { Bytes } from "../runtime/server/credentials.ts";
import {
  type AnswerForms,
  bytes,
  type Check,
  flag,
  listOf,
  matching,
  nothing,
  oneOf,
  optional,
  parts,
  positive,
  recordOf,
  type RequestForms,
  text,
  timestamp,
  wholeNumber,
} from "../runtime/server/request_checks.ts";
import type { ProcessEnd } from "./processes/server_report.ts";
import { operator, processEnd } from "./supervised_servers_protocol.ts";

/** The largest number of programs that run at the same time on a host. */
export const MAX_RUNNING = 32;

/** The largest number of detached ones that have ended and are still listed. */
export const MAX_ENDED = 32;

/** How long a program may run by default, in ms: an hour. */
export const DEFAULT_RUN_TIME = 3_600_000;
/** The longest time that a program may run, in ms: a week. */
export const MAX_RUN_TIME = 7 * 86_400_000;

/** The largest output in an answer, in bytes. */
export const MAX_OUTPUT_PART = 256 * 1024;

/** The output of a detached program that is kept, in bytes; with more, the oldest goes. */
export const KEPT_OUTPUT = 1 << 20;

/** The longest time that a request for output waits, in ms. */
export const MAX_OUTPUT_WAIT = 10_000;

const MAX_ARGUMENTS = 256;
const MAX_ARGUMENT = 64 * 1024;

/** The signals that can be sent to a program. */
const KILL_SIGNALS = [
  "SIGTERM",
  "SIGKILL",
  "SIGINT",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGSTOP",
  "SIGCONT",
] as const;

/** A signal. */
export type KillSignal = typeof KILL_SIGNALS[number];

/** The name of an execution: as that of a server. */
const EXECUTION_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/** What such a name looks like, for errors. */
const EXECUTION_NAME_FORM = "a name of up to 64 letters, digits and _ . -, such as backup-3";

/** A program to run. */
export interface ExecutionRequest {
  /**
   * Its path, or its name, which is looked up in `PATH`, and then among the uploaded executables. No
   * shell is involved.
   */
  readonly program: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Variables of its environment, besides those of the supervisor. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Its working directory; by default, and if it is relative, from the ensemble's files. */
  readonly directory?: string | undefined;
  /** The name of the execution; by default the program's, with a number. */
  readonly name?: string | undefined;
  /** Whether it goes on when the connection that asked for it ends. */
  readonly detached: boolean;
  /** How long it may run, in ms; by default {@linkcode DEFAULT_RUN_TIME}. */
  readonly timeout?: number | undefined;
  /** Who asks, for lists: `user@host`, as the console says. */
  readonly by: string;
}

/** A program that runs, or a detached one that has ended. */
export interface ListedProcess {
  /** The name of the execution. */
  readonly name: string;
  /** Its process. */
  readonly pid: number;
  /** What runs, truncated. */
  readonly program: string;
  /** Its arguments, truncated. */
  readonly args: readonly string[];
  /** Whether it goes on when the operator leaves. */
  readonly detached: boolean;
  /** Who asked for it: `user@host`, as the console said. */
  readonly by: string;
  /** When it was started, in ms since 1970. */
  readonly startedAt: number;
  /** The number of times that it was restarted. */
  readonly restarts: number;
  /** The bytes that it has written. */
  readonly output: number;
  /** How it ended; absent while it runs. */
  readonly exit?: ProcessEnd | undefined;
}

/** A program that has been started. */
export interface StartedProcess {
  /** The name of the execution. */
  readonly name: string;
  /** Its process. */
  readonly pid: number;
}

/** A part of what a program has written. */
export interface ProcessOutputPart {
  /** To which stream. */
  readonly stream: "stdout" | "stderr";
  /** What. */
  readonly bytes: Bytes;
}

/** What a program has written since an earlier answer. */
export interface ProcessOutput {
  /** Its output, in the order in which the supervisor read it. */
  readonly parts: readonly ProcessOutputPart[];
  /** Where to go on: the number of bytes of both streams before that place. */
  readonly position: number;
  /** The number of bytes before these parts that were dropped before they were read. */
  readonly lost: number;
  /** How it ended; only with the last of its output. */
  readonly exit?: ProcessEnd | undefined;
}

/** The handlers of the actor `supervisor` for executions. They take the capability `executor`. */
export type ExecutionHandlers = {
  /** Runs a program, without a terminal and without input. */
  execute(request: ExecutionRequest): StartedProcess;
  /** The programs that run, and the detached ones that ended last. */
  listProcesses(): ListedProcess[];
  /**
   * The output after a position, at the latest after `wait` ms. A program that is not detached has
   * to wait while what it has written is not read; so asking for what is after a position drops
   * what is before it.
   */
  readProcessOutput(request: { name: string; after: number; wait: number }): Promise<ProcessOutput>;
  /** Sends a signal to a program and its children. Answers false if it has ended. */
  killProcess(request: { name: string; signal: KillSignal; by: string }): boolean;
  /** Ends a detached program, if it runs, and runs it again under the same name. */
  restartProcess(request: { name: string; by: string }): Promise<StartedProcess>;
};

const name = matching(EXECUTION_NAME, EXECUTION_NAME_FORM);

/** A text without NUL, which no program can get. */
const argument: Check<string> = (value) => {
  const checked = text(MAX_ARGUMENT)(value);
  return checked.includes("\0") ? matching(/^[^\0]*$/, "a text without NUL")(checked) : checked;
};

/** The checks of their requests. */
export const executionChecks: RequestForms<ExecutionHandlers> = {
  execute: parts({
    program: matching(/^[^\0]{1,4096}$/s, "a program"),
    args: listOf(argument, MAX_ARGUMENTS),
    env: optional(
      recordOf(matching(/^[A-Za-z_]\w{0,255}$/, "a variable"), argument, MAX_ARGUMENTS),
    ),
    directory: optional(matching(/^[^\0]{1,4096}$/s, "a directory")),
    name: optional(name),
    detached: flag,
    timeout: optional(positive),
    by: operator,
  }),
  listProcesses: nothing,
  readProcessOutput: parts({ name, after: wholeNumber, wait: wholeNumber }),
  killProcess: parts({ name, signal: oneOf(...KILL_SIGNALS), by: operator }),
  restartProcess: parts({ name, by: operator }),
};

/** The longest argument in a list, in UTF-16 code units. */
export const LISTED_ARGUMENT = 200;

const started: Check<StartedProcess> = parts({ name, pid: positive });

/** The checks of their answers. */
export const executionAnswers: AnswerForms<ExecutionHandlers> = {
  execute: started,
  listProcesses: listOf(
    parts({
      name,
      pid: positive,
      program: text(LISTED_ARGUMENT),
      args: listOf(text(LISTED_ARGUMENT), MAX_ARGUMENTS),
      detached: flag,
      by: operator,
      startedAt: timestamp,
      restarts: wholeNumber,
      output: wholeNumber,
      exit: optional(processEnd),
    }),
    MAX_RUNNING + MAX_ENDED,
  ),
  readProcessOutput: parts({
    parts: listOf(
      parts({ stream: oneOf("stdout", "stderr"), bytes: bytes(MAX_OUTPUT_PART) }),
      MAX_OUTPUT_PART,
    ),
    position: wholeNumber,
    lost: wholeNumber,
    exit: optional(processEnd),
  }),
  killProcess: flag,
  restartProcess: started,
};
