/**
 * Signals: which of them a process was started to ignore, the meaning of SIGHUP, and exit codes.
 *
 * Deno takes over SIGHUP, SIGINT and SIGTERM half a second after its own start, and any signal with
 * a listener. From then on the system no longer knows what was ignored, and a signal that should be
 * ignored ends the process. So this module reads it when it is first evaluated, and adds a listener
 * that does nothing.
 *
 * @module
 */
import { handedOver } from "../own_process.ts";

/**
 * `nothing` if the process was started to ignore it, as by `nohup`; `end` on a terminal, which has
 * closed; otherwise `reread`, to read files again.
 */
export type HangupMeaning = "nothing" | "end" | "reread";

/** Determined when this module is loaded, since a closed terminal no longer counts as one. */
const startedOnTerminal = [Deno.stdin, Deno.stdout, Deno.stderr]
  .some((stream) => stream.isTerminal());

/** The meaning of SIGHUP for this process. */
export function hangupMeaning(): HangupMeaning {
  if (isIgnored("SIGHUP")) return "nothing";
  return startedOnTerminal ? "end" : "reread";
}

/** Ignores SIGHUP until the process ends, if it was started to ignore it. */
export function keepIgnoringHangup(): void {
  if (hangupMeaning() === "nothing") Deno.addSignalListener("SIGHUP", ignore);
}

/** Calls a function for each SIGHUP with the given meaning, until disposed. */
export function onHangup(meaning: HangupMeaning, listener: () => void): Disposable {
  return hangupMeaning() === meaning ? onSignal("SIGHUP", listener) : { [Symbol.dispose]() {} };
}

/** Calls a function for each signal of a kind, until disposed. */
export function onSignal(signal: Deno.Signal, listener: () => void): Disposable {
  Deno.addSignalListener(signal, listener);
  return { [Symbol.dispose]: () => Deno.removeSignalListener(signal, listener) };
}

/**
 * The signals that end a process, with their numbers (signal(7)). SIGUSR1 does not: it makes Deno
 * wait for a debugger. `node:os` has the numbers, too, but takes a fifth of the time of a short
 * command to load.
 */
export const ENDING_SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGUSR2: Deno.build.os === "darwin" ? 31 : 12,
  SIGALRM: 14,
  SIGTERM: 15,
} as const;

/** A signal that ends a process. */
export type EndingSignal = keyof typeof ENDING_SIGNALS;

/**
 * Exits this process properly, after `finish`, on signals that would end it at once, until
 * disposed. Signals that the process was started to ignore stay ignored.
 */
export function onEndingSignal(finish: () => void = () => {}): Disposable {
  const listeners = new DisposableStack();
  for (const signal of Object.keys(ENDING_SIGNALS) as EndingSignal[]) {
    const end = () => {
      finish();
      Deno.exit(exitCodeOf(signal));
    };
    listeners.use(onSignal(signal, isIgnored(signal) ? () => {} : end));
  }
  return listeners;
}

/** The exit code of a process ended by a signal, as in shells. */
export function exitCodeOf(signal: EndingSignal): number {
  return 128 + ENDING_SIGNALS[signal];
}

/** A single function, since Deno registers it only once. */
function ignore(): void {}

/** Bit 0 is signal 1. */
const ignoredAtStart = readIgnored();

/**
 * Whether the process was started to ignore a signal. False if unknown: on Windows, without the
 * permissions to read `/proc/self/status` or run `ps`, and if this module was evaluated too late.
 */
function isIgnored(signal: EndingSignal): boolean {
  return (ignoredAtStart >> BigInt(ENDING_SIGNALS[signal] - 1) & 1n) === 1n;
}

/** The mask of these signals in hexadecimal, with signal 1 as bit 0. */
export function ignoredSignals(): string {
  return ignoredAtStart.toString(16);
}

/** The mask of the signals that are ignored now. */
function readIgnored(): bigint {
  return maskOf(() => handedOver()?.ignored) ?? maskOf(readStatus) ?? maskOf(askPs) ?? 0n;
}

/** Parses a hexadecimal mask; undefined if there is none, or no permission to read it. */
function maskOf(read: () => string | undefined): bigint | undefined {
  try {
    const digits = read();
    return digits === undefined ? undefined : BigInt(`0x${digits.trim()}`);
  } catch {
    return undefined;
  }
}

/** On Linux; see proc_pid_status(5). */
function readStatus(): string | undefined {
  const path = "/proc/self/status";
  // Do not prompt for a permission in a program that runs with few.
  if (!isGranted({ name: "read", path })) return undefined;
  return /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync(path))?.[1];
}

/** On macOS and other Unix systems; see ps(1). */
function askPs(): string | undefined {
  if (!isGranted({ name: "run", command: "ps" })) return undefined;
  const args = ["-o", "ignored=", "-p", `${Deno.pid}`];
  const { stdout } = new Deno.Command("ps", { args, stdin: "null", stderr: "null" }).outputSync();
  return new TextDecoder().decode(stdout);
}

function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
