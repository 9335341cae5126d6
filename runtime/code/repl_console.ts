/**
 * The `console` of a REPL session, which writes to the person's terminal.
 *
 * @module
 */
import { cut, previewValue } from "./preview.ts";

const METHODS = ["log", "info", "debug", "warn", "error"] as const;

/**
 * A console that writes with `print`; what it does not write itself, such as `time`, is the global one's.
 * Code that was loaded has the global console, which writes to the output of the server.
 */
export function sessionConsole(print: (text: string) => void): Console {
  const write = (...values: unknown[]) => {
    print(
      values.map((value) => typeof value === "string" ? cut(value) : previewValue(value)).join(" "),
    );
  };
  return Object.assign(
    Object.create(console),
    Object.fromEntries(METHODS.map((method) => [method, write])),
  );
}
