/**
 * Errors that nobody handles, in a process that takes code while it runs.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { inspectBounded, QUOTED_LENGTH, shorten } from "../bounded_text.ts";
import { LineLimit } from "../line_limit.ts";

const logger = getLogger(["gxensemble", "server"]);

/** How much of an error with its stack is logged, in UTF-16 code units. */
const MAX_LENGTH = 10_000;

/**
 * Logs errors that nobody handles, and lets the process live: a promise that somebody forgot, or a timer of
 * a module that was loaded, must not end a server that serves others. Of the same error over and over the log
 * gets a few lines, and how many were left out.
 *
 * @returns what restores the runtime's own way, which is to end the process.
 */
export function logStrayErrors(): Disposable {
  const lines = new LineLimit();
  const report = (what: string, thrown: unknown) => {
    const text = describe(thrown);
    if (!lines.allows("this program", `${what}: ${text.slice(0, QUOTED_LENGTH)}`)) return;
    logger.error("{what}: {text}", { what, text });
  };
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    report("unhandled rejection", event.reason);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    report("uncaught error", event.error);
  };
  addEventListener("unhandledrejection", onRejection);
  addEventListener("error", onError);
  return {
    [Symbol.dispose]() {
      removeEventListener("unhandledrejection", onRejection);
      removeEventListener("error", onError);
      lines.close();
    },
  };
}

function describe(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return inspectBounded(thrown);
    return shorten(String(thrown.stack ?? thrown.message), MAX_LENGTH);
  } catch {
    return "a value that cannot be shown";
  }
}
