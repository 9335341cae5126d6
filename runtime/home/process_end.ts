/**
 * The end of a process.
 *
 * @module
 */
import { isTelemetryOn } from "./telemetry_variables.ts";

/** How long a process with telemetry may take to end by itself, in ms. */
const REST = 1_000;

/**
 * Ends this process with an exit code: at once, or soon if Deno sends its telemetry.
 *
 * With telemetry, the process is left to end by itself, and `Deno.exit` is called only if it does
 * not, as with a timer that was forgotten. Both send what is left. But `Deno.exit` blocks JavaScript
 * meanwhile, and if Deno's next export of metrics is due then, that export waits for JavaScript to
 * observe them, and the process never ends (seen with Deno 2.9.6).
 */
export function endProcess(code: number | string): void {
  if (!isTelemetryOn()) Deno.exit(Number(code));
  Deno.exitCode = Number(code);
  setTimeout(() => Deno.exit(), REST).unref();
}
