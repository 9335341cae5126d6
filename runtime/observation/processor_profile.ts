/**
 * Profiles the processor, with V8's sampling profiler in this process.
 *
 * @module
 */
import type { Session } from "node:inspector";
import { EnsembleError } from "../errors.ts";

/** The time between samples, in us: that of Node.js and of Chrome. */
const INTERVAL = 1_000;

/**
 * The profiler's session. Deno must not collect one that still profiles, so it is referred to from
 * here.
 */
let session: Session | undefined;

/**
 * Profiles this process until the time is over, in ms, or the signal is aborted. Returns JSON in the
 * form `.cpuprofile`.
 *
 * @throws {EnsembleError} if a profile is taken already, or the process may not.
 */
export async function profileProcessor(time: number, signal: AbortSignal): Promise<string> {
  if (session) {
    throw new EnsembleError("this process is profiled already: wait until that is done");
  }
  const { Session } = await import("node:inspector");
  signal.throwIfAborted();
  if (session) {
    throw new EnsembleError("this process is profiled already: wait until that is done");
  }
  const own = session = new Session();
  try {
    connect(own);
    try {
      await post(own, "Profiler.enable");
      await post(own, "Profiler.setSamplingInterval", { interval: INTERVAL });
      await post(own, "Profiler.start");
      await passed(time, signal);
      const { profile } = await post(own, "Profiler.stop") as { profile: object };
      await post(own, "Profiler.disable");
      return JSON.stringify(profile);
    } finally {
      own.disconnect();
    }
  } finally {
    session = undefined;
  }
}

function connect(session: Session): void {
  try {
    session.connect();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new EnsembleError(
      "this process may not profile itself: it runs without the permission sys",
      {
        cause: error,
      },
    );
  }
}

function post(session: Session, method: string, params: object = {}): Promise<object | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<object | undefined>();
  session.post(method, params, (error, result) => error ? reject(error) : resolve(result));
  return promise;
}

async function passed(time: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, time);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
