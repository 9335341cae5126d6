/**
 * Errors that nobody handles, in a process that takes code while it runs.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { inspectBounded } from "../bounded_text.ts";

const logger = getLogger(["gxensemble", "server"]);

/**
 * Logs errors that nobody handles, and lets the process live: a promise that somebody forgot, or a timer of
 * a module that was loaded, must not end a server that serves others.
 *
 * @returns what restores the runtime's own way, which is to end the process.
 */
export function logStrayErrors(): Disposable {
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
    },
  };
}

function report(what: string, thrown: unknown): void {
  let text: string;
  try {
    text = thrown instanceof Error ? thrown.stack ?? thrown.message : inspectBounded(thrown);
  } catch {
    text = "a value that cannot be shown";
  }
  logger.error("{what}: {text}", { what, text });
}
