/**
 * Signals that whoever started the process wants to be ignored, as `nohup` does.
 *
 * A process that listens to any signal ignores none of these any more, and neither do those that it starts:
 * that is how Deno listens.
 *
 * @module
 */
import { constants } from "node:os";

/** Whether one of the signals is being ignored. Only Linux tells; elsewhere none is. */
export function isAnyIgnored(signals: readonly Deno.Signal[]): boolean {
  if (Deno.build.os !== "linux") return false;
  const status = Deno.readTextFileSync("/proc/self/status");
  // A mask in hexadecimal digits, whose lowest bit is signal 1: proc_pid_status(5).
  const [, digits = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  const mask = BigInt(`0x${digits}`);
  return signals.some((signal) => {
    const number = constants.signals[signal as keyof typeof constants.signals];
    return (mask >> BigInt(number - 1) & 1n) === 1n;
  });
}
