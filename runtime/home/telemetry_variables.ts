/**
 * The environment variables of Deno's telemetry that matter to a server.
 *
 * @module
 */

/** Whether Deno sends the telemetry of this process, by `OTEL_DENO`. */
export function isTelemetryOn(): boolean {
  return ["1", "true"].includes(valueOf("OTEL_DENO") ?? "");
}

/** Whether Deno sends what is printed with `console`, and prints nothing, by `OTEL_DENO_CONSOLE`. */
export function isConsoleReplaced(): boolean {
  return isTelemetryOn() && valueOf("OTEL_DENO_CONSOLE") === "replace";
}

/** The value of a variable; undefined also if the process may not read it. */
function valueOf(variable: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable }).state !== "granted") return undefined;
  return Deno.env.get(variable);
}
