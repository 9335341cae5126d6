/**
 * Counts the workers' jobs.
 *
 * @module
 */
import type { HandlersOf } from "@gxensemble/ensemble";
import type { Statistics } from "./job.ts";

/** Makes the handlers of the service `statistics`. */
export function statistics(): HandlersOf<Statistics> {
  const done: Record<string, number> = {};
  let lost = 0;
  return {
    done({ worker }) {
      done[worker] = (done[worker] ?? 0) + 1;
    },
    lost() {
      lost++;
    },
    report: () => ({ done, lost }),
  };
}
