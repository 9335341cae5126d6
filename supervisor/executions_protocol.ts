/**
 * The requests of a host's supervisor about programs that operators run on it.
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
  MAX_PATH,
  oneOf,
  optional,
  parts,
  positive,
  type RequestForms,
  text,
  textByText,
  timestamp,
  wholeNumber,
} from "../runtime/server/request_checks.ts";
import {
  MAX_ARGUMENT,
  MAX_OUTPUT_PART,
  operator,
  type ProcessExit,
  processExit,
  programArguments,
} from "./supervised_servers_protocol.ts";

/** The maximum number of programs that a supervisor knows, those that have ended included. */
export const MAX_EXECUTIONS = 100;

/** The longest name of a program's run, in UTF-16 code units. */
const MAX_NAME = 64;

/** The longest time that a reader waits for more output, in ms. */
const MAX_OUTPUT_WAIT = 30_000;

/** A program to run. */
export interface Execution {
  /** The program: a path on the host, a name on its `PATH`, or that of an uploaded executable. */
  readonly program: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Variables of its environment, besides the supervisor's. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Its working directory. Default: the supervisor's. */
  readonly directory?: string | undefined;
  /** The name of the run. Default: the program's name and a number. */
  readonly name?: string | undefined;
  /**
   * Whether it goes on when the connection of the request ends. Otherwise it is killed with it.
   */
  readonly detached: boolean;
  /** How long it may run, in ms. Default: the supervisor's limit. */
  readonly timeout?: number | undefined;
  /** Who asks, for the log: `user@host`, as the console says. */
  readonly by: string;
}

/** A program that an operator has run. */
export interface ExecutedProgram {
  /** The name of the run. */
  readonly name: string;
  /** The program. */
  readonly program: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Its process id. */
  readonly pid: number;
  /** When it started, in ms since 1970. */
  readonly startedAt: number;
  /** Who started it. */
  readonly by: string;
  /** Whether it goes on without its console. */
  readonly detached: boolean;
  /** How it ended; absent while it runs. */
  readonly exit?: ProcessExit | undefined;
}

/** A part of the output of a program. */
export interface ExecutionOutput {
  /** What it wrote, in order. */
  readonly chunks: { readonly stream: "stdout" | "stderr"; readonly bytes: Bytes }[];
  /** Where to go on: the number of bytes of both streams before that place. */
  readonly position: number;
  /** Whether output after the position of the query was dropped before it was read. */
  readonly lost: boolean;
  /** How it ended, if all its output has been read. */
  readonly exit?: ProcessExit | undefined;
}

/** The handlers of a supervisor for programs. They take the capability `executor`. */
export type ExecutionHandlers = {
  /** Runs a program, without a terminal and without input. */
  execute(request: Execution): Promise<ExecutedProgram>;
  /** The programs that run, and those that ended last. */
  listProcesses(): Promise<ExecutedProgram[]>;
  /** Reads the output of a program; waits for more if there is none. */
  readProcessOutput(
    request: { name: string; after: number; wait?: number | undefined },
  ): Promise<ExecutionOutput>;
  /** Sends a signal to a program and its children. */
  killProcess(request: { name: string; signal: string; by: string }): Promise<ExecutedProgram>;
  /** Ends a program, if it runs, and runs it again. */
  restartProcess(request: { name: string; by: string }): Promise<ExecutedProgram>;
};

const name = text(MAX_NAME);

/** The checks of their requests. */
export const executionChecks: RequestForms<ExecutionHandlers> = {
  execute: parts({
    program: text(MAX_PATH),
    args: programArguments,
    env: optional(textByText(MAX_ARGUMENT, 256)),
    directory: optional(text(MAX_PATH)),
    name: optional(name),
    detached: flag,
    timeout: optional(positive),
    by: operator,
  }),
  listProcesses: parts({}),
  readProcessOutput: parts({
    name,
    after: wholeNumber,
    wait: optional((value) => Math.min(wholeNumber(value), MAX_OUTPUT_WAIT)),
  }),
  killProcess: parts({ name, signal: text(16), by: operator }),
  restartProcess: parts({ name, by: operator }),
};

const executedProgram: Check<ExecutedProgram> = parts({
  name,
  program: text(MAX_PATH),
  args: programArguments,
  pid: positive,
  startedAt: timestamp,
  by: operator,
  detached: flag,
  exit: optional(processExit),
});

/** The checks of their answers. */
export const executionAnswers: AnswerForms<ExecutionHandlers> = {
  execute: executedProgram,
  listProcesses: listOf(executedProgram, MAX_EXECUTIONS),
  readProcessOutput: parts({
    chunks: listOf(
      parts({ stream: oneOf("stdout", "stderr"), bytes: bytes(MAX_OUTPUT_PART) }),
      1_000,
    ),
    position: wholeNumber,
    lost: flag,
    exit: optional(processExit),
  }),
  killProcess: executedProgram,
  restartProcess: executedProgram,
};
