/**
 * Signals: which of them a process was started to ignore, what SIGHUP means to it, and the exit codes they end it with.
 *
 * Deno takes over SIGHUP, SIGINT and SIGTERM half a second after its own start, and any signal that is listened to.
 * From then on the system no longer knows what was ignored, and a signal that should be ignored ends the process. So
 * this module reads it when it is first evaluated, and the signal then needs a listener that does nothing.
 *
 * @module
 */
import { constants } from "node:os";
import { handedOver } from "../own_process.ts";

/**
 * `nothing` to a process that was started to ignore it, as by `nohup`; `end` to one on a terminal, which has closed;
 * `reread` to any other, which reads its files again.
 */
export type HangupMeaning = "nothing" | "end" | "reread";

/** Read when this module is loaded: a terminal that has closed does not count as one any more. */
const startedOnTerminal = [Deno.stdin, Deno.stdout, Deno.stderr]
  .some((stream) => stream.isTerminal());

/** What SIGHUP means to this process. */
export function hangupMeaning(): HangupMeaning {
  if (isIgnored("SIGHUP")) return "nothing";
  return startedOnTerminal ? "end" : "reread";
}

/** Keeps ignoring SIGHUP, to the end of the process, where it was started to ignore it. */
export function keepIgnoringHangup(): void {
  if (hangupMeaning() === "nothing") Deno.addSignalListener("SIGHUP", ignore);
}

/** Calls a function for each SIGHUP, where that has the given meaning. Until disposed of. */
export function onHangup(meaning: HangupMeaning, listener: () => void): Disposable {
  return hangupMeaning() === meaning ? onSignal("SIGHUP", listener) : { [Symbol.dispose]() {} };
}

/** Calls a function for each signal of a kind. Until disposed of. */
export function onSignal(signal: Deno.Signal, listener: () => void): Disposable {
  Deno.addSignalListener(signal, listener);
  return { [Symbol.dispose]: () => Deno.removeSignalListener(signal, listener) };
}

/** The signals that end a process. (SIGUSR1 does not: it has Deno wait for a debugger.) */
const ENDING = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR2", "SIGALRM", "SIGTERM"] as const;

/**
 * Ends this process in order when a signal would end it at once, after a last piece of work. Signals that the process was
 * started to ignore stay ignored. Until disposed of.
 */
export function onEndingSignal(finish: () => void = () => {}): Disposable {
  const listeners = new DisposableStack();
  for (const signal of ENDING) {
    const end = () => {
      finish();
      Deno.exit(exitCodeOf(signal));
    };
    listeners.use(onSignal(signal, isIgnored(signal) ? () => {} : end));
  }
  return listeners;
}

/** What a process exits with that a signal ends: as shells have it. */
export function exitCodeOf(signal: Deno.Signal): number {
  return 128 + (constants.signals[signal as keyof typeof constants.signals] ?? 0);
}

/** One function: Deno registers it once, however often it is added. */
function ignore(): void {}

/** Bit 0 is signal 1. */
const ignoredAtStart = readIgnored();

/**
 * Whether the process was started to ignore a signal. Where this cannot be found out it was not: on Windows, without
 * the permissions to read `/proc/self/status` or run `ps`, and when this module is evaluated too late.
 */
function isIgnored(signal: Deno.Signal): boolean {
  const number = constants.signals[signal as keyof typeof constants.signals];
  return number !== undefined && (ignoredAtStart >> BigInt(number - 1) & 1n) === 1n;
}

/** The mask of those signals in hexadecimal digits, bit 0 being signal 1. */
export function ignoredSignals(): string {
  return ignoredAtStart.toString(16);
}

/** The mask of the signals that are being ignored now. */
function readIgnored(): bigint {
  return maskOf(() => handedOver()?.ignored) ?? maskOf(readStatus) ?? maskOf(askPs) ?? 0n;
}

/** Reads a mask in hexadecimal digits; undefined where there is none, or no permission for it. */
function maskOf(read: () => string | undefined): bigint | undefined {
  try {
    const digits = read();
    return digits === undefined ? undefined : BigInt(`0x${digits.trim()}`);
  } catch {
    return undefined;
  }
}

/** As Linux tells it; see proc_pid_status(5). */
function readStatus(): string | undefined {
  const path = "/proc/self/status";
  // A program that runs with few permissions must not be asked for this one.
  if (!isGranted({ name: "read", path })) return undefined;
  return /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync(path))?.[1];
}

/** As macOS and other Unix systems tell it; see ps(1). */
function askPs(): string | undefined {
  if (!isGranted({ name: "run", command: "ps" })) return undefined;
  const args = ["-o", "ignored=", "-p", `${Deno.pid}`];
  const { stdout } = new Deno.Command("ps", { args, stdin: "null", stderr: "null" }).outputSync();
  return new TextDecoder().decode(stdout);
}

function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
