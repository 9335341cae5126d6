/**
 * Counts the workers' jobs.
 *
 * @module
 */
import type { HandlerContext, HandlersOf } from "@gxensemble/ensemble";
import type { Report, Statistics } from "./job.ts";

/** The handlers of the service `statistics`. Its state is what it has counted. */
export const statistics: HandlersOf<Statistics> = {
  done({ worker }, { state }: HandlerContext<Report>) {
    state.done[worker] = (state.done[worker] ?? 0) + 1;
  },
  lost(_request, { state }: HandlerContext<Report>) {
    state.lost++;
  },
  report: (_request, { state }: HandlerContext<Report>) => state,
};
