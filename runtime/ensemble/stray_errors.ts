/**
 * Unhandled errors, in a process that takes code while it runs.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { QUOTED_LENGTH } from "../bounded_text.ts";
import { visibleText } from "../control_characters.ts";
import { reportThrown } from "../error_report.ts";
import { LineLimit } from "../line_limit.ts";
import { asError, describeThrown } from "../thrown.ts";
import { standardStream } from "../home/standard_stream.ts";

const logger = getLogger(["gxensemble", "server"]);

/**
 * Logs unhandled errors, and lets the process live: a forgotten promise, or a timer of
 * a module that was loaded, must not end a server that serves others. Of the same error over and over the log
 * gets a few lines, and how many were left out.
 *
 * Where no log takes them, as in a program that has turned it off, they are printed to standard error: the runtime
 * would do so too, and no error of this kind is lost.
 *
 * @returns what restores the runtime's own way, which is to end the process.
 */
export function logStrayErrors(): Disposable {
  const lines = new LineLimit();
  const report = (what: string, thrown: unknown) => {
    const reason = describeThrown(thrown);
    if (!lines.allows("this program", `${what}: ${reason.slice(0, QUOTED_LENGTH)}`)) return;
    if (!logger.isEnabledFor("error")) {
      standardStream("stderr").write(`${visibleText(`${what}: ${reportThrown(thrown)}`)}\n`);
      return;
    }
    const error = asError(thrown);
    logger.error("{what}: {reason}", { what, reason, ...error && { error } });
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
