/**
 * Programs that run on other hosts: starting them, and following what they write.
 *
 * @module
 */
import type { Client } from "../../runtime/actor/service.ts";
import { exitCodeOf, onSignal } from "../../runtime/home/signals.ts";
import type {
  ExecutionRequest,
  KillSignal,
  ListedProcess,
} from "../../supervisor/executions_protocol.ts";
import type { ProcessEnd } from "../../supervisor/processes/server_report.ts";
import { supervisorClient, type SupervisorHandlers } from "../../supervisor/supervisor_protocol.ts";
import { operatorName } from "../kit/administrator.ts";
import { printNotice } from "../kit/output.ts";
import { formatAge } from "../kit/quantities.ts";
import type { WorkContext } from "../kit/server_set.ts";
import type { Column } from "../kit/table.ts";
import { RemoteOutput } from "./remote_output.ts";
import { exitToJson, formatExit } from "./supervised_listing.ts";

/** How long the supervisor waits for output, and how long the answer may take beyond that, in ms. */
const WAIT = 10_000;
const PATIENCE = 20_000;

/** The numbers of signals that end programs, for the exit code (signal(7)). */
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  ...{ SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGPIPE: 13 },
  SIGTERM: 15,
};

/** The signals that Ctrl-C sends to the program, one after the other. */
const INTERRUPTS: readonly KillSignal[] = ["SIGINT", "SIGTERM", "SIGKILL"];

/**
 * Runs a program, prints what it writes, and returns its exit code. Ctrl-C is sent to the program;
 * the second and the third time with more force.
 */
export async function runRemotely(
  { actors }: Pick<WorkContext, "actors">,
  supervisor: string,
  request: Omit<ExecutionRequest, "by" | "detached">,
): Promise<number> {
  const client = supervisorClient(actors, supervisor);
  const { name } = await client.execute({ ...request, detached: false, by: operatorName() });
  let interrupts = 0;
  using _interrupt = onSignal("SIGINT", () => {
    const signal = INTERRUPTS[interrupts++];
    // A supervisor that does not answer must not keep the command from ending.
    if (signal === undefined) Deno.exit(exitCodeOf("SIGINT"));
    client.killProcess({ name, signal, by: operatorName() }).catch(() => {});
  });
  const exit = await followOutput(client, { name, follow: true });
  if (exit?.reason !== undefined && interrupts === 0) {
    printNotice(`... ${name} was ended: ${exit.reason}`);
  }
  return exitCode(exit);
}

/**
 * Prints what a program has written; with `follow`, until it ends. Returns how it ended, if it has.
 */
export async function followOutput(
  client: Client<SupervisorHandlers>,
  { name, follow }: { readonly name: string; readonly follow: boolean },
): Promise<ProcessEnd | undefined> {
  const output = new RemoteOutput();
  for (let after = 0;;) {
    const wait = follow ? WAIT : 0;
    const read = await client.readProcessOutput({ name, after, wait }, {
      timeout: wait + PATIENCE,
    });
    if (read.lost > 0) printNotice(`... ${read.lost} bytes are not kept any more`);
    for (const { stream, bytes } of read.parts) output.write(stream, bytes);
    if (read.exit || !output.hasReader) return read.exit;
    if (!follow && read.parts.length === 0) return undefined;
    after = read.position;
  }
}

/** The exit code for a program's end, as in shells. */
export function exitCode(exit: ProcessEnd | undefined): number {
  if (exit?.signal !== undefined) return 128 + (SIGNAL_NUMBERS[exit.signal] ?? 0);
  return exit?.code ?? 0;
}

/** The columns of programs, after that of their supervisor. */
export const PROCESS_COLUMNS: readonly Column[] = [
  { heading: "name" },
  { heading: "pid", isNumber: true },
  { heading: "state" },
  { heading: "since", isNumber: true },
  { heading: "restarts", isNumber: true },
  { heading: "output", isNumber: true },
  { heading: "by" },
  { heading: "command" },
];

/** A program in {@linkcode PROCESS_COLUMNS}; its age is by the clocks of both hosts. */
export function processRow(process: ListedProcess): string[] {
  const { name, pid, program, args, detached, by, startedAt, restarts, output, exit } = process;
  return [
    name,
    `${pid}`,
    exit ? formatExit(exit) : detached ? "detached" : "attached",
    formatAge(Math.max(0, (exit?.at ?? Date.now()) - startedAt)),
    `${restarts}`,
    `${output}`,
    by,
    [program, ...args].join(" "),
  ];
}

/** Converts a program for `--json`. */
export function processToJson({ startedAt, exit, ...process }: ListedProcess): object {
  return {
    ...process,
    started: new Date(startedAt).toISOString(),
    exit: exit ? exitToJson(exit) : null,
  };
}
