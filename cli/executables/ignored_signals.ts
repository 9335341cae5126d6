/**
 * Signals that whoever started the process wants to be ignored, as `nohup` does.
 *
 * A process that listens to any signal ignores none any more: that is how Deno listens, and it does so by itself
 * a fraction of a second after it starts. So this has to be asked soon, and the signal be listened to and left without
 * effect.
 *
 * @module
 */
import { constants } from "node:os";

/** Whether a signal is being ignored. Only Linux tells; elsewhere none is. */
export function isIgnored(signal: Deno.Signal): boolean {
  if (Deno.build.os !== "linux") return false;
  const status = Deno.readTextFileSync("/proc/self/status");
  // A mask in hexadecimal digits, whose lowest bit is signal 1: proc_pid_status(5).
  const [, digits = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  const mask = BigInt(`0x${digits}`);
  const number = constants.signals[signal as keyof typeof constants.signals];
  return (mask >> BigInt(number - 1) & 1n) === 1n;
}
