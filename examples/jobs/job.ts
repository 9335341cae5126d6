/**
 * What the servers of the example say to each other.
 *
 * @module
 */

/** A job: a text to work on. */
export interface Job {
  /** Numbered by the dispatcher. */
  readonly id: number;
  /** What to work on. */
  readonly text: string;
  /** How long the work takes, in ms; the example has no real work. */
  readonly duration: number;
}

/** The service `worker` of a server with the role `worker`. It tells the sender the {@linkcode Outcome}. */
export interface Worker {
  /** Does a job. Jobs are done one after the other. */
  work(request: { job: Job }): void;
}

/** What a worker tells the dispatcher when a job is done. */
export interface Outcome {
  /** Tells it from other messages. */
  readonly type: "done";
  /** The id of the job. */
  readonly job: number;
  /** What became of it: the result, or why there is none. */
  readonly result: { readonly value: string } | { readonly error: string };
}

/** The actor `dispatcher`. */
export interface Dispatcher {
  /** Has a job done by some worker, and answers with the result. */
  add(request: { text: string; duration?: number }): Promise<string>;
}

/** The service `statistics` beside the dispatcher. */
export interface Statistics {
  /** Counts a job that a worker has done. */
  done(request: { worker: string }): void;
  /** Counts a job whose worker was lost. */
  lost(request: { worker: string }): void;
  /** What was counted so far. */
  report(): Report;
}

/** Numbers of jobs. */
export interface Report {
  /** How many each worker has done. */
  readonly done: Record<string, number>;
  /** How many had to be given to another worker. */
  readonly lost: number;
}
